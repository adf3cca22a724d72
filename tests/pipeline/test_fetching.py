"""Passages that are fetched: what a plan says before, what a build does, and that another machine gets the same key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.builds import write_registry
from tests.passages.homes import Homes, abstract, serve_homes
from zoo.errors import ZooError
from zoo.passages.mixture import passages_fingerprint
from zoo.pipeline.context import Context
from zoo.pipeline.fetching import with_fetching
from zoo.pipeline.plan import chain, inspect, make_plan
from zoo.pipeline.progress import Reporter
from zoo.pipeline.stage import Job, Stage
from zoo.pipeline.stages.base import is_canonical
from zoo.pipeline.stages.dapt import KIND as DAPT
from zoo.pipeline.stages.dapt import NOT_FETCHED, _days
from zoo.registry.loader import load_registry
from zoo.settings import Settings

ID = "tiny-bert/tiny"
TABLE = "ID,text\n" + "".join(f"{number},{abstract(number)}\n" for number in range(40))


@pytest.fixture
def homes() -> Iterator[Homes]:
    with serve_homes() as served:
        served.notes["/notes.csv"] = TABLE.encode()
        yield served


@pytest.fixture
def registry(tmp_path: Path, homes: Homes) -> Path:
    for family in ("bert", "electra", "roberta"):
        folder = tmp_path / "models" / family
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(family.encode())
    written = write_registry(tmp_path / "registry", tmp_path / "models")
    pin = hashlib.sha256(TABLE.encode()).hexdigest()
    (written / "passages" / "far.yaml").write_text(
        f"""id: far
title: Far away
license: {{spdx: CC0-1.0, source: tests, publishable: true}}
sources:
  - kind: notes-csv
    files: [{{name: far, url: {homes.url}/notes.csv, sha256: {pin}, text_column: text, id_column: ID, source: x}}]
"""
    )
    return written


class Told(Reporter):
    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def note(self, stage: str, text: str) -> None:
        self.lines.append((stage, text))

    def done(self, stage: str, outcome: str) -> None:
        self.lines.append((stage, outcome))


@pytest.fixture
def context(registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    return Context(load_registry(registry), Settings.load())


def dapt_stage(context: Context, **settings: Any) -> Stage:
    checkpoint = context.registry.checkpoint(ID, {"dapt.passages": ["far"], **settings})
    plan = make_plan([checkpoint], context)
    for error in plan.unreadable.values():
        raise error
    return chain(plan.last[ID])["dapt"]


def test_a_plan_names_the_stages_though_nothing_is_fetched(context: Context, homes: Homes) -> None:
    checkpoint = context.registry.checkpoint(ID, {"dapt.passages": ["far"]})
    plan = make_plan([checkpoint], context)
    assert [status.stage.kind for status in inspect(plan, context)] == ["dapt", "base", "tune", "train", "evaluate"]
    assert dapt_stage(context).key["passages"] == {"far": NOT_FETCHED}
    assert not plan.unreadable and not homes.asked and not Path("cache").exists()
    assert not is_canonical(chain(plan.last[ID])["base"], context)


def test_what_a_build_plans_is_what_the_lock_says(context: Context, homes: Homes) -> None:
    told = Told()
    stage = dapt_stage(with_fetching(context, told))
    entry = context.registry.passage("far")
    assert stage.key["passages"] == passages_fingerprint([entry], folders=context.registry.folders)
    assert told.lines == [("passages far", "fetches notes.csv"), ("passages far", told.lines[1][1])]
    assert told.lines[1][1].startswith("40 passages of 20")
    assert _days(stage.checkpoint.recipe.dapt, context).keys() == {"far"}
    Path("cache").rename("gone")
    fresh = Context(context.registry, context.settings)
    assert dapt_stage(fresh).fingerprint == stage.fingerprint, "another machine, with the lock alone"
    assert len(homes.asked) == 1


def test_passages_that_cannot_be_had_stop_their_checkpoints_alone(context: Context, homes: Homes) -> None:
    homes.notes.clear()
    checkpoints = [context.registry.checkpoint(ID, {"dapt.passages": names}) for names in (["far"], [])]
    fetching = with_fetching(context)
    assert "not there any more" in str(make_plan(checkpoints[:1], fetching).unreadable[ID])
    assert not make_plan(checkpoints[1:], fetching).unreadable
    assert len(homes.asked) == 1, "asked once, however many need them"


def test_a_stage_does_not_run_on_other_passages_than_planned(context: Context, tmp_path: Path) -> None:
    stage = dapt_stage(context)
    with pytest.raises(ZooError, match="not those of the plan"):
        DAPT.run(Job(stage, context, tmp_path, _silent(), lambda: None))


def _silent() -> Any:
    from zoo.pipeline.progress import StageProgress

    return StageProgress()
