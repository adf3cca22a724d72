"""The best trials trained again with other seeds: a lucky seed does not win, and a kill changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.training.test_journal import NOTHING
from zoo.errors import ZooError
from zoo.evaluation.result import EpochRecord
from zoo.pipeline.stages.tune import KIND
from zoo.registry.loader import load_registry
from zoo.registry.recipes import Recipe, TuneRecipe, with_values
from zoo.training import confirmation, tune
from zoo.training.confirmation import candidates, confirm
from zoo.training.finetune import TrainingLog
from zoo.training.study import StudySummary, plot_study, search
from zoo.training.tune import TuneProgress, open_study

RANKS = (2, 4, 8, 16, 32)
OWN, LUCKY, STEADY = 4, 16, 8
SCORES = {2: (0.3,), 4: (0.70, 0.72, 0.71), 8: (0.80, 0.79, 0.81), 16: (0.95, 0.10, 0.0), 32: (0.5,)}
"""Rank -> dev F1 by seed. One seed of LUCKY happens to survive; STEADY is the best on all."""


class Stopped(BaseException):
    """As a kill: nobody catches it."""


def wanted(**values: Any) -> Recipe:
    given = {"lora.rank": OWN, "tune.trials": 20, "tune.startup_trials": 20, "tune.prune_after_epochs": 9}
    space = {"tune.space": {"lora.rank": {"choices": list(RANKS)}}}
    return with_values(Recipe(), {**given, **space, **values}, where="tests")


class Trainer:
    """Gives the scores of a rank by seed; `at` is called before the training ends."""

    def __init__(self, at: Callable[[int, int], None] = lambda rank, seed: None) -> None:
        self.at, self.done, self.results = at, list[tuple[int, int]](), list[tuple[int, int, float]]()

    def __call__(
        self, number: int, recipe: Recipe, snapshot: Path, after_epoch: Callable[[EpochRecord], None]
    ) -> TrainingLog:
        rank, seed = recipe.lora.rank, recipe.seed - Recipe().seed
        value = SCORES[rank][seed % len(SCORES[rank])]
        log = EpochRecord(epoch=1, loss=0.1, dev_micro_f1=value, train_seconds=0.1, tokens=10)
        after_epoch(log)
        self.at(rank, seed)
        self.done.append((rank, seed))
        return TrainingLog((log,), 1, value, 0.2, "float32")

    def search(self, folder: Path, recipe: Recipe) -> StudySummary:
        progress = TuneProgress(on_repeat=lambda *told: self.results.append(told))
        return search(folder, recipe, self, country=None, progress=progress)


@pytest.fixture(autouse=True)
def quick_meter(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of what looks for the machine's hardware, training by training."""

    @contextmanager
    def one_wh(country: str | None, *, alone: bool = True) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(energy=NOTHING.model_copy(update={"energy_wh": 1.0}))

    monkeypatch.setattr(tune, "measure", one_wh)
    monkeypatch.setattr(confirmation, "measure", one_wh)


def rank_of(summary: StudySummary, trial: int) -> int:
    return int(summary.trials[trial].values["lora.rank"])


def timeless(summary: StudySummary) -> dict[str, Any]:
    data = summary.model_dump(exclude={"seconds", "energy"})
    return {**data, "trials": [{k: v for k, v in t.items() if k != "seconds"} for t in data["trials"]]}


def test_a_lucky_seed_wins_a_plain_search_and_not_a_confirmed_one(tmp_path: Path) -> None:
    for name, off in (("top", {"tune.confirm_top": 1}), ("seeds", {"tune.confirm_seeds": 0})):
        trainer = Trainer()
        plain = trainer.search(tmp_path / name, wanted(**off))
        assert plain.best_values == {"lora.rank": LUCKY} and plain.confirmed == [] and len(trainer.done) == 20
    trainer = Trainer()
    found = trainer.search(tmp_path / "confirmed", wanted())
    assert found.best_values == {"lora.rank": STEADY} and found.best_dev_micro_f1 == 0.80
    assert rank_of(found, found.best_trial) == STEADY
    assert [rank_of(found, each.trial) for each in found.confirmed] == [STEADY, OWN, LUCKY]
    taken = found.confirmed[0]
    assert taken.trial == found.best_trial and taken.seeds == [13, 14, 15] and taken.dev_micro_f1 == [0.80, 0.79, 0.81]
    assert (taken.mean, taken.std) == (pytest.approx(0.80), pytest.approx(0.01))
    assert found.confirmed[-1].mean == pytest.approx(0.35)
    repeats = [(rank, seed) for rank in (LUCKY, STEADY, OWN) for seed in (1, 2)]
    assert sorted(trainer.done[20:]) == sorted(repeats), "trials that are alike are trained again once"
    assert len(trainer.results) == 6
    assert found.energy is not None and found.energy.energy_wh == 26
    assert found.recipe_dev_micro_f1 == 0.70


def test_the_recipe_is_always_among_them(tmp_path: Path) -> None:
    found = Trainer().search(tmp_path, wanted(**{"tune.confirm_top": 2}))
    assert [rank_of(found, each.trial) for each in found.confirmed] == [OWN, LUCKY]
    assert found.best_trial == 0 and found.confirmed[0].trial == 0


def test_pruned_and_failed_trials_are_no_candidates(tmp_path: Path) -> None:
    import optuna

    def at(rank: int, seed: int) -> None:
        if rank == LUCKY:
            raise optuna.TrialPruned
        if rank == STEADY:
            raise ZooError("the loss became nan")

    found = Trainer(at).search(tmp_path, wanted())
    assert {trial.state for trial in found.trials} == {"complete", "pruned", "failed"}
    assert [rank_of(found, each.trial) for each in found.confirmed] == [OWN, 32, 2]


def test_a_repeat_that_fails_counts_as_nothing_found(tmp_path: Path) -> None:
    def at(rank: int, seed: int) -> None:
        if (rank, seed) == (STEADY, 2):
            raise ZooError("the loss became nan")

    found = Trainer(at).search(tmp_path, wanted())
    assert found.best_values == {"lora.rank": OWN}
    steady = next(each for each in found.confirmed if rank_of(found, each.trial) == STEADY)
    assert steady.dev_micro_f1 == [0.80, 0.79, 0.0]


@pytest.mark.parametrize("killed", range(6))
def test_killed_in_any_repeat_it_ends_the_same(killed: int, tmp_path: Path) -> None:
    reference = Trainer().search(tmp_path / "whole", wanted())
    seen: list[tuple[int, int]] = []

    def at(rank: int, seed: int) -> None:
        if seed:
            seen.append((rank, seed))
            if len(seen) == killed + 1:
                raise Stopped

    with pytest.raises(Stopped):
        Trainer(at).search(tmp_path / "killed", wanted())
    again = Trainer()
    found = again.search(tmp_path / "killed", wanted())
    assert timeless(found) == timeless(reference)
    assert again.done[0] == seen[-1] and len(again.done) == 6 - killed, "one was repeated or lost"
    assert found.energy is not None and found.energy.energy_wh == 27, "what the killed one used counts"
    after = Trainer()
    assert after.search(tmp_path / "killed", wanted()).model_dump() == found.model_dump() and not after.done


def test_workers_share_the_repeats(tmp_path: Path) -> None:
    """Each is in its first repeat at once, which one worker alone never is."""
    Trainer().search(tmp_path, wanted(**{"tune.confirm_top": 1}))
    both = threading.Barrier(2, timeout=60)
    workers = [Trainer(lambda rank, seed: bool(both.wait()) and None) for _ in range(2)]

    def work(trainer: Trainer) -> None:
        confirm(tmp_path, open_study(tmp_path, wanted()), wanted(), trainer, country=None)

    threads = [threading.Thread(target=work, args=(trainer,)) for trainer in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = [run for trainer in workers for run in trainer.done]
    assert len(done) == len(set(done)) == 6 and all(len(trainer.done) == 3 for trainer in workers)
    final = Trainer()
    assert final.search(tmp_path, wanted()).best_values == {"lora.rank": STEADY} and not final.done


def test_a_study_without_a_choice_is_not_confirmed(tmp_path: Path) -> None:
    trainer = Trainer()
    found = trainer.search(tmp_path, wanted(**{"tune.trials": 1}))
    assert found.confirmed == [] and len(trainer.done) == 1
    assert candidates(open_study(tmp_path, wanted()), wanted()) == []


def test_repeats_are_plotted(tmp_path: Path) -> None:
    recipe = wanted(**{"tune.trials": 6})
    found = Trainer().search(tmp_path / "study", recipe)
    (tmp_path / "plots").mkdir()
    names = plot_study(tmp_path / "study", tmp_path / "plots", recipe, found.confirmed)
    assert {"confirmed.html", "confirmed.png"} <= set(names) == {path.name for path in (tmp_path / "plots").iterdir()}
    assert "(recipe)" in (tmp_path / "plots" / "confirmed.html").read_text()


@pytest.mark.parametrize(
    ("values", "repeats"),
    [({}, 6), ({"confirm_top": 1}, 0), ({"confirm_seeds": 0}, 0), ({"trials": 2}, 4), ({"trials": 1}, 0)],
)
def test_repeats_count_as_work(values: dict[str, int], repeats: int) -> None:
    given = {"trials": 20, **values}
    assert TuneRecipe(**given).repeats == repeats
    checkpoint = load_registry().checkpoint("minilm-l6/cll", {f"tune.{name}": value for name, value in given.items()})
    key = {"tune": checkpoint.recipe.tune.model_dump(), "finetune": checkpoint.recipe.finetune.model_dump()}
    one = {**key, "tune": {**key["tune"], "trials": 1, "confirm_top": 1}}
    context: Any = None
    work = KIND.work(checkpoint, key, context) / KIND.work(checkpoint, one, context)
    assert work == pytest.approx(given["trials"] + repeats)
