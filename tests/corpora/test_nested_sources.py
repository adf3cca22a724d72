"""Homes of corpora with nested mentions: files laid over each other, and an archive with files beside each text."""

from __future__ import annotations

import io
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.loopback_files import FileServer, serve_files
from zoo.corpora.document import Span
from zoo.corpora.load import Corpus, load_corpus
from zoo.corpora.readers.knowtator import read_knowtator
from zoo.corpora.retry import FetchOptions
from zoo.corpora.sources import availability
from zoo.errors import ZooError
from zoo.files import git_tree_sha1
from zoo.registry.loader import load_registry
from zoo.registry.schema import SPLITS, CorpusEntry, RemoteFile

TOKENS = ["The", "IL", "-", "2", "gene", "in", "T", "cells", "."]
TAGS = {
    "protein": "O B I I O O O O O",
    "DNA": "O B I I I O O O O",
    "RNA": "O O O O O O O O O",
    "cell_line": "O O O O O O O O O",
    "cell_type": "O O O O O O B I O",
}
LEVELS = ("O B-DNA I-DNA I-DNA I-DNA O B-cell_type I-cell_type O", "O B-DNA I-DNA I-DNA O O O O O")
TEXT = "The T and B cells of mice (mouse cells). Gastrin\n"
XML = """<?xml version="1.0" encoding="UTF-8"?>
<annotations textSource="1.txt">
{}</annotations>
"""
CELLS = [("T ... cells", "CL:1", (4, 5), (12, 17)), ("B cells", "CL:2", (10, 17)), ("cells", "CL:0", (33, 38))]
TOP = "CRAFT-2abe82b8bb8089448b84937d5f61d8c218011322"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serve_files() as files:
        yield files


def load(entry: CorpusEntry, tmp_path: Path) -> Corpus:
    options = FetchOptions(offline=False, attempts=1)
    return load_corpus(entry, registry_folder=tmp_path, cache=tmp_path / "cache", options=options)


def column(tags: str, kind: str = "") -> list[str]:
    return [tag if tag == "O" or not kind else f"{tag}-{kind}" for tag in tags.split()]


def lines(*columns: list[str], tokens: list[str] = TOKENS) -> bytes:
    return (
        "\n".join(map("\t".join, zip(tokens, *columns, strict=True)))
        + "\n\nNothing\t"
        + "\t".join("O" * len(columns))
        + "\n"
    ).encode()


def genia(server: FileServer, changed: dict[str, bytes] | None = None) -> CorpusEntry:
    """The packaged entry with small files in the layout of its home on the server."""
    entry = load_registry().corpus("genia")
    source = entry.sources[0].model_dump()
    contents = {kind: lines(column(tags, kind)) for kind, tags in TAGS.items()} | (changed or {})
    levels = lines(*(column(tags) for tags in LEVELS))
    source["files"] = {
        "train": server.put("/protein_train.conll", contents["protein"]),
        **{split: server.put(f"/genia.{split}.iob2", levels) for split in ("dev", "test")},
    }
    source["layers"]["train"] = [
        server.put(f"/{kind}_train.conll", content) for kind, content in contents.items() if kind != "protein"
    ]
    return CorpusEntry.model_validate(entry.model_dump() | {"sources": [source], "splits": {}})


def test_files_of_one_type_are_laid_over_each_other(server: FileServer, tmp_path: Path) -> None:
    entry = genia(server)
    assert availability(entry, {"corpora/genia": tmp_path}, None, cache=tmp_path / "cache") == "to fetch"
    corpus = load(entry, tmp_path)
    first, second = corpus.splits["train"]
    assert (first.id, first.text, second.id) == ("train-1", " ".join(TOKENS), "train-2")
    assert [span.key for span in first.spans] == [(4, 10, "Protein"), (4, 15, "DNA"), (19, 26, "Cell_type")]
    assert [span.key for span in corpus.splits["dev"][0].spans] == [
        (4, 10, "DNA"),
        (4, 15, "DNA"),
        (19, 26, "Cell_type"),
    ]
    assert availability(entry, {"corpora/genia": tmp_path}, None, cache=tmp_path / "cache") == "in the cache"
    assert len(server.requests) == 7


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lines(column(TAGS["DNA"], "DNA")).replace(b"IL", b"IF"), ("'The IF - 2", "DNA_train.conll: document train-1")),
        (lines(column(TAGS["DNA"], "DNA")).partition(b"\n\n")[0], ("ends before document train-2", "DNA_train.conll")),
        (lines(column(TAGS["DNA"], "DNA")) + b"\nMore\tO\n", ("ends before document train-3", "protein_train.conll")),
        (lines(column(TAGS["DNA"], "DNA")).replace(b"I-DNA", b"X-DNA"), ("unknown tag 'X-DNA'", "DNA_train.conll:3")),
    ],
)
def test_a_layer_that_does_not_fit(content: bytes, said: tuple[str, ...], server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(ZooError) as error:
        load(genia(server, {"DNA": content}), tmp_path)
    assert all(words in str(error.value) for words in said), str(error.value)


def annotations(found: list[tuple[Any, ...]]) -> str:
    xml = ""
    for number, (quoted, concept, *parts) in enumerate(found):
        spans = "".join(f'<span start="{start}" end="{end}" />' for start, end in parts)
        xml += f'<annotation><mention id="m{number}" />{spans}<spannedText>{quoted}</spannedText></annotation>\n'
        xml += f'<classMention id="m{number}"><mentionClass id="{concept}">x</mentionClass></classMention>\n'
    return XML.format(xml)


def members(ids: tuple[str, ...] = ("1", "2", "3"), cells: str | None = None) -> dict[str, str]:
    concepts = f"{TOP}/concept-annotation"
    return {
        **{f"{TOP}/articles/txt/{name}.txt": TEXT for name in ids},
        **{f"{concepts}/CL/CL/knowtator/{name}.txt.knowtator.xml": cells or annotations(CELLS) for name in ids},
        **{f"{concepts}/UBERON/UBERON/knowtator/{name}.txt.knowtator.xml": XML.format("") for name in ids},
    }


def zipped(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{TOP}/", "")
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def craft(server: FileServer, files: dict[str, str], tmp_path: Path) -> CorpusEntry:
    """The packaged entry of two ontologies with a small archive on the server, pinned by the trees of its folders."""
    entry = load_registry().corpus("craft")
    source = entry.sources[0].model_dump()
    content = zipped(files)
    (tmp_path / "pinned.zip").write_bytes(content)
    trees = {folder: git_tree_sha1(tmp_path / "pinned.zip", folder) for folder in source["archive"]["git_trees"]}
    url = server.put(f"/UCDenver-ccp/CRAFT/archive/{TOP.removeprefix('CRAFT-')}.zip", content).url
    source["archive"] = RemoteFile(url=url, git_trees=trees)
    source["documents"] = {split: server.put(f"/{split}.txt", f"{n}\n".encode()) for n, split in enumerate(SPLITS, 1)}
    return CorpusEntry.model_validate(entry.model_dump() | {"sources": [source], "splits": {}})


def test_an_archive_with_annotations_beside_its_texts(server: FileServer, tmp_path: Path) -> None:
    entry = craft(server, members(), tmp_path)
    corpus = load(entry, tmp_path)
    (document,) = corpus.splits["dev"]
    assert (document.id, document.text) == ("2", TEXT)
    assert list(document.spans) == [
        Span(4, 17, "Cell_type", ("CL:1",), ((4, 5), (12, 17))),
        Span(10, 17, "Cell_type", ("CL:2",)),
        Span(33, 38, "Cell_type", ("CL:0",)),
    ]
    assert corpus.source == "127.0.0.1/UCDenver-ccp/CRAFT at commit 2abe82b8bb80" and not corpus.repairs
    load(entry, tmp_path)
    assert len(server.requests) == 4, "one archive, three lists"


def test_an_archive_packed_anew_is_the_same_and_one_with_other_files_is_not(server: FileServer, tmp_path: Path) -> None:
    entry = craft(server, members(), tmp_path)
    (path,) = (path for path in server.files if path.endswith(".zip"))
    again = zipped({f"{TOP}/README.md": "more", **dict(reversed(members().items()))})
    assert again != server.files[path]
    server.files[path] = again
    assert load(entry, tmp_path).splits["train"]
    for content in (zipped(members(cells=annotations(CELLS[:2]))), again[:-40], b"no archive"):
        server.files[path] = content
        with pytest.raises(ZooError, match=r"not the registered one: (git tree|not an intact zip)"):
            load(entry, tmp_path / str(len(content)))


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ("<annotations>\n<annotation>", ("not valid XML", "CL/CL/knowtator/1.txt.knowtator.xml:2")),
        ("<other/>", ("begins with <other>", "CL/CL/knowtator/1.txt.knowtator.xml")),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotations>&b;</annotations>', ("DOCTYPE", "1.txt.knowtator.xml")),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotations/>', ("DOCTYPE", "1.txt.knowtator.xml")),
        (annotations(CELLS).replace('classMention id="m1"', 'classMention id="m9"'), ("'m1' has no class",)),
        (annotations(CELLS).replace('start="10"', 'start="x"'), ("'m1' has no place",)),
        (annotations([("Gastrin", "CL:1", (0, 7))]), ("says 'Gastrin'", "1.txt.knowtator.xml")),
    ],
)
def test_bad_annotations(cells: str, said: tuple[str, ...], server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(ZooError) as error:
        load(craft(server, members(cells=cells), tmp_path), tmp_path)
    assert all(words in str(error.value) for words in said), str(error.value)
    assert "zoo-split-" not in str(error.value)


def test_an_archive_without_a_document(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=r"no file '.*articles/txt/3.txt'"):
        load(craft(server, members(("1", "2")), tmp_path), tmp_path)


def test_the_hash_of_a_folder_is_that_of_git(tmp_path: Path) -> None:
    for name in ("b.txt", "a-1.txt", "a.txt", "z/below.txt"):
        path = tmp_path / "repository" / "x" / "y" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)

    def git(*words: str) -> str:
        command = ["git", "-c", "user.name=x", "-c", "user.email=x@x.org", *words]
        return subprocess.run(command, cwd=tmp_path / "repository", check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "x")
    git("archive", "--prefix=top-1/", "-o", "../a.zip", "HEAD")
    assert git_tree_sha1(tmp_path / "a.zip", "x/y/z") == git("rev-parse", "HEAD:x/y/z").strip()
    git("rm", "-rqf", "x/y/z")
    git("commit", "-qm", "y")
    git("archive", "--prefix=top-1/", "-o", "../b.zip", "HEAD")
    assert git_tree_sha1(tmp_path / "b.zip", "x/y") == git("rev-parse", "HEAD:x/y").strip()


def test_classes_that_are_no_concepts_are_types(tmp_path: Path) -> None:
    """As eHOST writes them: texts in one folder, annotations in another."""
    for name, content in (
        ("corpus/a.txt", TEXT),
        ("saved/a.txt.knowtator.xml", annotations([("mice", "Animal", (21, 25))])),
    ):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text(content)
    (document,) = read_knowtator(tmp_path)
    assert list(document.spans) == [Span(21, 25, "Animal")]
    (tmp_path / "saved" / "c.txt.knowtator.xml").write_text(XML.format(""))
    with pytest.raises(ZooError, match=r"there is no text 'c\.txt'"):
        list(read_knowtator(tmp_path))


def test_fragments_that_share_characters_are_joined(tmp_path: Path) -> None:
    (tmp_path / "CL").mkdir()
    (tmp_path / "a.txt").write_text(TEXT)
    found = annotations([("T ... cel ... cells", "CL:1", (4, 5), (12, 15), (12, 17))])
    (tmp_path / "CL" / "a.txt.knowtator.xml").write_text(found)
    (document,) = read_knowtator(tmp_path)
    assert document.spans[0].fragments == ((4, 5), (12, 17)) and document.spans[0].type == "CL"
