"""The best trials of a search trained again with other seeds, so that no lucky seed wins.

Each training has a file in the study's folder with what it gave and used so far, and goes on from its snapshot after a
kill; several workers share the trainings by locks.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from zoo.energy import Energy, measure
from zoo.errors import ZooError
from zoo.evaluation.result import Confirmed, EpochRecord
from zoo.evaluation.statistics import mean_and_spread
from zoo.files import write_whole
from zoo.records import Record
from zoo.registry.recipes import Recipe, with_values
from zoo.training.space import decoded
from zoo.training.tune import Train, TuneProgress, free_lock

if TYPE_CHECKING:
    import optuna


class Repeat(Record):
    """One training of a trial's values with another seed."""

    trial: int
    seed: int
    dev_micro_f1: float | None = Field(description="best epoch; 0 where the training failed; null: not yet done")
    seconds: float = Field(description="over all runs, those that were killed included")
    energies: list[Energy]


def candidates(study: optuna.Study, recipe: Recipe) -> list[int]:
    """Trials whose values are trained again: the best complete ones, the recipe itself among them, none alike.

    Empty where the recipe asks for no repeats, or there is no choice.
    """
    from optuna.trial import TrialState

    if not recipe.tune.repeats:
        return []
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    ranked = sorted(complete, key=lambda trial: (-float(trial.value or 0.0), trial.number))
    first: dict[str, int] = {}
    own = next((json.dumps(trial.params, sort_keys=True) for trial in ranked if trial.number == 0), "")
    for trial in ranked:
        values = json.dumps(trial.params, sort_keys=True)
        first.setdefault(values, 0 if values == own else trial.number)
    best = list(first.values())
    chosen = best[: recipe.tune.confirm_top]
    if 0 in best and 0 not in chosen:
        chosen[-1] = 0
    return chosen if len(chosen) > 1 else []


def confirm(
    folder: Path,
    study: optuna.Study,
    recipe: Recipe,
    train: Train,
    *,
    country: str | None,
    alone: bool = True,
    progress: TuneProgress | None = None,
) -> list[Repeat]:
    """Train the candidates of a study whose trials are done with more seeds; one of several workers, or the only one.

    Args:
        folder: The study's folder.
        study: The study.
        recipe: As for the trials.
        train: Trains one; its recipe has the seed.
        country: Validated ISO 3166 alpha-3 code, or None for the world average.
        alone: Whether nothing else is built on this machine at the same time (for the energy).
        progress: Callbacks.

    Returns:
        All repeats: what others work on is waited for.
    """
    progress = progress or TuneProgress()
    chosen = candidates(study, recipe)
    wanted = [(trial, recipe.seed + more) for trial in chosen for more in range(1, recipe.tune.confirm_seeds + 1)]
    for timeout in (0, -1):  # first what nobody works on, then what others were at: done, or given up by a kill
        for trial, seed in wanted:
            if lock := free_lock(_path(folder, trial, seed).with_suffix(".lock"), timeout):
                try:
                    if _read(folder, trial, seed).dev_micro_f1 is None:
                        values = {path: decoded(value) for path, value in study.trials[trial].params.items()}
                        tried = with_values(recipe, {**values, "seed": seed}, where=f"trial {trial}")
                        _train(folder, trial, tried, train, country, alone, progress)
                finally:
                    lock.release()
    return [_read(folder, trial, seed) for trial, seed in wanted]


def ranked(study: optuna.Study, recipe: Recipe, repeats: Sequence[Repeat]) -> list[Confirmed]:
    """The trials that were trained again, that with the best mean first; of equal means the earlier trial's."""
    runs: dict[int, list[tuple[int, float]]] = {}
    for repeat in repeats:
        own = (recipe.seed, float(study.trials[repeat.trial].value or 0.0))
        runs.setdefault(repeat.trial, [own]).append((repeat.seed, repeat.dev_micro_f1 or 0.0))
    found = []
    for trial, pairs in runs.items():
        seeds, values = map(list, zip(*pairs, strict=True))
        spread = mean_and_spread(values)
        found.append(Confirmed(trial=trial, seeds=seeds, dev_micro_f1=values, mean=spread.mean, std=spread.std or 0.0))
    return sorted(found, key=lambda each: (-each.mean, each.trial))


def _train(
    folder: Path, trial: int, tried: Recipe, train: Train, country: str | None, alone: bool, progress: TuneProgress
) -> None:
    """Train one, noting after each epoch what it used."""
    before, state = _read(folder, trial, tried.seed), folder / f"repeat-{trial}-{tried.seed}"
    started = time.perf_counter()
    with measure(country, alone=alone) as meter:

        def note(value: float | None = None) -> None:
            seconds, energies = before.seconds + time.perf_counter() - started, [*before.energies, meter.energy]
            done = before.model_copy(update={"dev_micro_f1": value, "seconds": seconds, "energies": energies})
            write_whole(_path(folder, trial, tried.seed), done.to_json())

        def after_epoch(log: EpochRecord) -> None:
            note()
            progress.on_epoch(trial, log)

        try:
            value = train(trial, tried, state / "snapshot.safetensors", after_epoch).best_dev_micro_f1
        except ZooError:  # values that do not survive another seed are no good ones
            value = 0.0
        note(value)
    progress.on_repeat(trial, tried.seed, value)
    shutil.rmtree(state, ignore_errors=True)


def _path(folder: Path, trial: int, seed: int) -> Path:
    return folder / f"repeat-{trial}-{seed}.json"


def _read(folder: Path, trial: int, seed: int) -> Repeat:
    """What is known of a training so far."""
    path = _path(folder, trial, seed)
    if path.is_file():
        return Repeat.from_file(path, what="not the outcome of a training of a search")
    return Repeat(trial=trial, seed=seed, dev_micro_f1=None, seconds=0.0, energies=[])
