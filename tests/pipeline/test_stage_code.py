"""A stage's version cannot be forgotten: the code that it runs is recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import confirm_code


def test_the_code_of_each_stage_is_the_recorded_one() -> None:
    found = confirm_code.complaints()
    assert not found, "\n".join(found)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the source, with its own record."""
    import shutil

    shutil.copytree(
        confirm_code.ROOT / "zoo",
        tmp_path / "zoo",
        ignore=lambda _, names: [
            name for name in names if (not name.endswith(".py") and "." in name) or name == "__pycache__"
        ],
    )
    monkeypatch.setattr(confirm_code, "ROOT", tmp_path)
    monkeypatch.setattr(confirm_code, "RECORD", tmp_path / "record.json")
    (tmp_path / "record.json").write_text(json.dumps(confirm_code.current()))
    return tmp_path / "zoo"


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


@pytest.mark.parametrize(
    ("module", "stages"),
    [
        ("training/finetune.py", {"tune", "train"}),
        ("training/dapt.py", {"dapt", "base"}),
        ("evaluation/robustness.py", {"evaluate"}),
        ("modeling/windows.py", {"dapt", "base", "tune", "train", "evaluate"}),
        ("passages/mixture.py", {"dapt"}),
        ("pipeline/stages/train.py", {"train"}),
        ("cards/render.py", set()),
        ("pipeline/store.py", set()),
    ],
)
def test_other_code_names_the_stages_that_run_it(tree: Path, module: str, stages: set[str]) -> None:
    append(tree / module, "\n\n# A comment.\n'''A text.'''\n")
    assert confirm_code.complaints() == []
    append(tree / module, "\n_ADDED = 1\n")
    found = {line.partition(":")[0] for line in confirm_code.complaints()}
    assert found >= stages
    assert found == stages or module == "modeling/windows.py"


def test_a_raised_version_is_to_be_recorded(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo.pipeline.stages import stage_kind

    monkeypatch.setattr(type(stage_kind("train")), "code", 99)
    assert confirm_code.complaints() == [f"train: version 99 is not recorded; run {confirm_code.COMMAND}"]
