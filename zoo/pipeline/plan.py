"""The plan: which stages make the wanted checkpoints, in which order, and which of them are done."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from zoo.corpora.sources import availability
from zoo.errors import ZooError
from zoo.pipeline.context import Context
from zoo.pipeline.stage import Stage
from zoo.pipeline.stages import LAST, stage_kind
from zoo.pipeline.store import RESUME, Artefact, differences
from zoo.registry.loader import Checkpoint


@dataclass(frozen=True)
class Plan:
    """All stages of a run.

    Attributes:
        stages: Inputs come before what needs them; none twice.
        last: Checkpoint id -> its last stage.
        checkpoints: What is to be built.
        unreadable: Checkpoint id -> why an input of it cannot be had.
    """

    stages: tuple[Stage, ...]
    last: Mapping[str, Stage]
    checkpoints: tuple[Checkpoint, ...]
    unreadable: Mapping[str, ZooError]


def make_plan(checkpoints: Sequence[Checkpoint], context: Context) -> Plan:
    """Plan checkpoints; what is wrong with one's inputs is noted in `unreadable`."""
    last: dict[str, Stage] = {}
    unreadable: dict[str, ZooError] = {}
    for checkpoint in checkpoints:
        try:
            last[checkpoint.id] = stage_kind(LAST).plan(checkpoint, context)
        except ZooError as error:
            unreadable[checkpoint.id] = error
    stages = {each.fingerprint: each for stage in last.values() for each in stage.inputs_first()}
    return Plan(tuple(stages.values()), last, tuple(checkpoints), unreadable)


def chain(stage: Stage) -> dict[str, Stage]:
    """A stage and all it stands on, by kind."""
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
    latest: dict[tuple[str, str], Artefact] = {}
    for _, artefact in context.store.artefacts():
        latest[artefact.kind, artefact.name] = artefact
    return [_status(stage, context, latest.get((stage.kind, stage.name))) for stage in plan.stages]


def _status(stage: Stage, context: Context, latest: Artefact | None) -> Status:
    store = context.store
    if store.has(stage.kind, stage.fingerprint):
        return Status(stage, "cached", "done")
    resume = store.root / ".work" / f"{stage.kind}-{stage.fingerprint[:32]}" / RESUME
    if resume.is_dir() and any(resume.iterdir()):
        return Status(stage, "resume", "begun before, goes on where it stopped")
    if latest is None:
        return Status(stage, "new", "never made here")
    changed = differences(latest.key, json.loads(json.dumps(stage.key, default=str)))
    return Status(stage, "changed", "changed: " + ", ".join(changed))


def obstacles(plan: Plan, statuses: Sequence[Status], context: Context) -> dict[str, list[str]]:
    """What stands in the way of a build, each once -> ids of the checkpoints that it stops; nothing is fetched.

    Args:
        plan: The plan.
        statuses: Of its stages.
        context: Where inputs are looked for.
    """
    found: dict[str, list[str]] = {}
    for name, error in plan.unreadable.items():
        found.setdefault(error.what, []).append(name)
    if not context.settings.offline:
        return found
    missing = {status.stage.fingerprint for status in statuses if status.state != "cached"}
    for name, last in plan.last.items():
        stages = [stage for stage in last.inputs_first() if stage.fingerprint in missing]
        for what in dict.fromkeys(_unavailable(stages, context)):
            found.setdefault(what, []).append(name)
    return found


def _unavailable(missing: Sequence[Stage], context: Context) -> Iterator[str]:
    """Inputs of stages that are not on this machine."""
    for stage in missing:
        backbone, corpus = stage.checkpoint.backbone, stage.checkpoint.corpus
        if stage_kind(stage.kind).of_backbone:
            try:
                context.backbone(backbone)
            except ZooError as error:
                yield error.what
        else:
            folder, settings = context.registry.folders[f"corpora/{corpus.id}"], context.settings
            place = availability(corpus, folder, settings.corpora, cache=settings.cache)
            if place in ("to fetch", "no source"):
                yield f"the corpus {corpus.id} is not on this machine ({place}, and this machine is offline)"
