"""Build many checkpoints: plan, run what is missing, show what is done; a failure never stops the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from zoo.board.rows import refresh_board
from zoo.energy import check_country
from zoo.errors import ZooError
from zoo.evaluation.result import Result
from zoo.files import write_whole
from zoo.pipeline.assemble import assemble, is_assembled
from zoo.pipeline.context import Context
from zoo.pipeline.fetching import with_fetching
from zoo.pipeline.languages import mismatches
from zoo.pipeline.plan import Plan, make_plan
from zoo.pipeline.progress import Reporter
from zoo.pipeline.schedule import Engine, Failure, Schedule
from zoo.pipeline.stage import Stage
from zoo.pipeline.stages import stage_kind
from zoo.pipeline.stages.link_evaluate import NOT_LINKED, Linking
from zoo.registry.loader import Checkpoint


@dataclass(frozen=True)
class Outcome:
    """What a run gave.

    Attributes:
        built: Checkpoints whose folder this run wrote.
        unchanged: Checkpoint ids that were done before.
        failures: Checkpoint id -> why it was not built.
        stages_run: Stages that ran.
    """

    built: tuple[Result, ...]
    unchanged: tuple[str, ...]
    failures: dict[str, Failure]
    stages_run: int


def run(
    checkpoints: Sequence[Checkpoint],
    context: Context,
    engine: Engine,
    *,
    keep_going: bool,
    reporter: Reporter,
    overwrite: bool = False,
    on_built: Callable[[Checkpoint], None] = lambda checkpoint: None,
) -> Outcome:
    """Build checkpoints and write board and failures.

    Args:
        checkpoints: What to build.
        context: Registry, settings, store.
        engine: Who runs the stages.
        keep_going: Treat an input that cannot be read as that checkpoint's failure; otherwise nothing starts.
        reporter: Shows what happens.
        overwrite: Forget the tuning, training and scores that these checkpoints have, and make them again.
        on_built: Called with each checkpoint whose folder is complete, be it new or of before.

    Raises:
        ZooError: The country is unknown, the output folder not writable, or (without `keep_going`) an input is bad.
    """
    check_country(context.settings.country)
    with reporter:
        for what, names in mismatches(checkpoints, context.registry).items():
            reporter.warn(names[0] if len(names) == 1 else f"{len(names)} checkpoints", what)
        plan = make_plan(checkpoints, with_fetching(context, reporter))
    missing = _missing(plan, context, overwrite)
    unreadable = plan.unreadable or _check_inputs(missing, context)
    if unreadable and not keep_going:
        raise next(iter(unreadable.values()))
    context.layout.check_writable()
    with context.store.in_use():
        return _Run(plan, context, on_built).finish(engine, reporter, overwrite=overwrite)


class _Run:
    """A run of a plan; checkpoints are assembled as their last stages end."""

    def __init__(self, plan: Plan, context: Context, on_built: Callable[[Checkpoint], None]) -> None:
        self.plan, self.context, self.on_built = plan, context, on_built
        self.built: list[Result] = []
        self.unchanged: list[str] = []
        self.failures: dict[str, Failure] = {}
        self.done: set[str] = set()

    def finish(self, engine: Engine, reporter: Reporter, *, overwrite: bool) -> Outcome:
        """Run what is missing; see `run`."""
        plan, context = self.plan, self.context
        missing = _missing(plan, context, overwrite)
        if overwrite:
            for stage in missing:
                context.store.discard(stage.kind, stage.fingerprint)
        unreadable = {**plan.unreadable, **_check_inputs(missing, context)}
        self.failures = {name: Failure(name, str(error)) for name, error in unreadable.items()}
        with reporter:
            wanted = _wanted(plan, missing, self.failures)
            schedule = Schedule(wanted, self._after)
            reporter.begin(len(wanted))
            self.done = {stage.fingerprint for stage in plan.stages} - {stage.fingerprint for stage in missing}
            for checkpoint_id in plan.last:
                self._assemble_if_done(checkpoint_id)
            engine.run(schedule, context, reporter)
            for checkpoint_id in plan.last:
                for last in plan.lasts(checkpoint_id):
                    if (failure := schedule.failures.get(last.fingerprint)) is not None:
                        self.failures.setdefault(checkpoint_id, _of_seed(failure, last))
                link = plan.linking_of(checkpoint_id).stage
                if link and (failure := schedule.failures.get(link.fingerprint)) and checkpoint_id not in self.failures:
                    self._assemble_if_done(checkpoint_id, NOT_LINKED.because(failure.message))
                    self.failures.setdefault(checkpoint_id, failure)
            if self.built or not (context.settings.out / "board.json").is_file():
                try:
                    refresh_board(context.settings.out, context.registry)
                except ZooError as error:  # an older result beside the new ones must not spoil a run that went well
                    reporter.note("board", f"not written: {error}")
        _write_failures(context.layout.failures, self.failures)
        order = {checkpoint.id: place for place, checkpoint in enumerate(plan.checkpoints)}
        self.built.sort(key=lambda result: order[result.checkpoint_id])
        return Outcome(tuple(self.built), tuple(self.unchanged), self.failures, len(wanted))

    def _after(self, stage: Stage) -> None:
        """A stage has ended well: assemble what it was the last of (several, where two ids name the same data)."""
        self.done.add(stage.fingerprint)
        for checkpoint_id in self.plan.last:
            link = self.plan.linking_of(checkpoint_id).stage
            lasts = (*self.plan.lasts(checkpoint_id), *([link] if link else []))
            if any(last.fingerprint == stage.fingerprint for last in lasts):
                self._assemble_if_done(checkpoint_id)

    def _assemble_if_done(self, checkpoint_id: str, unlinked: Linking | None = None) -> None:
        """Write a checkpoint's folder once all its seeds are scored and it is linked, unless it is there.

        Args:
            checkpoint_id: Which.
            unlinked: Says that its linking has failed: the folder is written without, and not published.
        """
        last, *others = self.plan.lasts(checkpoint_id)
        linking = unlinked or self.plan.linking_of(checkpoint_id)
        needed = {s.fingerprint for s in (last, *others, *([linking.stage] if linking.stage else []))}
        if checkpoint_id in self.failures or not self.done.issuperset(needed):
            return
        try:
            if is_assembled(last, self.context, others, linking):
                self.unchanged.append(last.name)
            else:
                self.built.append(assemble(last, self.context, others, linking))
        except (ZooError, OSError) as error:
            self.failures[last.name] = Failure.of(last, error, self.context.settings.out)
            return
        if not unlinked:
            self.on_built(last.checkpoint)


def _missing(plan: Plan, context: Context, overwrite: bool) -> list[Stage]:
    """Stages to run, in order."""
    return [
        stage
        for stage in plan.stages
        if (overwrite and stage_kind(stage.kind).serves == "checkpoint")
        or not context.store.has(stage.kind, stage.fingerprint)
    ]


def _check_inputs(missing: Sequence[Stage], context: Context) -> dict[str, ZooError]:
    """Checkpoint id -> what is wrong with an input that a missing stage is going to read."""
    found: dict[str, ZooError] = {}
    for stage in missing:
        try:
            stage_kind(stage.kind).check_inputs(stage.checkpoint, context)
        except ZooError as error:
            found.setdefault(stage.checkpoint.id, error)
    return found


def _wanted(plan: Plan, missing: Sequence[Stage], failures: dict[str, Failure]) -> list[Stage]:
    """Missing stages that a checkpoint with good inputs stands on."""
    needed: set[str] = set()
    for checkpoint_id in plan.last:
        if checkpoint_id not in failures:
            needed |= {stage.fingerprint for stage in plan.of(checkpoint_id)}
    return [stage for stage in missing if stage.fingerprint in needed]


def _of_seed(failure: Failure, last: Stage) -> Failure:
    """A failure that names its seed, where the stage that failed was for one of several."""
    failed = next((stage for stage in last.inputs_first() if stage.id == failure.stage), last)
    return failure if failed.seed is None else replace(failure, message=f"seed {failed.seed}: {failure.message}")


def _write_failures(path: Path, failures: dict[str, Failure]) -> None:
    if failures:
        items = [{"checkpoint_id": name, **asdict(failure)} for name, failure in failures.items()]
        write_whole(path, json.dumps(items, indent=2) + "\n")
    else:
        path.unlink(missing_ok=True)
