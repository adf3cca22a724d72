"""Doing a stage, whoever asks for it: a process of this machine, or a node of a cluster."""

from __future__ import annotations

import uuid

from zoo.energy import measure
from zoo.modeling.quiet import quiet_libraries
from zoo.pipeline.context import Context
from zoo.pipeline.progress import StageProgress
from zoo.pipeline.schedule import Failure
from zoo.pipeline.stage import Job, Stage
from zoo.pipeline.stages import stage_kind
from zoo.pipeline.store import Artefact, note_energy


def run_stage(stage: Stage, context: Context, progress: StageProgress) -> Artefact:
    """Do a stage unless it is done, and return its artefact; a stage that another build does is waited for.

    Raises:
        ZooError: What the user can put right.
        OSError: The disk is full or not writable.
    """
    store = context.store
    with store.lock(stage.kind, stage.fingerprint, on_wait=lambda: progress.note("waits for another build")):
        if store.has(stage.kind, stage.fingerprint):
            return store.read(stage.kind, stage.fingerprint)
        quiet_libraries()
        work = store.work_folder(stage.kind, stage.fingerprint)
        run = uuid.uuid4().hex
        with measure(context.settings.country, alone=context.alone) as meter:
            job = Job(stage, context, work, progress, lambda: note_energy(work, run, meter.energy))
            stage_kind(stage.kind).run(job)
        note_energy(work, run, meter.energy)
        return store.finish(work, stage.kind, stage.name, stage.fingerprint, stage.key)


def try_stage(stage: Stage, context: Context, progress: StageProgress) -> str | Failure:
    """Do a stage; its outcome in a line, or why it failed."""
    try:
        run_stage(stage, context, progress)
        kind = stage_kind(stage.kind)
        of = "" if stage.seed is None else f"seed {stage.seed}: "
        return of + kind.describe(kind.read(context.store.get(stage.kind, stage.fingerprint)))
    except Exception as error:  # noqa: BLE001 - one stage's bug must not stop the others; it is reported whole
        return Failure.of(stage, error, context.settings.out)
