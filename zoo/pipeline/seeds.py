"""What several trainings of one checkpoint gave, that differ in their seed alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.energy import Energy
from zoo.evaluation.predictions import read_predictions
from zoo.evaluation.result import SeedRun, SeedScores
from zoo.modeling.adapters import weight_digests
from zoo.pipeline.context import Context
from zoo.pipeline.plan import chain
from zoo.pipeline.stage import Stage
from zoo.pipeline.stages.evaluate import KIND as EVALUATE
from zoo.pipeline.stages.train import KIND as TRAIN


def stage_energy(lasts: Iterable[Stage], context: Context) -> dict[str, Energy]:
    """Kind of stage -> energy of all stages of that kind that some last stages stand on, each counted once."""
    stages = {stage.fingerprint: stage for last in lasts for stage in last.inputs_first()}
    found: dict[str, Energy] = {}
    for stage in stages.values():
        used = context.store.read(stage.kind, stage.fingerprint).energy
        if used is not None:
            used = used.in_country(context.settings.country)
            found[stage.kind] = (Energy.total([found[stage.kind], used]) or used) if stage.kind in found else used
    return found


def seed_scores(lasts: Sequence[Stage], context: Context) -> SeedScores | None:
    """The scores over seeds, from the last stages of all of them, the published one first; None of one seed."""
    if len(lasts) == 1:
        return None
    folders = [context.store.get(last.kind, last.fingerprint) for last in lasts]
    counts = [[line.counts for line in read_predictions(folder)] for folder in folders]
    return SeedScores.of([_run(last, context) for last in lasts], counts)


def _run(last: Stage, context: Context) -> SeedRun:
    stages = {kind: stage for kind, stage in chain(last).items() if stage.seed is not None}
    folders = {kind: context.store.get(kind, stage.fingerprint) for kind, stage in stages.items()}
    energies = stage_energy([last], context)
    energy = Energy.total([energies[kind] for kind in stages if kind in energies])
    assert energy is not None
    return SeedRun(
        seed=last.checkpoint.recipe.seed,
        scores=EVALUATE.read(folders["evaluate"]).scores,
        train_seconds=TRAIN.read(folders["train"]).train_seconds,
        energy=energy,
        fingerprints={
            **{kind: stage.fingerprint for kind, stage in stages.items()},
            **weight_digests(folders["train"] / "adapter"),
        },
    )
