"""The schedule: order, and how far a failure reaches; what a run makes of failures."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests import records
from tests.pipeline.test_plan import IDS, planned, registry
from zoo.cli import app
from zoo.errors import ZooError
from zoo.pipeline import run as module
from zoo.pipeline.context import Context
from zoo.pipeline.progress import Reporter
from zoo.pipeline.schedule import Failure, Schedule
from zoo.pipeline.stage import Stage

__all__ = ["registry"]


def named(stage: Stage) -> str:
    return f"{stage.kind} {stage.name}"


def run_all(schedule: Schedule, fails: Callable[[Stage], bool]) -> list[str]:
    """Run stages one by one; some fail."""
    order = []
    while (stage := schedule.take()) is not None:
        order.append(named(stage))
        if fails(stage):
            schedule.failed(stage, Failure(stage.id, f"{stage.kind} is broken"))
        else:
            schedule.done(stage)
    assert not schedule.unfinished
    return order


def test_a_stage_waits_for_its_inputs(registry: Path) -> None:
    plan, _ = planned(registry)
    done: list[str] = []
    schedule = Schedule(tuple(reversed(plan.stages)), lambda stage: done.append(named(stage)))
    running = []
    while (stage := schedule.take()) is not None:
        running.append(stage)
    assert {named(stage) for stage in running} == {"dapt tiny-bert", "base tiny-electra"}, "what needs nothing"
    dapt = next(stage for stage in running if stage.kind == "dapt")
    schedule.done(dapt)
    following = schedule.take()
    assert following is not None
    assert named(following) == "base tiny-bert"
    assert schedule.take() is None
    assert done == ["dapt tiny-bert"]
    assert schedule.unfinished


def test_an_input_that_is_not_to_be_run_is_done(registry: Path) -> None:
    plan, _ = planned(registry)
    schedule = Schedule([stage for stage in plan.stages if stage.kind == "evaluate"])
    assert len(run_all(schedule, lambda stage: False)) == 3


@pytest.mark.parametrize(
    ("broken", "lost"),
    [
        ("tune tiny-bert/tiny", {"tune tiny-bert/tiny", "train tiny-bert/tiny", "evaluate tiny-bert/tiny"}),
        ("evaluate tiny-bert/other", {"evaluate tiny-bert/other"}),
        ("base tiny-electra", {"base tiny-electra", "train tiny-electra/other", "evaluate tiny-electra/other"}),
        (
            "dapt tiny-bert",
            {"dapt tiny-bert", "base tiny-bert", "tune tiny-bert/tiny"}
            | {f"{kind} tiny-bert/{corpus}" for kind in ("train", "evaluate") for corpus in ("tiny", "other")},
        ),
    ],
)
def test_a_failure_stops_what_depends_on_it_and_nothing_else(registry: Path, broken: str, lost: set[str]) -> None:
    plan, _ = planned(registry)
    done: list[str] = []
    schedule = Schedule(plan.stages, lambda stage: done.append(named(stage)))
    order = run_all(schedule, lambda stage: named(stage) == broken)
    assert sorted(done) == sorted({named(stage) for stage in plan.stages} - lost)
    assert sorted(order) == sorted([*done, broken]), "what depends on it is not tried"
    failed = {named(stage): schedule.failures.get(stage.fingerprint) for stage in plan.stages}
    assert {name for name, failure in failed.items() if failure} == lost
    assert {failure.stage.rpartition(" ")[0] for failure in schedule.failures.values()} == {broken}


class PlayedEngine:
    """Does no work; some stages fail."""

    def __init__(self, *broken: str) -> None:
        self.broken = broken

    def run(self, schedule: Schedule, context: Context, reporter: Reporter) -> None:
        run_all(schedule, lambda stage: named(stage) in self.broken)


@pytest.fixture
def assembles(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Checkpoints assembled, in place of what assembling does."""
    found: list[str] = []

    def assemble(last: Stage, context: Context, others: object, linking: object) -> object:
        found.append(last.name)
        return records.result(checkpoint_id=last.name)

    monkeypatch.setattr(module, "assemble", assemble)
    monkeypatch.setattr(module, "refresh_board", lambda out, registry: None)
    return found


def run(registry: Path, engine: PlayedEngine, *, keep_going: bool = True) -> tuple[module.Outcome, Context]:
    plan, context = planned(registry)
    outcome = module.run(plan.checkpoints, context, engine, keep_going=keep_going, reporter=Reporter())
    return outcome, context


def test_failures_are_written_down_until_a_run_goes_well(registry: Path, assembles: list[str]) -> None:
    outcome, context = run(registry, PlayedEngine("tune tiny-bert/tiny"))
    assert sorted(assembles) == sorted(IDS[1:])
    assert [result.checkpoint_id for result in outcome.built] == list(IDS[1:])
    assert set(outcome.failures) == {IDS[0]}
    (written,) = json.loads(context.layout.failures.read_text())
    assert written["checkpoint_id"] == IDS[0]
    assert written["message"] == "tune is broken"
    assert written["stage"].startswith("tune tiny-bert/tiny ")

    outcome, _ = run(registry, PlayedEngine())
    assert not outcome.failures
    assert not context.layout.failures.exists()


def test_a_checkpoint_that_cannot_be_assembled_is_a_failure_of_its_own(
    registry: Path, assembles: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(last: Stage, context: Context, others: object, linking: object) -> object:
        if last.name == IDS[1]:
            raise OSError(errno.ENOSPC, "No space left on device", "/full/result.json")
        return records.result(checkpoint_id=last.name)

    monkeypatch.setattr(module, "assemble", full)
    outcome, _ = run(registry, PlayedEngine())
    assert set(outcome.failures) == {IDS[1]}
    assert "No space left on device\n  where: /full/result.json" in outcome.failures[IDS[1]].message


def test_an_unreadable_corpus_is_a_failure_of_its_own_where_all_are_built(registry: Path, assembles: list[str]) -> None:
    settings = 'overrides: [{match: "*/*", set: {dapt.passages: [], tune.trials: 0}}]\n'
    (registry / "recipes.yaml").write_text(settings)
    (registry / "data-tiny" / "dev.jsonl").unlink()
    context = planned_anyway(registry)
    checkpoints = [context.registry.checkpoint(name) for name in IDS]
    with pytest.raises(ZooError):
        module.run(checkpoints, context, PlayedEngine(), keep_going=False, reporter=Reporter())
    assert not context.settings.out.exists(), "something was written"
    outcome = module.run(checkpoints, context, PlayedEngine(), keep_going=True, reporter=Reporter())
    assert set(outcome.failures) == {IDS[0]}
    assert sorted(assembles) == sorted(IDS[1:])


def planned_anyway(registry: Path) -> Context:
    from zoo.registry.loader import load_registry
    from zoo.settings import Settings

    return Context(load_registry(registry), Settings(out=registry.parent / "out", offline=True))


def test_the_command_ends_with_1_and_names_what_failed(
    registry: Path, assembles: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from zoo.cli import build

    monkeypatch.setattr(build, "engine_for", lambda *arguments: PlayedEngine("train tiny-electra/other"))
    command = ["build", *IDS, "--registry", str(registry), "--out", str(tmp_path / "built")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1, done.output
    assert "FAILED: train is broken" in done.output
    (written,) = json.loads((tmp_path / "built" / "failures.json").read_text())
    assert written["checkpoint_id"] == "tiny-electra/other"
    done = CliRunner().invoke(app, [*command, "--json"])
    assert done.exit_code == 1
    shown = json.loads(done.stdout)
    assert shown["failures"] == [{"checkpoint_id": "tiny-electra/other", "message": "train is broken"}]
    assert [result["checkpoint_id"] for result in shown["results"]] == list(IDS[:2])


class OutOfMemoryError(RuntimeError):
    """As torch calls it."""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/disk/x"), ("No space left on device", "/disk/x", "zoo gc")),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), ("Disk quota exceeded", "where: OUT", "quota is used up")),
        (PermissionError(errno.EACCES, "Permission denied", "/disk/x"), ("Permission denied", "read and written")),
        (RuntimeError("I/O error: No space left on device (os error 28)"), ("No space left on device", "zoo gc")),
        (MemoryError(), ("not enough memory", "finetune.batch_size")),
        (OutOfMemoryError("CUDA out of memory"), ("not enough memory: CUDA", "fewer --jobs")),
        (ZooError("the loss became nan", fix="lower finetune.learning_rate"), ("the loss became nan", "fix: lower")),
    ],
)
def test_a_failure_says_what_happened_and_what_to_do(registry: Path, error: Exception, words: tuple[str, ...]) -> None:
    stage = planned(registry)[0].stages[0]
    failure = Failure.of(stage, error, "OUT")
    assert all(word in failure.message for word in words), failure.message
    assert failure.traceback is None
    assert failure.stage == stage.id


def test_only_a_bug_has_a_traceback(registry: Path) -> None:
    stage = planned(registry)[0].stages[0]
    try:
        raise KeyError("oops")
    except KeyError as error:
        failure = Failure.of(stage, error, "OUT")
    assert failure.message == "KeyError: 'oops'"
    assert failure.traceback is not None
    assert "test_only_a_bug_has_a_traceback" in failure.traceback
