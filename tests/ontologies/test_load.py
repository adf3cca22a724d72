"""Opening ontologies: own copies, downloads, the registered fingerprint, the lock."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.loopback_files import FileServer, Reply, serve_files
from tests.ontologies.reading import entry
from zoo.errors import ZooError
from zoo.ontologies.load import Ontology, fingerprint, open_ontology
from zoo.ontologies.sources import availability
from zoo.registry.loader import load_registry
from zoo.registry.lock import LOCK_FILE, read_lock
from zoo.settings import Settings

TABLE = b"id\tname\nX:1\tasthma\nX:2\tgout\n"
OBO = b"format-version: 1.2\ndata-version: 2.0\n\n[Term]\nid: X:7\nname: gout\n"
Open = Callable[..., Ontology]


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serve_files() as files:
        yield files


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("HF_HUB_OFFLINE", "ZOO_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return Settings(cache=tmp_path / "cache")


@pytest.fixture
def opened(tmp_path: Path, settings: Settings) -> Open:
    """Write an entry into a registry of one's own and open it."""

    def run(*, offline: bool = False, local: Path | None = None, **fields: Any) -> Ontology:
        folder = tmp_path / "registry" / "ontologies"
        folder.mkdir(parents=True, exist_ok=True)
        item = entry(**fields)
        (folder / f"{item.id}.yaml").write_text(yaml.safe_dump(item.model_dump(mode="json", exclude_defaults=True)))
        registry = load_registry(tmp_path / "registry")
        chosen = replace(settings, ontologies=local)
        return open_ontology(registry.ontology(item.id), registry, chosen, offline=offline)

    return run


def url(*addresses: str, **more: Any) -> list[dict[str, Any]]:
    return [{"kind": "url", "files": [{"url": address, **more} for address in addresses]}]


def test_the_bundled_ones_are_the_registered_ones(settings: Settings) -> None:
    registry = load_registry()
    for name in ("sample-diseases", "sample-chemicals"):
        ontology = open_ontology(registry.ontology(name), registry, settings, offline=True)
        assert ontology.verified and ontology.version == "1.0" and not ontology.repairs
        assert (len(ontology.concepts), ontology.names) == (ontology.entry.concepts, ontology.entry.names)
    assert not Path(LOCK_FILE).exists()


def test_a_file_without_a_known_hash_is_fetched_once_and_locked(opened: Open, server: FileServer) -> None:
    file = server.put("/codes/codes.tsv", TABLE)
    sources = url(file.url)
    ontology = opened(sources=sources, version="7")
    assert ontology.locked and ontology.version == "7" and ontology.source == "127.0.0.1/codes"
    item = read_lock(Path(LOCK_FILE)).ontologies["demo"]
    assert (item.concepts, item.names, item.version, item.fingerprint) == (2, 2, "7", ontology.fingerprint)
    assert item.files == {file.url: file.sha256}
    assert opened(sources=sources, version="7", offline=True).locked
    assert len(server.requests) == 1


def test_several_files_are_one_ontology(opened: Open, server: FileServer) -> None:
    first, second = server.put("/a.tsv", TABLE), server.put("/b.tsv.gz", gzip.compress(b"id\tname\nX:3\tmeasles\n"))
    ontology = opened(sources=url(first.url, second.url))
    assert [concept.name for concept in ontology.concepts] == ["asthma", "gout", "measles"]


def test_what_was_locked_is_demanded(opened: Open, server: FileServer, tmp_path: Path) -> None:
    sources = url(server.put("/codes.tsv", TABLE).url)
    opened(sources=sources)
    server.put("/codes.tsv", TABLE + b"X:3\tmeasles\n")
    for path in (tmp_path / "cache" / "files").glob("*/codes.tsv"):
        path.unlink()
    with pytest.raises(ZooError, match="not the locked one: 3 concepts") as error:
        opened(sources=sources)
    assert "zoo.lock.yaml: ontologies.demo" in str(error.value)


def test_a_pinned_file_must_be_what_it_was(opened: Open, server: FileServer) -> None:
    file = server.put("/codes.tsv", TABLE)
    assert opened(sources=url(file.url, sha256=file.sha256)).locked
    with pytest.raises(ZooError, match="not the registered one"):
        opened(id="other", sources=url(file.url, sha256="0" * 64))


def test_the_registered_fingerprint_is_demanded_of_every_source(opened: Open, server: FileServer) -> None:
    sources = url(server.put("/codes.tsv", TABLE).url)
    known = opened(sources=sources).fingerprint
    Path(LOCK_FILE).unlink()
    assert opened(sources=sources, fingerprint=known).verified and not Path(LOCK_FILE).exists()
    with pytest.raises(ZooError, match="not the registered one: fingerprint"):
        opened(sources=sources, fingerprint="0" * 64)


def test_the_next_source_is_asked_where_one_fails(opened: Open, server: FileServer) -> None:
    gone, there = server.put("/gone.tsv", TABLE, Reply(status=404)), server.put("/there.tsv", TABLE)
    assert opened(sources=url(gone.url) + url(there.url)).locked


def test_offline_says_how_to_go_on(opened: Open, server: FileServer) -> None:
    with pytest.raises(ZooError, match="demo is not on this machine: its files are not in the cache") as error:
        opened(sources=url(server.put("/codes.tsv", TABLE).url), offline=True)
    assert "ZOO_ONTOLOGIES" in str(error.value) and "ZOO_CORPORA" not in str(error.value)
    assert server.requests == []


def test_a_cut_download_is_no_ontology(opened: Open, server: FileServer, tmp_path: Path) -> None:
    file = server.put("/codes.tsv.gz", gzip.compress(TABLE)[:-8])
    with pytest.raises(ZooError, match="gzip data is damaged"):
        opened(sources=url(file.url))
    assert not Path(LOCK_FILE).exists()
    server.put("/codes.tsv.gz", gzip.compress(TABLE))
    assert opened(sources=url(file.url)).locked  # what was wrong is not kept


@pytest.mark.parametrize(
    ("name", "content"), [("demo.obo", OBO), ("demo.obo.gz", gzip.compress(OBO, mtime=0)), ("demo/release.obo", OBO)]
)
def test_an_own_copy_comes_first_in_any_format(opened: Open, tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / "own" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    ontology = opened(local=tmp_path / "own", fingerprint="0" * 64, version="1", sources=url("http://127.0.0.1:9/x"))
    assert ontology.source == "local copy (ZOO_ONTOLOGIES)" and ontology.version == "2.0"
    assert not ontology.verified and not Path(LOCK_FILE).exists()


def test_a_copy_that_says_no_version_is_told_by_its_fingerprint(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "demo.tsv").write_bytes(TABLE)
    ontology = opened(local=tmp_path / "own", version="2026")
    assert ontology.version == f"fingerprint {ontology.fingerprint[:12]}"


@pytest.mark.parametrize("name", ["demo@2012-07-06.tsv", "Demo@2012-07-06.TSV.gz", "demo@2012-07-06/anything.tsv"])
def test_the_name_of_a_copy_may_say_its_version(opened: Open, tmp_path: Path, name: str) -> None:
    path = tmp_path / "own" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(TABLE) if name.endswith("gz") else TABLE)
    (tmp_path / "own" / "demo-2.tsv").write_bytes(b"of another ontology")
    assert opened(local=tmp_path / "own").version == "2012-07-06"


def test_several_copies_are_refused(opened: Open, tmp_path: Path) -> None:
    for name in ("demo.tsv", "demo@2.obo"):
        (tmp_path / name).write_bytes(TABLE)
    with pytest.raises(ZooError, match=r"2 copies of the ontology demo: demo.tsv, demo@2.obo"):
        opened(local=tmp_path)


def test_no_such_folder_of_copies_and_no_source_at_all(opened: Open, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="ontologies folder"):
        opened(local=tmp_path / "nowhere")
    with pytest.raises(ZooError, match="demo is not on this machine") as error:
        opened(homepage="https://example.org/codes")
    assert "get it from https://example.org/codes" in str(error.value)


def test_availability(server: FileServer, opened: Open, tmp_path: Path, settings: Settings) -> None:
    sources = url(server.put("/codes.tsv", TABLE).url)
    remote = entry(sources=sources)

    def where(item: Any, local: Path | None = None) -> str:
        return availability(item, tmp_path, local, cache=settings.cache)

    assert where(remote) == "to fetch"
    opened(sources=sources)
    assert where(remote) == "in the cache"
    (tmp_path / "demo.tsv").write_bytes(TABLE)
    assert where(remote, tmp_path) == "local copy"
    assert where(entry(sources=[{"kind": "folder", "path": "demo.tsv"}])) == "local folder"
    assert where(entry(sources=[{"kind": "bundled", "path": "demo.tsv"}])) == "bundled"
    assert where(entry()) == "no source"


def test_the_fingerprint_is_that_of_all_that_concepts_have(opened: Open, tmp_path: Path) -> None:
    concepts = load_samples()
    known = fingerprint(concepts)
    assert fingerprint(reversed(concepts)) == known
    changes = {"name": "z", "synonyms": (), "parents": ("X:1",), "types": ("z",), "definition": "z", "id": "z"}
    for name, value in changes.items():
        assert fingerprint([replace(concepts[1], **{name: value}), concepts[0]]) != known  # type: ignore[arg-type]


def load_samples() -> list[Any]:
    registry = load_registry()
    return list(open_ontology(registry.ontology("sample-diseases"), registry, Settings(), offline=True).concepts[30:32])
