"""The trials of a search: Optuna's TPE on dev strict micro-F1, in a journal that survives a kill.

Trials are numbered; what a trial proposes depends on the seed, its number and the trials before it. A trial that died
is taken up again under its number, with the values it had, and goes on from the last epoch it finished: one worker
always ends with the same study, whatever happened to it. Several workers see each other's trials in the order in which
they happen to finish, so that their study depends on timing.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from zoo.energy import Energy, measure
from zoo.errors import ZooError
from zoo.evaluation.result import EpochRecord
from zoo.registry.recipes import Recipe, check_space, with_values
from zoo.training.finetune import TrainingLog
from zoo.training.space import own_value, suggest

if TYPE_CHECKING:
    import optuna
    from optuna.storages.journal import JournalFileSymlinkLock

JOURNAL = "journal.log"
_LOCK_GRACE_SECONDS = 5
_PRUNE_STARTUP = 4
Train = Callable[[int, Recipe, Path, Callable[[EpochRecord], None]], TrainingLog]
"""Trains one trial, or again with another seed: its number, its recipe, its state's file, what it calls each epoch."""


@dataclass(frozen=True)
class TuneProgress:
    """Callbacks of a search."""

    on_trial: Callable[[int, Mapping[str, Any]], None] = lambda number, values: None
    on_epoch: Callable[[int, EpochRecord], None] = lambda number, log: None
    on_result: Callable[[int, str, float | None], None] = lambda number, state, value: None
    on_repeat: Callable[[int, int, float], None] = lambda number, seed, value: None


def work_on(
    folder: Path,
    recipe: Recipe,
    train: Train,
    *,
    country: str | None,
    alone: bool = True,
    progress: TuneProgress | None = None,
) -> optuna.Study:
    """Work on the trials of a study until its budget is spent.

    Args:
        folder: Where journal and states of running trials are kept; a study that is there is gone on with.
        recipe: Values of everything that is not searched; trial 0 is the recipe itself.
        train: Trains one trial.
        country: Validated ISO 3166 alpha-3 code, or None for the world average.
        alone: Whether nothing else is built on this machine at the same time (for the energy).
        progress: Callbacks.

    Returns:
        The study as it stands when this worker finds nothing more to do.

    Raises:
        ZooError: The search space holds what the recipe may not have.
    """
    check_space(recipe)
    progress = progress or TuneProgress()
    study = open_study(folder, recipe)
    while (taken := _take(study, folder, recipe)) is not None:
        trial, lock = taken
        try:
            _work(study, trial, folder, recipe, train, country, alone, progress)
        finally:
            lock.release()
    return study


def open_study(folder: Path, recipe: Recipe) -> optuna.Study:
    """The study in a folder, made if it is not there."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder.mkdir(parents=True, exist_ok=True)
    path = str(folder / JOURNAL)
    lock = JournalFileSymlinkLock(path, grace_period=_LOCK_GRACE_SECONDS)
    _mend(folder / JOURNAL, lock)
    backend = JournalFileBackend(path, lock_obj=lock)
    return optuna.create_study(
        storage=JournalStorage(backend),
        study_name="tune",
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(
            n_startup_trials=_PRUNE_STARTUP, n_warmup_steps=recipe.tune.prune_after_epochs
        ),
    )


def _mend(journal: Path, lock: JournalFileSymlinkLock) -> None:
    """Cut off a record that a full disk or a loss of power has left half-written: Optuna would stumble over it."""
    if not journal.is_file():
        return
    lock.acquire()
    try:
        content = journal.read_bytes()
        if (whole := content.rfind(b"\n") + 1) < len(content):
            os.truncate(journal, whole)
    finally:
        lock.release()


def _take(study: optuna.Study, folder: Path, recipe: Recipe) -> tuple[optuna.Trial, FileLock] | None:
    """A trial to work on, with the lock that says so: one whose worker died, or the next; None if there is none left.

    Choosing and locking happen under one lock of the study, so that no two workers take the same.
    """
    import optuna
    from optuna.trial import TrialState

    with FileLock(folder / "study.lock"):
        for frozen in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if lock := free_lock(_lock_path(folder, frozen.number)):
                return optuna.Trial(study, frozen._trial_id), lock
        known = study.get_trials(deepcopy=False)
        if not any(trial.state is TrialState.WAITING for trial in known):  # as a worker leaves it that dies right here
            spent = sum(float(trial.user_attrs.get("seconds", 0.0)) for trial in known)
            if len(known) >= recipe.tune.trials or (recipe.tune.minutes and spent >= 60 * recipe.tune.minutes):
                return None
            study.enqueue_trial(_choose(known, recipe))
        trial = study.ask()
        lock = free_lock(_lock_path(folder, trial.number))
        if lock is None:
            raise ZooError(f"trial {trial.number} is locked by another worker", where=folder)
        return trial, lock


def _choose(known: Sequence[optuna.trial.FrozenTrial], recipe: Recipe) -> dict[str, Any]:
    """Values of the next trial: the recipe's own for the first, then what the sampler proposes.

    They are drawn in a study in memory and enter the journal in one record: a trial is never there with some of them.
    """
    import optuna

    if not known:
        return {path: own_value(recipe, path) for path in recipe.tune.space}
    sampler = optuna.samplers.TPESampler(
        n_startup_trials=recipe.tune.startup_trials, seed=recipe.seed * 100_003 + len(known)
    )
    draft = optuna.create_study(direction="maximize", sampler=sampler)
    draft.add_trials([trial for trial in known if trial.state.is_finished()])
    trial = draft.ask()
    suggest(trial, recipe)
    return dict(trial.params)


def _lock_path(folder: Path, number: int) -> Path:
    return folder / f"trial-{number}.lock"


def free_lock(path: Path, timeout_seconds: float = 0) -> FileLock | None:
    """A lock, acquired, if nobody holds it: that of a process that died is free; -1: as soon as nobody does."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=timeout_seconds)
    except Timeout:
        return None
    return lock


def _work(
    study: optuna.Study,
    trial: optuna.Trial,
    folder: Path,
    recipe: Recipe,
    train: Train,
    country: str | None,
    alone: bool,
    progress: TuneProgress,
) -> None:
    """Train one trial and tell its outcome."""
    import optuna
    from optuna.trial import TrialState

    values = suggest(trial, recipe)
    progress.on_trial(trial.number, values)
    state = folder / f"trial-{trial.number}"
    before = float(trial.user_attrs.get("seconds", 0.0))
    energies = [Energy.model_validate_json(text) for text in trial.user_attrs.get("energies", [])]
    started = time.perf_counter()
    outcome, value = TrialState.COMPLETE, None
    with measure(country, alone=alone) as meter:

        def note() -> None:
            trial.set_user_attr("seconds", before + time.perf_counter() - started)
            trial.set_user_attr("energies", [e.model_dump_json() for e in [*energies, meter.energy]])

        def after_epoch(log: EpochRecord) -> None:
            trial.report(log.dev_micro_f1, log.epoch)
            note()
            progress.on_epoch(trial.number, log)
            if trial.should_prune():
                raise optuna.TrialPruned

        try:
            tried = with_values(recipe, values, where=f"trial {trial.number}")
            value = train(trial.number, tried, state / "snapshot.safetensors", after_epoch).best_dev_micro_f1
        except optuna.TrialPruned:
            outcome = TrialState.PRUNED
        except ZooError as error:  # a learning rate at which the loss is not finite is a finding, no end of the search
            outcome = TrialState.FAIL
            trial.set_user_attr("error", error.what)
        note()
    study.tell(trial, value, state=outcome)
    progress.on_result(trial.number, outcome.name.lower(), value)
    shutil.rmtree(state, ignore_errors=True)
