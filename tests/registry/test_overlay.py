"""Writing into a user's registry folder: whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.errors import ZooError
from zoo.registry.loader import load_registry
from zoo.registry.overlay import publish_corpus, staging
from zoo.registry.schema import CorpusEntry, EntityType, LicenseInfo

NEW = [EntityType(name="Drug", description="as annotated: # here, 'quoted'")]


def entry(**types: str) -> CorpusEntry:
    return CorpusEntry(
        id="demo",
        title="Demo",
        description="Made in this test.",
        format="jsonl",
        unit="document",
        types=types or {"Drug": "Drug"},
        license=LicenseInfo(spdx="CC0-1.0", source="this test", publishable=True),
    )


def splits(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "train.jsonl").write_text("{}\n")
    return folder


def test_a_failure_leaves_no_folder_behind(tmp_path: Path) -> None:
    with pytest.raises(ZooError), staging(tmp_path / "a" / "registry") as folder:
        (folder / "file").write_text("private")
        raise ZooError("refused")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_an_existing_folder_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(ZooError), staging(tmp_path) as folder:
        assert folder.parent == tmp_path
        raise ZooError("refused")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_what_is_published_is_what_the_registry_reads(tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    registry.mkdir()
    path = publish_corpus(entry(), splits(tmp_path / "staged"), registry, NEW)
    assert path == registry / "corpora" / "demo.yaml"
    found = load_registry(registry)
    assert found.corpus("demo") == entry() and found.labels.types[-1] == NEW[0]
    assert (registry / "splits" / "demo" / "train.jsonl").read_text() == "{}\n"
    assert not list(registry.rglob(".*"))


def test_no_entry_and_no_splits_where_the_label_space_cannot_be_written(tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    (registry / "labels.yaml").mkdir(parents=True)
    with pytest.raises((OSError, ZooError)):
        publish_corpus(entry(), splits(tmp_path / "staged"), registry, NEW)
    assert not [path for path in registry.rglob("*") if path.is_file()]
    assert not (registry / "splits" / "demo").exists()
