"""Where a corpus comes from: ZOO_CORPORA first, then the entry's sources in order, each to the same documents."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.loopback_files import FileServer, Reply, serve_files
from zoo.corpora.document import count_mentions, count_tokens
from zoo.corpora.download import cached_path
from zoo.corpora.load import Corpus, load_corpus
from zoo.corpora.retry import FetchOptions
from zoo.corpora.sources import availability
from zoo.errors import ZooError
from zoo.files import git_blob_sha1
from zoo.registry.loader import load_registry
from zoo.registry.schema import SPLITS, ArchiveSource, CorpusEntry, RemoteFile, UrlSource

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    split: f"Aspirin\tB-Chemical\nin\tO\n{split}\tO\n\nNothing\tO\n".encode() for split in ("train", "dev", "test")
}


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serve_files() as files:
        yield files


def entry(*sources: dict[str, Any], **changes: Any) -> CorpusEntry:
    data = {
        "id": "demo",
        "title": "Demo",
        "description": "Made in this test.",
        "format": "conll",
        "unit": "sentence",
        "types": {"Chemical": "Chemical"},
        "license": {"spdx": "CC0-1.0", "source": "this test", "publishable": True},
        "sources": sources,
    }
    return CorpusEntry.model_validate(data | changes)


def url_source(server: FileServer, *replies: Reply) -> dict[str, Any]:
    """Files as some homes name them: dev is `devel.tsv`."""
    names = {"train": "train.tsv", "dev": "devel.tsv", "test": "test.tsv"}
    files = {split: server.put(f"/org/{COMMIT}/{names[split]}", FILES[split], *replies).model_dump() for split in names}
    return {"kind": "url", "files": files}


def write_local(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for split, content in FILES.items():
        (folder / f"{split}.tsv").write_bytes(content)
    return folder


def load(corpus: CorpusEntry, tmp_path: Path, local: Path | None = None, offline: bool = False) -> Corpus:
    options = FetchOptions(offline=offline, attempts=2, sleep=lambda seconds: None)
    return load_corpus(corpus, registry_folder=tmp_path, local=local, cache=tmp_path / "cache", options=options)


def test_url_source_is_fetched_and_named(server: FileServer, tmp_path: Path) -> None:
    corpus = load(entry(url_source(server)), tmp_path)
    assert corpus.source == "127.0.0.1/org at commit 0123456789ab"
    assert str(tmp_path) not in corpus.source
    assert corpus.splits["test"][0].text == "Aspirin in test"
    assert [document.id for document in corpus.splits["dev"]] == ["dev-1", "dev-2"]
    again = load(entry(url_source(server)), tmp_path, offline=True)
    assert again.fingerprints == corpus.fingerprints
    assert len(server.requests) == 3


def test_splits_may_be_parts_of_one_file(server: FileServer, tmp_path: Path) -> None:
    mention = {"start": 0, "end": 7, "type": "Chemical", "fragments": [[0, 3], [2, 7]]}  # it is mended, and counted
    lines = [json.dumps({"id": str(n), "text": "Aspirin", "spans": [mention] if n in (1, 4) else []}) for n in range(5)]
    file = server.put("/both.jsonl", "\n".join(lines).encode()).model_dump()
    source = {"kind": "url", "files": dict.fromkeys(SPLITS, file)}
    source["documents"] = {"train": [0, 3], "dev": [3, 5], "test": [4, 9]}
    corpus = load(entry(source, format="jsonl"), tmp_path)
    assert ["".join(d.id for d in corpus.splits[split]) for split in SPLITS] == ["012", "34", "4"]
    assert list(corpus.repairs.values()) == [3], "what is mended before a part is not counted again"
    assert len(server.requests) == 1
    source["documents"] = {"dev": [9, 12]}
    with pytest.raises(ZooError, match="no document"):
        load(entry(source, format="jsonl"), tmp_path)


def test_types_are_left_out_and_counted(server: FileServer, tmp_path: Path) -> None:
    corpus = load(entry(url_source(server), types={"Gene": "Gene"}, left_out=["Chemical"]), tmp_path)
    assert not any(document.spans for document in corpus.splits["train"])
    assert corpus.repairs == {"mention of the type Chemical, which the entry leaves out": 3}


def test_all_sources_yield_the_same_fingerprints(server: FileServer, tmp_path: Path) -> None:
    write_local(tmp_path / "data")
    fetched = load(entry(url_source(server)), tmp_path)
    folder = load(entry({"kind": "folder", "path": "data"}), tmp_path)
    local = load(entry(), tmp_path, local=write_local(tmp_path / "corpora" / "demo").parent)
    assert fetched.fingerprints == folder.fingerprints == local.fingerprints
    assert [c.source for c in (folder, local)] == ["local folder", "local copy (ZOO_CORPORA)"]
    ids = [[document.id for document in corpus.splits["dev"]] for corpus in (fetched, folder, local)]
    assert ids[0] == ids[1] == ids[2]


def test_local_copies_come_before_all_sources(server: FileServer, tmp_path: Path) -> None:
    local = write_local(tmp_path / "corpora" / "demo").parent
    assert load(entry(url_source(server)), tmp_path, local=local).source == "local copy (ZOO_CORPORA)"
    assert server.requests == []
    other = tmp_path / "others"
    other.mkdir()
    assert load(entry(url_source(server)), tmp_path, local=other).source.startswith("127.0.0.1")


def test_a_missing_corpora_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="does not exist"):
        load(entry(), tmp_path, local=tmp_path / "nowhere")


def test_the_next_source_steps_in(server: FileServer, tmp_path: Path) -> None:
    write_local(tmp_path / "data")
    gone = url_source(server, Reply(status=404))
    corpus = load(entry({"kind": "folder", "path": "nowhere"}, gone, {"kind": "folder", "path": "data"}), tmp_path)
    assert corpus.source == "local folder"
    assert len(server.requests) == 1


def test_the_first_failure_is_told(server: FileServer, tmp_path: Path) -> None:
    gone = url_source(server, Reply(status=404))
    with pytest.raises(ZooError, match=r"the corpus demo is not on this machine: .* HTTP 404") as error:
        load(entry(gone, {"kind": "folder", "path": "nowhere"}), tmp_path)
    assert "train.tsv" in str(error.value)
    with pytest.raises(ZooError, match="is not on this machine") as error:
        load(entry(), tmp_path)
    assert "ZOO_CORPORA" in str(error.value)


def test_a_registered_fingerprint_is_checked_whatever_the_source(server: FileServer, tmp_path: Path) -> None:
    good = load(entry(url_source(server)), tmp_path)
    splits = {split: {"fingerprint": good.fingerprints[split]} for split in SPLITS}
    assert load(entry(url_source(server), splits=splits), tmp_path).verified
    splits["dev"] = {"fingerprint": "0" * 64}
    with pytest.raises(ZooError, match="the dev split of demo is not the registered one") as error:
        load(entry(url_source(server), splits=splits), tmp_path)
    assert "127.0.0.1/org" in str(error.value)


def test_a_source_without_a_split(server: FileServer, tmp_path: Path) -> None:
    source = url_source(server)
    del source["files"]["dev"]
    with pytest.raises(ZooError, match="has no dev split"):
        load(entry(source), tmp_path)


def test_an_archive_needs_columns(server: FileServer, tmp_path: Path) -> None:
    file = server.put("/a.tar.gz", b"").model_dump()
    source = {"kind": "archive", "archive": file, "member": "{id}.xml", "documents": {"train": file}}
    with pytest.raises(ZooError, match="read as columns"):
        load(entry(source, format="bioc"), tmp_path)


def test_availability(server: FileServer, tmp_path: Path) -> None:
    cache, folders = tmp_path / "cache", {"corpora/demo": tmp_path}
    web = entry(url_source(server))
    assert availability(entry(), folders, None, cache=cache) == "no source"
    assert availability(web, folders, None, cache=cache) == "to fetch"
    load(web, tmp_path)
    assert availability(web, folders, None, cache=cache) == "in the cache"
    assert availability(entry({"kind": "bundled", "path": "x"}), folders, None, cache=cache) == "bundled"
    folder = entry({"kind": "folder", "path": "data"})
    assert availability(folder, folders, None, cache=cache) == "no source"
    write_local(tmp_path / "data")
    assert availability(folder, folders, None, cache=cache) == "local folder"
    local = write_local(tmp_path / "corpora" / "demo").parent
    assert availability(web, folders, local, cache=cache) == "local copy"


HUB_CHILD = """
import json, sys
from pathlib import Path
from zoo.corpora.load import load_corpus
from zoo.corpora.sources import availability
from zoo.errors import ZooError
from zoo.registry.schema import CorpusEntry
entry, folder = CorpusEntry(**json.loads(sys.argv[1])), Path(sys.argv[2])
try:
    corpus = load_corpus(entry, registry_folder=folder, cache=folder)
except ZooError as error:
    print("ZooError", error)
else:
    rows = [[d.id, d.text, [s.key for s in d.spans]] for d in corpus.splits["dev"]]
    print(json.dumps([corpus.source, rows, availability(entry, {"corpora/demo": folder}, None, cache=folder)]))
"""


def test_hub_source_goes_through_the_real_client(server: FileServer, tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    source = {
        "kind": "hub",
        "dataset": "org/demo",
        "revision": COMMIT,
        "files": {split: f"data/{split}-00000-of-00001.parquet" for split in SPLITS},
        "tag_names": ["O", "B-Chemical", "I-Chemical"],
    }
    for split, name in source["files"].items():  # type: ignore[attr-defined]
        table = pyarrow.table({"tokens": [["Took", "acetic", "acid", split]], "ner_tags": [[0, 1, 2, 0]]})
        parquet.write_table(table, tmp_path / "file")
        path = f"/datasets/org/demo/resolve/{COMMIT}/{name}"
        server.put(path, (tmp_path / "file").read_bytes())
        server.headers[path] = {"ETag": f'"{split}"', "X-Repo-Commit": COMMIT}
    corpus = entry(source, format="parquet").model_dump_json()
    env = {k: v for k, v in os.environ.items() if not k.startswith("ZOO_")}
    env |= {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "0"}
    env |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

    def run(**changes: str) -> str:
        command = [sys.executable, "-c", HUB_CHILD, corpus, str(tmp_path)]
        done = subprocess.run(command, env=env | changes, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    expected = [["dev-1", "Took acetic acid dev", [[5, 16, "Chemical"]]]]
    told = run(HF_HUB_OFFLINE="1")
    assert told.startswith("ZooError") and "the Hub is out of reach" in told and "ZOO_CORPORA" in told
    assert json.loads(run()) == ["huggingface.co/datasets/org/demo@0123456789ab", expected, "in the cache"]
    requests = len(server.requests)
    assert json.loads(run(HF_HUB_OFFLINE="1"))[1] == expected
    assert json.loads(run(ZOO_OFFLINE="1"))[1] == expected
    assert len(server.requests) == requests
    server.files.clear()
    for headers in server.headers.values():
        headers["X-Error-Code"] = "EntryNotFound"  # what the Hub says of a file that is not there
    assert "the Hub refuses data/train" in run(HF_HOME=str(tmp_path / "other"))


def test_every_packaged_source_is_pinned_to_a_commit_and_complete() -> None:
    known = {"cll", "gellus"}
    for corpus in load_registry().corpora.values():
        for source in corpus.sources:
            files: list[RemoteFile] = []
            if isinstance(source, ArchiveSource):
                files = [source.archive, *source.documents.values()]
                assert set(source.documents) == set(SPLITS) and "{id}" in source.member
                known.discard(corpus.id)
            elif source.kind == "url":
                files = [*source.files.values(), *(file for more in source.layers.values() for file in more)]
                assert set(source.files) == set(SPLITS)
            for file in files:
                assert any(len(part) == 40 for part in re.split(r"/|\.zip$", file.url)), file.url
                assert file.git_blob_sha1 or file.git_trees
    assert not known


@pytest.mark.parametrize("name", ["ncbi-disease", "linnaeus", "bionlp2013-cg"])
def test_real_files_from_the_cache_have_the_registered_fingerprints(
    name: str, shared_data: Path, tmp_path: Path
) -> None:
    corpus = load_registry().corpus(name)
    (source,) = corpus.sources
    assert isinstance(source, UrlSource)
    for split, file in source.files.items():
        target = cached_path(file, tmp_path / "cache")
        target.parent.mkdir(parents=True)
        target.write_bytes(gzip.decompress((shared_data / "corpora" / name / f"{split}.tsv.gz").read_bytes()))
        assert git_blob_sha1(target) == file.git_blob_sha1
    loaded = load(corpus, tmp_path, offline=True)
    assert loaded.verified and loaded.source.endswith("at commit df0df02fae6d")
    assert loaded.splits["dev"][0].id == "dev-1"
    for split, info in corpus.splits.items():
        documents = loaded.splits[split]
        assert (len(documents), count_tokens(documents), count_mentions(documents)) == (
            info.documents,
            info.tokens,
            info.mentions,
        )
