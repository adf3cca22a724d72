"""Bayesian search of a recipe: Optuna's TPE on dev strict micro-F1, in a journal that survives a kill.

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
from pydantic import Field

from zoo.energy import Energy, measure
from zoo.errors import ZooError
from zoo.evaluation.result import EpochRecord
from zoo.records import Record
from zoo.registry.recipes import Recipe, check_space, with_values
from zoo.training.finetune import TrainingLog
from zoo.training.space import decoded, own_value, suggest

if TYPE_CHECKING:
    import optuna
    from optuna.storages.journal import JournalFileSymlinkLock

JOURNAL = "journal.log"
_LOCK_GRACE_SECONDS = 5
_PRUNE_STARTUP = 4
Train = Callable[[int, Recipe, Path, Callable[[EpochRecord], None]], TrainingLog]
"""Trains one trial: its number, its recipe, the file for its state, what it calls after each epoch."""


class Trial(Record):
    """One trial of a finished study."""

    number: int
    state: str = Field(description="complete, pruned or failed")
    values: dict[str, Any] = Field(description="dotted path of the recipe -> value")
    dev_micro_f1: float | None = Field(description="best epoch; of a pruned trial, so far")
    epochs: int
    seconds: float
    energy: Energy | None


class StudySummary(Record):
    """What a search found."""

    trials: list[Trial]
    best_trial: int
    best_values: dict[str, Any]
    best_dev_micro_f1: float
    recipe_dev_micro_f1: float | None = Field(description="of trial 0, the recipe as it stood before the search")
    importances: dict[str, float] = Field(description="PED-ANOVA; empty where there are too few trials")
    seconds: float = Field(description="sum over trials")
    energy: Energy | None


@dataclass(frozen=True)
class TuneProgress:
    """Callbacks of a search."""

    on_trial: Callable[[int, Mapping[str, Any]], None] = lambda number, values: None
    on_epoch: Callable[[int, EpochRecord], None] = lambda number, log: None
    on_result: Callable[[int, str, float | None], None] = lambda number, state, value: None


def search(
    folder: Path,
    recipe: Recipe,
    train: Train,
    *,
    country: str | None,
    alone: bool = True,
    progress: TuneProgress | None = None,
) -> StudySummary:
    """Work on a study until its budget is spent, and sum it up.

    Args:
        folder: Where journal and states of running trials are kept; a study that is there is gone on with.
        recipe: Values of everything that is not searched; trial 0 is the recipe itself.
        train: Trains one trial.
        country: Validated ISO 3166 alpha-3 code, or None for the world average.
        alone: Whether nothing else is built on this machine at the same time (for the energy).
        progress: Callbacks.

    Raises:
        ZooError: The search space holds what the recipe may not have, or no trial was completed.
    """
    return summarize(work_on(folder, recipe, train, country=country, alone=alone, progress=progress), recipe)


def work_on(
    folder: Path,
    recipe: Recipe,
    train: Train,
    *,
    country: str | None,
    alone: bool = True,
    progress: TuneProgress | None = None,
) -> optuna.Study:
    """As `search` for one of several workers: the study as it stands when this one finds nothing more to do."""
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
            if lock := _free(folder, frozen.number):
                return optuna.Trial(study, frozen._trial_id), lock
        known = study.get_trials(deepcopy=False)
        if not any(trial.state is TrialState.WAITING for trial in known):  # as a worker leaves it that dies right here
            spent = sum(float(trial.user_attrs.get("seconds", 0.0)) for trial in known)
            if len(known) >= recipe.tune.trials or (recipe.tune.minutes and spent >= 60 * recipe.tune.minutes):
                return None
            study.enqueue_trial(_choose(known, recipe))
        trial = study.ask()
        lock = _free(folder, trial.number)
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


def _free(folder: Path, number: int) -> FileLock | None:
    """The lock of a trial if nobody holds it: the lock of a process that died is free."""
    lock = FileLock(folder / f"trial-{number}.lock")
    try:
        lock.acquire(timeout=0)
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


def summarize(study: optuna.Study, recipe: Recipe) -> StudySummary:
    """Trials, best values and importances of a study.

    Raises:
        ZooError: No trial was completed.
    """
    from optuna.trial import TrialState

    trials = []
    for frozen in study.get_trials(deepcopy=False):
        if not frozen.state.is_finished():
            continue
        reported = frozen.intermediate_values
        energies = [Energy.model_validate_json(text) for text in frozen.user_attrs.get("energies", [])]
        trials.append(
            Trial(
                number=frozen.number,
                state={"FAIL": "failed"}.get(frozen.state.name, frozen.state.name.lower()),
                values={path: decoded(value) for path, value in frozen.params.items()},
                dev_micro_f1=max(reported.values(), default=None),
                epochs=len(reported),
                seconds=float(frozen.user_attrs.get("seconds", 0.0)),
                energy=Energy.total(energies),
            )
        )
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not complete:
        errors = {t.user_attrs["error"] for t in study.get_trials(deepcopy=False) if "error" in t.user_attrs}
        raise ZooError(
            "no trial of the search was completed" + (f": {sorted(errors)[0]}" if errors else ""),
            where="tune",
            fix="narrow tune.space, or give tune.trials and tune.minutes more room",
        )
    best = min(complete, key=lambda trial: (-float(trial.value or 0.0), trial.number))
    first = next((t.dev_micro_f1 for t in trials if t.number == 0 and t.state == "complete"), None)
    return StudySummary(
        trials=trials,
        best_trial=best.number,
        best_values={path: decoded(value) for path, value in best.params.items()},
        best_dev_micro_f1=float(best.value or 0.0),
        recipe_dev_micro_f1=first,
        importances=_importances(study, len(complete)),
        seconds=sum(t.seconds for t in trials),
        energy=Energy.total([t.energy for t in trials if t.energy]),
    )


def _importances(study: optuna.Study, completed: int) -> dict[str, float]:
    """Share of the variance that each value explains (PED-ANOVA, arXiv 2304.10255)."""
    import warnings

    import optuna

    if completed < 5:
        return {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = optuna.importance.get_param_importances(
                study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
            )
    except (ValueError, RuntimeError):  # all values alike
        return {}
    return {path: float(share) for path, share in found.items()}


def plot_study(folder: Path, destination: Path, recipe: Recipe) -> list[str]:
    """Write history, importances and parallel coordinates of a study as HTML and PNG; the names of the files."""
    import warnings

    os.environ.setdefault("MPLBACKEND", "Agg")
    import matplotlib.pyplot as plt
    import optuna.visualization as interactive
    import optuna.visualization.matplotlib as static

    study = open_study(folder, recipe)
    drawn = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # experimental marks of the plots
        for name in ("optimization_history", "param_importances", "parallel_coordinate"):
            if name == "param_importances" and not _importances(study, len(study.trials)):
                continue
            getattr(interactive, f"plot_{name}")(study).write_html(destination / f"{name}.html", include_plotlyjs=True)
            getattr(static, f"plot_{name}")(study)
            plt.savefig(destination / f"{name}.png", dpi=120, bbox_inches="tight")
            plt.close("all")
            drawn += [f"{name}.html", f"{name}.png"]
    return drawn
