"""Corpora in a zip or tar archive with one file a split: which fold is read, and what is said of one that is not."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from tests.in_process import Zoo
from tests.loopback_files import FileServer, Reply, serve_files
from zoo.corpora.load import Corpus, load_corpus
from zoo.corpora.retry import FetchOptions
from zoo.corpora.sources import availability
from zoo.errors import ZooError
from zoo.registry.loader import load_registry
from zoo.registry.lock import LOCK_FILE, read_lock
from zoo.registry.schema import SPLITS, CorpusEntry, PackedSource

HUB_PATH = "/datasets/bigbio/progene/resolve/38dbd2419b1412254844ec024938548134f59dec/data/crossvalidation_data.zip"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serve_files() as files:
        yield files


def columns(fold: int, split: str, kind: str = "protein") -> bytes:
    """As the files of ProGene are laid out: token, tab, tag; blank lines between sentences."""
    return f"p53\tB-{kind}\nbinds\tO\n{split}{fold}\tO\n\nNothing\tO\n\nMAP\tB-{kind}\nkinase\tI-{kind}\n".encode()


def members(folds: int = 10, kind: str = "protein") -> dict[str, bytes]:
    return {
        f"crossvalidation_data/flairSplit{fold}/{split}.txt": columns(fold, split, kind)
        for fold in range(folds)
        for split in SPLITS
    }


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def tarred(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def fsu(server: FileServer, content: bytes, *replies: Reply, **source: Any) -> CorpusEntry:
    """The packaged entry with its archive on the server."""
    entry = load_registry().corpus("fsu")
    first = entry.sources[0]
    assert isinstance(first, PackedSource)
    changed = first.model_dump() | {"archive": server.put(HUB_PATH, content, *replies).model_dump()} | source
    return CorpusEntry.model_validate({**entry.model_dump(), "sources": [changed]})


def load(entry: CorpusEntry, tmp_path: Path, **options: Any) -> Corpus:
    given = FetchOptions(offline=False, attempts=2, sleep=lambda seconds: None, **options)
    return load_corpus(entry, registry_folder=tmp_path, cache=tmp_path / "cache", options=given)


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_fold_0_is_ours_and_the_others_are_there(pack: Any, server: FileServer, tmp_path: Path) -> None:
    content = pack(members())
    corpus = load(fsu(server, content), tmp_path)
    assert corpus.fetched and not corpus.repairs
    assert "datasets/bigbio/progene at commit 38dbd2419b14, fold 0 of 10" in corpus.source
    for split in SPLITS:
        first, second, third = corpus.splits[split]
        assert (first.id, first.text) == (f"{split}-1", f"p53 binds {split}0")
        assert [span.key for span in first.spans] == [(0, 3, "Gene")] and not second.spans
        assert [third.text[span.start : span.end] for span in third.spans] == ["MAP kinase"]
    other = load(fsu(server, content, fold=9), tmp_path)
    assert other.splits["test"][0].text == "p53 binds test9" and "fold 9 of 10" in other.source
    assert len(server.requests) == 1, "both folds are in one archive"
    assert (
        availability(fsu(server, content), {"corpora/fsu": tmp_path}, None, cache=tmp_path / "cache") == "in the cache"
    )


def test_what_the_classes_are_called_does_not_matter_and_is_counted(server: FileServer, tmp_path: Path) -> None:
    corpus = load(
        fsu(
            server,
            zipped(members(1, "Gene-or-protein")),
            member="crossvalidation_data/flairSplit0/{split}.txt",
            folds=1,
        ),
        tmp_path,
    )
    assert {span.type for document in corpus.splits["dev"] for span in document.spans} == {"Gene"}
    assert corpus.repairs == {"mention of the type Gene-or-protein, which the entry does not name, read as Gene": 6}


def test_an_interrupted_archive_is_resumed(server: FileServer, tmp_path: Path) -> None:
    content = zipped(members())
    load(fsu(server, content, Reply(cut_after=500)), tmp_path)
    assert server.ranges(HUB_PATH) == [None, "bytes=500-"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (zipped({"crossvalidation_data/flairSplit0/train.txt": columns(0, "train")}), "no file .*flairSplit0/dev.txt"),
        (zipped(members())[:-30], "the archive is damaged"),
        (tarred(members())[:300], "the archive is damaged"),
        (b"neither zip nor tar", "the archive is damaged"),
        (zipped(members() | {"crossvalidation_data/flairSplit0/dev.txt": b"word\n"}), "expected a token and a tag"),
    ],
)
def test_a_bad_archive_is_one_error_with_the_place(
    content: bytes, words: str, server: FileServer, tmp_path: Path
) -> None:
    with pytest.raises(ZooError, match=words) as error:
        load(fsu(server, content), tmp_path)
    assert "crossvalidation_data.zip" in str(error.value) and "zoo-split-" not in str(error.value)


@pytest.mark.parametrize(
    "changes", [{"fold": 10}, {"fold": -1}, {"folds": 1}, {"member": "data/{split}.txt"}, {"member": "data/{fold}.txt"}]
)
def test_folds_that_are_none_are_refused(changes: dict[str, Any], server: FileServer) -> None:
    with pytest.raises(ValidationError):
        fsu(server, b"", **changes)


def test_the_hub_s_mirror_is_hf_endpoint_and_the_first_fetch_is_locked(
    zoo: Zoo, server: FileServer, tmp_path: Path
) -> None:
    """The packaged entry, with the hash of a small archive: what a user types, from first fetch to a changed fold."""
    registry, content = tmp_path / "registry", zipped(members())
    entry = fsu(server, content).model_dump(mode="json", exclude_defaults=True)
    entry["sources"][0]["archive"]["url"] = f"https://huggingface.co{HUB_PATH}"
    (registry / "corpora").mkdir(parents=True)

    def fetch(check: int | None = 0, **source: Any) -> Any:
        entry["sources"][0] |= source
        (registry / "corpora" / "fsu.yaml").write_text(yaml.safe_dump(entry))
        env = {"HF_ENDPOINT": f"{server.url}/", "HF_HUB_OFFLINE": "0", "ZOO_CACHE": str(tmp_path / "cache")}
        return zoo("corpora", "fetch", "fsu", "--registry", registry, "--json", check=check, **env)

    (row,) = json.loads(fetch().stdout)
    assert (row["status"], row["documents"], row["mentions"]) == ("locked", 9, 6)
    assert (
        row["source"] == "huggingface.co/datasets/bigbio/progene at commit 38dbd2419b14, fold 0 of 10 (counted from 0)"
    )
    locked = read_lock(tmp_path / LOCK_FILE).corpora["fsu"]
    assert locked.source == row["source"]
    assert [(s.documents, s.tokens, s.mentions) for s in locked.splits.values()] == [(3, 6, 2)] * 3
    before = (tmp_path / LOCK_FILE).read_bytes()
    assert json.loads(fetch().stdout) == [row] and (tmp_path / LOCK_FILE).read_bytes() == before
    done = fetch(check=2, fold=3)
    for words in (
        "the train split of fsu is not the locked one",
        "fold 3 of 10",
        "fold 0 of 10",
        "zoo.lock.yaml: corpora.fsu",
    ):
        assert words in done.stderr, done.stderr
    assert (tmp_path / LOCK_FILE).read_bytes() == before
    (tmp_path / LOCK_FILE).unlink()
    assert json.loads(fetch(fold=3).stdout)[0]["source"].endswith("fold 3 of 10 (counted from 0)")


def test_a_local_copy_is_held_to_the_lock_and_never_added_to_it(zoo: Zoo, server: FileServer, tmp_path: Path) -> None:
    for split in SPLITS:
        (tmp_path / "mine" / "fsu").mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / "fsu" / f"{split}.tsv").write_bytes(columns(0, split))
    local = {"ZOO_CORPORA": str(tmp_path / "mine")}
    zoo("corpora", "show", "fsu", **local)
    assert not (tmp_path / LOCK_FILE).exists()
    corpus = load(fsu(server, zipped(members())), tmp_path)
    item = {"source": corpus.source, "splits": {s: {"fingerprint": f} for s, f in corpus.fingerprints.items()}}
    (tmp_path / LOCK_FILE).write_text(yaml.safe_dump({"corpora": {"fsu": item}}))
    zoo("corpora", "show", "fsu", **local)
    (tmp_path / "mine" / "fsu" / "test.tsv").write_bytes(columns(1, "test"))
    done = zoo("corpora", "show", "fsu", check=2, **local)
    assert "the test split of fsu is not the locked one" in done.stderr and "local copy" in done.stderr


def test_a_locked_corpus_is_planned_without_its_files(zoo: Zoo, server: FileServer, tmp_path: Path) -> None:
    before = zoo("plan", "minilm-l6/fsu", check=None, ZOO_CACHE="empty").stdout
    assert "fsu is not on this machine" in before
    corpus = load(fsu(server, zipped(members())), tmp_path)
    item = {"source": corpus.source, "splits": {s: {"fingerprint": f} for s, f in corpus.fingerprints.items()}}
    (tmp_path / LOCK_FILE).write_text(yaml.safe_dump({"corpora": {"fsu": item}}))
    plan = json.loads(zoo("plan", "minilm-l6/fsu", "--json", check=None, ZOO_CACHE="empty").stdout)
    assert {stage["kind"] for stage in plan["stages"]} >= {"base", "train", "evaluate"}
