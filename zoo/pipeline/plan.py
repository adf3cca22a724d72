"""The plan: which stages make the wanted checkpoints, in which order, and which of them are done."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from zoo.errors import ZooError
from zoo.pipeline.context import Context
from zoo.pipeline.stage import Stage
from zoo.pipeline.stages.evaluate import KIND as EVALUATE
from zoo.pipeline.stages.link_evaluate import NOT_LINKED, Linking, plan_linking
from zoo.pipeline.store import RESUME, Artefact, differences
from zoo.registry.loader import Checkpoint


@dataclass(frozen=True)
class Plan:
    """All stages of a run.

    Attributes:
        stages: Inputs come before what needs them; none twice.
        last: Checkpoint id -> its last stage, of the seed whose adapter is published.
        checkpoints: What is to be built.
        unreadable: Checkpoint id -> why an input of it cannot be had.
        others: Checkpoint id -> the last stages of its other seeds, in order.
        linking: Checkpoint id -> how its mentions are linked; what cannot be linked stops nothing else.
    """

    stages: tuple[Stage, ...]
    last: Mapping[str, Stage]
    checkpoints: tuple[Checkpoint, ...]
    unreadable: Mapping[str, ZooError]
    others: Mapping[str, tuple[Stage, ...]]
    linking: Mapping[str, Linking]

    def lasts(self, checkpoint_id: str) -> tuple[Stage, ...]:
        """The last stages of all seeds of a checkpoint, the published one first; linking comes beside them."""
        return (self.last[checkpoint_id], *self.others.get(checkpoint_id, ()))

    def of(self, checkpoint_id: str) -> Iterator[Stage]:
        """All stages that a checkpoint needs, inputs first; what several seeds need comes several times."""
        for last in self.lasts(checkpoint_id):
            yield from last.inputs_first()
        if (link := self.linking_of(checkpoint_id).stage) is not None:
            yield from link.inputs_first()

    def linking_of(self, checkpoint_id: str) -> Linking:
        """How the mentions of a checkpoint are linked."""
        return self.linking.get(checkpoint_id, NOT_LINKED)


def make_plan(checkpoints: Sequence[Checkpoint], context: Context) -> Plan:
    """Plan checkpoints; what is wrong with one's inputs is noted in `unreadable`."""
    last: dict[str, Stage] = {}
    others: dict[str, tuple[Stage, ...]] = {}
    unreadable: dict[str, ZooError] = {}
    linking: dict[str, Linking] = {}
    for checkpoint in checkpoints:
        try:
            first, *more = [EVALUATE.plan(checkpoint, context, seed) for seed in checkpoint.seeds]
        except ZooError as error:
            unreadable[checkpoint.id] = error
        else:
            last[checkpoint.id], others[checkpoint.id] = first, tuple(more)
            linking[checkpoint.id] = plan_linking(checkpoint, context)
    plan = Plan((), last, tuple(checkpoints), unreadable, others, linking)
    stages = {stage.fingerprint: stage for checkpoint_id in last for stage in plan.of(checkpoint_id)}
    return replace(plan, stages=tuple(stages.values()))


def chain(stage: Stage) -> dict[str, Stage]:
    """A stage and all it stands on, by kind; of the kinds that serve an ontology, one."""
    return {each.kind: each for each in stage.inputs_first()}


@dataclass(frozen=True)
class Status:
    """Where a stage stands.

    Attributes:
        state: `cached`, or `resume` (begun before), `changed` (an earlier artefact of the same name is there), `new`.
        reason: In words: which fields changed.
    """

    stage: Stage
    state: Literal["cached", "resume", "changed", "new"]
    reason: str


def inspect(plan: Plan, context: Context) -> list[Status]:
    """The state of each stage and why it would run."""
    latest: dict[tuple[str, str, int | None], Artefact] = {}
    for _, artefact in context.store.artefacts():
        latest[artefact.kind, artefact.name, artefact.key.get("seed")] = artefact
    return [
        _status(stage, context, latest.get((stage.kind, stage.name, stage.key.get("seed")))) for stage in plan.stages
    ]


def _status(stage: Stage, context: Context, latest: Artefact | None) -> Status:
    store = context.store
    if not stage.is_known:
        return Status(stage, "new", "its inputs are not here yet")
    if store.has(stage.kind, stage.fingerprint):
        return Status(stage, "cached", "done")
    resume = store.root / ".work" / f"{stage.kind}-{stage.fingerprint[:32]}" / RESUME
    if resume.is_dir() and any(resume.iterdir()):
        return Status(stage, "resume", "begun before, goes on where it stopped")
    if latest is None:
        return Status(stage, "new", "never made here")
    changed = differences(latest.key, json.loads(json.dumps(stage.key, default=str)))
    return Status(stage, "changed", "changed: " + ", ".join(changed))
