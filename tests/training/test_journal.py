"""A search that dies at the worst moments: its journal is whole, or made whole, and the study comes out the same."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from zoo.energy import Energy, measure
from zoo.evaluation.result import EpochRecord
from zoo.registry.recipes import Recipe, with_values
from zoo.training import tune
from zoo.training.finetune import TrainingLog
from zoo.training.study import search
from zoo.training.tune import JOURNAL

NOTHING = Energy(energy_wh=0, emissions_g=0, seconds=0, country="DEU", method="none", hardware="none", components_wh={})
RECIPE = with_values(Recipe(), {"tune.trials": 3, "tune.startup_trials": 1, "tune.confirm_seeds": 0}, where="test")
_SPAWN = multiprocessing.get_context("spawn")


def study(folder: Path) -> list[dict[str, Any]]:
    """Search with a training that only looks at the learning rate; the values of its trials."""

    def train(number: int, recipe: Recipe, snapshot: Path, after_epoch: Callable[[EpochRecord], None]) -> TrainingLog:
        log = EpochRecord(
            epoch=1,
            loss=0.1,
            dev_micro_f1=max(0.0, 0.9 - abs(recipe.finetune.learning_rate - 1e-3)),
            train_seconds=0.1,
            tokens=10,
        )
        after_epoch(log)
        return TrainingLog((log,), 1, log.dev_micro_f1, 0.2, "float32")

    tune.measure = nothing_used  # type: ignore[attr-defined]
    try:
        return [trial.values for trial in search(folder, RECIPE, train, country=None).trials]
    finally:
        tune.measure = measure  # type: ignore[attr-defined]


@contextmanager
def nothing_used(country: str | None, *, alone: bool = True) -> Iterator[SimpleNamespace]:
    """In place of what looks for the machine's hardware, trial by trial."""
    yield SimpleNamespace(energy=NOTHING)


def _dies(folder: Path, after_records: int) -> None:
    """Die of `kill -9` before so many records of the journal are written."""
    from optuna.storages.journal import JournalFileBackend

    append, records = JournalFileBackend.append_logs, 0

    def count(self: JournalFileBackend, logs: list[dict[str, Any]]) -> None:
        nonlocal records
        if records == after_records:
            os.kill(os.getpid(), signal.SIGKILL)
        records += 1
        append(self, logs)

    JournalFileBackend.append_logs = count  # type: ignore[method-assign]
    study(folder)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], int]:
    """Values of all trials, and the number of records in the journal."""
    folder = tmp_path_factory.mktemp("study")
    values = study(folder)
    assert len({str(trial) for trial in values}) == 3
    return values, len((folder / JOURNAL).read_text().splitlines())


@pytest.mark.parametrize("share", [0.1, 0.4, 0.45, 0.5, 0.55, 0.7])
def test_killed_between_any_two_records_a_study_ends_as_if_undisturbed(
    share: float, undisturbed: tuple[list[dict[str, Any]], int], tmp_path: Path
) -> None:
    values, records = undisturbed
    process = _SPAWN.Process(target=_dies, args=(tmp_path, int(share * records)))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert study(tmp_path) == values


def test_half_a_record_at_the_end_is_cut_off(undisturbed: tuple[list[dict[str, Any]], int], tmp_path: Path) -> None:
    process = _SPAWN.Process(target=_dies, args=(tmp_path, undisturbed[1] // 2))
    process.start()
    process.join()
    journal = tmp_path / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-10])  # a full disk, or a loss of power
    assert study(tmp_path) == undisturbed[0]
