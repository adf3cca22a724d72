"""Files that earlier versions published are read, and so are those that a later version adds fields to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from zoo.board.details import matrices
from zoo.cards.check import check_card
from zoo.evaluation.latency import Latency
from zoo.evaluation.predictions import read_predictions
from zoo.evaluation.result import load_result
from zoo.evaluation.spans import Counts, total
from zoo.hub.manifest import file_record, read_manifest
from zoo.hub.verification import is_verified, read_figures, read_verification
from zoo.modeling.backbones import read_base_info

VERSIONS = sorted(path for path in (Path(__file__).parents[1] / "fixtures" / "published").iterdir() if path.is_dir())

MAPPINGS = (
    *("per_type", "documents", "mentions", "mentions_per_type", "examples", "repairs", "robustness", "energy_stages"),
    *("components_wh", "classes", "best_values", "importances", "recipe", "versions", "fingerprints", "files"),
)
"""Fields that are mappings of free names, not records."""


@pytest.fixture(params=VERSIONS, ids=lambda path: path.name)
def published(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture(params=[False, True], ids=["as-published", "of-a-later-version"])
def folder(published: Path, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The files as they are, and with a field in every object that no version has yet."""
    if not request.param:
        return published

    def grown(value: Any, name: str = "") -> Any:
        if isinstance(value, list):
            return [grown(item) for item in value]
        if not isinstance(value, dict):
            return value
        more = {} if name in MAPPINGS else {"of_a_later_version": {"x": [1]}}
        return {**{key: grown(item, "" if name in MAPPINGS else key) for key, item in value.items()}, **more}

    folder = tmp_path / "later"
    shutil.copytree(published, folder)
    for path in folder.rglob("*.json*"):
        lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
        path.write_text("\n".join(json.dumps(grown(json.loads(line))) for line in lines))
    return folder


def test_a_checkpoint(folder: Path) -> None:
    result = load_result(folder / "checkpoint" / "result.json")
    manifest = read_manifest((folder / "checkpoint" / "manifest.json").read_bytes(), "a")
    verification = read_verification((folder / "checkpoint" / "verification.json").read_bytes())
    assert result.checkpoint_id == manifest.subject == "tiny-bert/tiny"
    assert verification is not None and verification.passed and verification.content == manifest.content
    assert verification.measured == result.scores.test.counts == Counts(54, 0, 0)
    assert is_verified(folder / "checkpoint", result)
    assert len(verification.claims) == len(read_figures(folder / "checkpoint" / "README.md"))


def test_files_are_those_of_the_manifest(published: Path) -> None:
    for kind in ("checkpoint", "base"):
        manifest = read_manifest((published / kind / "manifest.json").read_bytes(), "a")
        here = {path.name: path for path in (published / kind).iterdir()}
        for name in set(manifest.files) & set(here):
            assert file_record(here[name]) == manifest.files[name]
        assert kind == manifest.kind and "README.md" in here


def test_cards_are_still_allowed(published: Path) -> None:
    check_card((published / "base" / "README.md").read_text())
    result = load_result(published / "checkpoint" / "result.json")
    check_card((published / "checkpoint" / "README.md").read_text(), result)


def test_a_base(folder: Path) -> None:
    info = read_base_info(folder / "base")
    assert info["fingerprint"] == load_result(folder / "checkpoint" / "result.json").fingerprints["base"]


def test_an_output_folder(folder: Path) -> None:
    builds = folder / "output"
    result, latency = load_result(builds / "result.json"), Latency.of_folder(builds)
    assert result.dapt is not None and result.tune is not None and result.corpus == "sample-disease"
    assert result.scores.test.per_type["Disease"].ci95 is not None
    assert latency is not None and latency.documents == 5
    lines = read_predictions(builds)
    assert len(lines) == 3 and total(line.counts for line in lines).tp > 0
    cross = matrices([builds])["cross"]
    assert [cell["status"] for cell in cross["cells"]].count("comparable") == 2
