"""Archives with one file a document: reading them in memory, cutting sentences, refusing what is damaged."""

from __future__ import annotations

import io
import re
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from tests.loopback_files import serve_files
from zoo.corpora.archive import read_archive
from zoo.corpora.document import Document
from zoo.corpora.download import cached_path
from zoo.corpora.load import load_corpus
from zoo.corpora.retry import FetchOptions
from zoo.errors import ZooError
from zoo.registry.loader import PACKAGED, load_registry
from zoo.registry.schema import ArchiveSource, CorpusEntry, LicenseInfo, RemoteFile
from zoo.settings import Settings

PINNED = RemoteFile(url="https://example.org/a.tar.gz", sha256="0" * 64)
MEMBER = "demo/nersuite/{id}.nersuite"


def nersuite(text: str, mentions: tuple[str, ...] = ()) -> str:
    """Words and punctuation of a text as NERsuite columns; `mentions` are tagged CL."""
    inside = {i: k > 0 for m in mentions for at in [text.index(m)] for k, i in enumerate(range(at, at + len(m)))}
    lines = []
    for match in re.finditer(r"\w+|[^\w\s]", text):
        tag = "O" if match.start() not in inside else "I-CL" if inside[match.start()] else "B-CL"
        lines.append(f"{tag}\t{match.start()}\t{match.end()}\t{match.group()}\tlemma\tNN\tB-NP")
    return "\n".join(lines) + "\n\n"


def pack(path: Path, files: dict[str, str | bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def source(member: str = MEMBER, split_sentences: bool = True) -> ArchiveSource:
    documents = {"train": PINNED, "dev": PINNED, "test": PINNED}
    return ArchiveSource.model_validate(
        {
            "kind": "archive",
            "archive": PINNED,
            "member": member,
            "documents": documents,
            "split_sentences": split_sentences,
        }
    )


def read(tmp_path: Path, texts: dict[str, str], order: str | None = None, **options: bool) -> list[Document]:
    archive = pack(tmp_path / "a.tar.gz", {f"demo/nersuite/{name}.nersuite": text for name, text in texts.items()})
    ids = tmp_path / "ids"
    ids.write_text(order if order is not None else "\n".join(texts))
    return list(read_archive(source(**options), archive, ids))


def sentences(tmp_path: Path, text: str, *mentions: str) -> list[str]:
    return [document.text for document in read(tmp_path, {"d": nersuite(text, mentions)})]


def test_documents_come_in_the_order_of_the_list(tmp_path: Path) -> None:
    texts = {"PMID-1": nersuite("HeLa cells grew.", ("HeLa",)), "PMC-2": nersuite("MCF-7 did not.", ("MCF-7",))}
    first, second = read(tmp_path, texts, order="\r\nPMC-2\r\nPMID-1\n\n")
    assert (first.id, first.text) == ("PMC-2-1", "MCF - 7 did not .")
    assert [(first.text[s.start : s.end], s.type) for s in first.spans] == [("MCF - 7", "CL")]
    assert second.id == "PMID-1-1" and second.spans[0].key == (0, 4, "CL")
    assert second.tokens == ((0, 4), (5, 10), (11, 15), (16, 17))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One grew. Two died. why?", ["One grew .", "Two died . why ?"]),
        ("It grew! Did it? Yes.", ["It grew !", "Did it ?", "Yes ."]),
        ('He said "so." She left.', ['He said " so . "', "She left ."]),
        ("(It grew.) It died.", ["( It grew . )", "It died ."]),
        ("See Fig. S4 and Figs. A, B.", ["See Fig . S4 and Figs . A , B ."]),
        ("Given by N. Fischer. In E. Coli too.", ["Given by N . Fischer .", "In E . Coli too ."]),
        ("At 8q24.Two of p < 0.05. Three.", ["At 8q24 . Two of p < 0 . 05 .", "Three ."]),
        (". The end", [".", "The end"]),
        ("Nothing ends here", ["Nothing ends here"]),
    ],
)
def test_sentences(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert sentences(tmp_path, text) == expected


def test_no_cut_inside_a_mention(tmp_path: Path) -> None:
    text = "The line No 1. Alpha grew. It died."
    assert sentences(tmp_path, text) == ["The line No 1 .", "Alpha grew .", "It died ."]
    first, second = read(tmp_path, {"d": nersuite(text, ("No 1. Alpha",))})
    assert first.text == "The line No 1 . Alpha grew ." and second.text == "It died ."
    assert [first.text[span.start : span.end] for span in first.spans] == ["No 1 . Alpha"]


def test_blank_lines_are_the_units_where_sentences_are_not_cut(tmp_path: Path) -> None:
    text = nersuite("One grew. Two died.") + nersuite("Three.")
    with pytest.raises(ZooError, match="expected tag, start, end"):
        read(tmp_path, {"d": text}, split_sentences=False)  # offsets that start anew are another document
    whole = "O\t0\t3\tOne\n\nB-CL\t4\t8\tHeLa\nO\t8\t9\t.\n"
    assert [(d.id, d.text) for d in read(tmp_path, {"d": whole}, split_sentences=False)] == [
        ("d-1", "One"),
        ("d-2", "HeLa ."),
    ]


def test_columns_with_the_token_first(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.tar.gz", {"./demo/x.conll": "HeLa\tB-Cell-line-name\ncells\tO\n\nNone\tO\n"})
    (tmp_path / "ids").write_text("x\n")
    first, second = read_archive(source("demo/{id}.conll", False), archive, tmp_path / "ids")
    assert (first.text, first.spans[0].key) == ("HeLa cells", (0, 4, "Cell-line-name"))
    assert (second.id, second.text, second.spans) == ("x-2", "None", ())


def test_repairs_are_counted(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.tar.gz", {"demo/x.conll": "HeLa\tB-CL\ncells\tO\nMCF\tI-CL\n"})
    (tmp_path / "ids").write_text("x\n")
    repairs: Counter[str] = Counter()
    list(read_archive(source("demo/{id}.conll", False), archive, tmp_path / "ids", repairs=repairs))
    assert sum(repairs.values()) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("O\t0\t3\n", "d.nersuite:1"),
        ("O\t0\t3\tOne\nO\tx\t9\tTwo\n", "d.nersuite:2"),
        ("O\t0\t3\tOne\nO\t2\t9\tTwo\n", "d.nersuite:2"),
        ("O\t0\t3\t \n", "no token"),
        ("Q-CL\t0\t3\tOne\n", "Q-CL"),
    ],
)
def test_broken_lines_name_member_and_line(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(ZooError) as error:
        read(tmp_path, {"d": content})
    assert words in str(error.value)


def test_not_utf8(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.tar.gz", {"demo/nersuite/d.nersuite": b"O\t0\t3\t\xff\xfe\n"})
    (tmp_path / "ids").write_text("d\n")
    with pytest.raises(ZooError, match="not UTF-8"):
        list(read_archive(source(), archive, tmp_path / "ids"))


def test_a_document_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="no document 'other'"):
        read(tmp_path, {"d": nersuite("One.")}, order="d\nother\n")


@pytest.mark.parametrize("line", ["../../etc/passwd", "/etc/passwd", "..", "a\\b"])
def test_a_list_cannot_point_out_of_the_archive(tmp_path: Path, line: str) -> None:
    with pytest.raises(ZooError, match="is not a document id"):
        read(tmp_path, {"d": nersuite("One.")}, order=f"d\n{line}\n")


def test_a_document_twice_in_the_list(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="'d' stands twice"):
        read(tmp_path, {"d": nersuite("One.")}, order="d\nd\n")


def test_links_are_no_documents_and_nothing_is_unpacked(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(nersuite("Secret."))
    path = tmp_path / "box" / "a.tar.gz"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo("demo/nersuite/d.nersuite")
            info.type, info.linkname = kind, str(secret)
            tar.addfile(info)
        info = tarfile.TarInfo("../escaped")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    (tmp_path / "ids").write_text("d\n")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ZooError, match="no document 'd'"):
        list(read_archive(source(), path, tmp_path / "ids"))
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("damage", ["cut", "flipped", "text"])
def test_damaged_archive(tmp_path: Path, damage: str) -> None:
    texts = {f"demo/nersuite/{i}.nersuite": nersuite(f"Line number {i} of {i * 7919} grew.") for i in range(200)}
    archive = pack(tmp_path / "a.tar.gz", dict(texts))
    data = bytearray(archive.read_bytes())
    if damage == "flipped":
        data[len(data) // 2] ^= 0xFF
    archive.write_bytes({"cut": bytes(data[: len(data) // 2]), "flipped": bytes(data), "text": b"no archive"}[damage])
    (tmp_path / "ids").write_text("\n".join(str(i) for i in range(200)))
    with pytest.raises(ZooError):
        list(read_archive(source(), archive, tmp_path / "ids"))


def test_corpus_from_an_archive_on_a_server(tmp_path: Path) -> None:
    texts = {f"demo/nersuite/{i}.nersuite": nersuite(f"HeLa grew {i}. It died.", ("HeLa",)) for i in range(3)}
    archive = pack(tmp_path / "a.tar.gz", dict(texts)).read_bytes()
    commit = "0123456789" * 4
    with serve_files() as server:
        lists = {
            split: server.put(f"/{commit}/{split}", f"{i}\n".encode())
            for i, split in enumerate(("train", "dev", "test"))
        }
        box = server.put(f"/org/{commit}/a.tar.gz", archive)
        entry = CorpusEntry(
            id="demo",
            title="Demo",
            description="Made in this test.",
            format="conll",
            unit="sentence",
            types={"CL": "Cell_line"},
            license=LicenseInfo(spdx="CC0-1.0", source="this test", publishable=True),
            sources=(ArchiveSource(kind="archive", archive=box, member=MEMBER, documents=lists, split_sentences=True),),
        )
        corpus = load_corpus(
            entry, registry_folder=tmp_path, cache=tmp_path / "cache", options=FetchOptions(offline=False)
        )
    assert corpus.source == "127.0.0.1/org at commit 012345678901"
    assert [d.text for d in corpus.splits["dev"]] == ["HeLa grew 1 .", "It died ."]
    assert corpus.splits["test"][0].spans[0].key == (0, 4, "Cell_line")


def test_cll_from_its_archive_has_the_registered_fingerprints() -> None:
    """Runs where `zoo corpora fetch cll` has filled the cache."""
    entry = load_registry().corpus("cll")
    (origin,) = entry.sources
    assert isinstance(origin, ArchiveSource)
    cache = Settings.load().cache
    if not all(cached_path(file, cache).exists() for file in (origin.archive, *origin.documents.values())):
        pytest.skip("CLL is not in the cache")
    corpus = load_corpus(entry, registry_folder=PACKAGED, cache=cache, options=FetchOptions(offline=True))
    assert corpus.verified and not corpus.repairs
    assert {split: len(documents) for split, documents in corpus.splits.items()} == {
        "train": 127,
        "dev": 21,
        "test": 60,
    }
