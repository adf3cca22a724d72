"""What a plan promises, on a machine whose earlier stages are recorded; no clock is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.test_plan import planned, registry
from zoo.energy import Energy
from zoo.pipeline.context import Context
from zoo.pipeline.estimate import estimate
from zoo.pipeline.plan import chain, inspect, make_plan
from zoo.pipeline.stage import Stage
from zoo.pipeline.stages.tune import KIND as TUNE
from zoo.pipeline.store import note_energy
from zoo.registry.loader import Checkpoint, Registry
from zoo.registry.schema import SplitInfo

__all__ = ["registry"]
SUBTOKEN_SECONDS = 1e-3
"""Of the machine: one pass of one sub-token."""
START_SECONDS = 5


def sized(found: Registry, name: str, *, documents: int, words: dict[str, int], language: str = "en") -> Checkpoint:
    """A checkpoint of a registry whose corpus is said to be of some size."""
    checkpoint = found.checkpoint(f"tiny-electra/{name}", {"evaluation.robustness_documents": 1000})
    splits: dict[Any, SplitInfo] = {s: SplitInfo(tokens=n, documents=documents) for s, n in words.items()}
    corpus = checkpoint.corpus.model_copy(update={"splits": splits, "language": language})
    return replace(checkpoint, corpus=corpus)


def record(context: Context, stage: Stage, seconds: float) -> None:
    """An artefact of a stage that took so long."""
    energy = Energy(
        energy_wh=seconds / 100,
        emissions_g=0,
        seconds=seconds,
        country="DEU",
        method="",
        hardware="",
        components_wh={},
    )
    work = context.store.work_folder(stage.kind, stage.fingerprint)
    note_energy(work, "run", energy)
    context.store.finish(work, stage.kind, stage.name, stage.fingerprint, stage.key)


@pytest.mark.parametrize(
    ("documents", "language", "subtokens_per_word", "passes"),
    [(400, "en", 1.29, 8), (5000, "en", 1.46, 1 + 7 / 5), (250, "es", 1.89, 7)],
    ids=["every test document in all spellings", "a fifth of them", "Spanish, without abbreviations"],
)
def test_scoring_takes_what_earlier_scoring_says(
    registry: Path, documents: int, language: str, subtokens_per_word: float, passes: float
) -> None:
    _, context = planned(registry)
    known = sized(context.registry, "tiny", documents=5424, words={"train": 135_000, "dev": 24_000, "test": 24_500})
    registered = {**context.registry.corpora, "tiny": known.corpus}
    context = replace(context, registry=replace(context.registry, corpora=registered))
    seconds = START_SECONDS + SUBTOKEN_SECONDS * 1.28 * (24_000 + (1 + 7000 / 5424) * 24_500)
    record(context, make_plan([known], context).last[known.id], seconds)

    words = {"train": 150_000, "dev": 28_000, "test": 90_000}
    wanted = sized(context.registry, "other", documents=documents, words=words, language=language)
    plan = make_plan([wanted], context)
    stage = plan.last[wanted.id]
    found = estimate(inspect(plan, context), context)[stage.fingerprint]
    truth = START_SECONDS + SUBTOKEN_SECONDS * subtokens_per_word * (28_000 + passes * 90_000)
    assert found.known
    assert truth / 1.5 < found.seconds < truth * 1.5
    assert found.energy_wh == pytest.approx(found.seconds / 100)


def test_without_measurements_it_is_rough(registry: Path) -> None:
    plan, context = planned(registry)
    found = estimate(inspect(plan, context), context)
    stages = chain(plan.last["tiny-bert/other"])
    assert not found[stages["train"].fingerprint].known
    assert set(found) == {stage.fingerprint for stage in plan.stages}
    assert all(each.seconds > 0 and each.disk_bytes > 0 for each in found.values())


def test_a_budget_ends_the_trials_of_a_search_and_not_the_repeats_of_the_best() -> None:
    """40 trials and 3 x 2 repeats; the trial that has begun when the time is up is ended."""
    tune: dict[str, Any] = {"trials": 40, "confirm_top": 3, "confirm_seeds": 2, "minutes": 30}
    for seconds_each, expected in ((10, 46 * 10), (600, 30 * 60 + 600 + 6 * 600)):
        assert TUNE.within_budget({"tune": tune}, 46 * seconds_each) == pytest.approx(expected)
    assert TUNE.within_budget({"tune": {**tune, "minutes": None}}, 46 * 600) == pytest.approx(46 * 600)
    assert TUNE.within_budget({"tune": {**tune, "confirm_top": 1}}, 40 * 600) == pytest.approx(30 * 60 + 600)
