"""The search of a checkpoint's recipe; the trial it chooses is the adapter that the checkpoint ships."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from typing_extensions import override

from zoo.evaluation.result import EpochRecord
from zoo.files import write_whole
from zoo.modeling.processes import follow_parent
from zoo.modeling.quiet import quiet_libraries
from zoo.pipeline.context import Context
from zoo.pipeline.progress import StageProgress
from zoo.pipeline.stage import Job, Stage, StageKind, version
from zoo.pipeline.stages.adapter import TRAINING_FILE, train_adapter, training_key, training_work
from zoo.pipeline.stages.base import KIND as BASE
from zoo.pipeline.store import RESUME
from zoo.registry.loader import Checkpoint
from zoo.registry.recipes import Recipe, TuneRecipe
from zoo.training.confirmation import confirm
from zoo.training.finetune import Progress, TrainingLog
from zoo.training.study import StudySummary, plot_study, search
from zoo.training.tune import JOURNAL, TuneProgress, open_study, work_on

BEST = "best"
"""Folder of the trial that a search chose: adapter and `training.json`."""
_POLL_SECONDS = 1.0
_DISK_BYTES = 20e6  # three plots with plotly inside


class Tune(StageKind[StudySummary]):
    """Trains the trials of a study, in one process or several."""

    name = "tune"
    code = 12
    record = StudySummary
    record_file = "study.json"
    default_rate = 2.4e-5

    @override
    def plan(self, checkpoint: Checkpoint, context: Context) -> Stage:
        base = BASE.plan(checkpoint, context)
        key = {
            **training_key(checkpoint, context),
            "base": base.fingerprint,
            "code": self.code,
            "tune": checkpoint.recipe.tune.model_dump(mode="json"),
        }
        key["versions"] = {**key["versions"], "optuna": version("optuna")}
        return Stage(self.name, checkpoint.id, key, (base,), checkpoint)

    @override
    def run(self, job: Job) -> None:
        recipe, folder = job.stage.checkpoint.recipe, job.work / RESUME / "study"
        job.progress.steps(recipe.tune.trials + recipe.tune.repeats, 0)
        if job.context.tune_workers > 1:
            _search_in_parallel(job, folder)
        summary = search(folder, recipe, **_arguments(job, folder))
        self.write(job.work, summary)
        plot_study(folder, job.work, recipe, summary.confirmed)
        shutil.copy(folder / JOURNAL, job.work)
        shutil.copytree(folder / "trained" / str(summary.best_trial), job.work / BEST)

    @override
    def work(self, checkpoint: Checkpoint, key: Mapping[str, Any], context: Context) -> float:
        trials, repeats = _trainings(key)
        return (trials + repeats) * training_work(checkpoint, key)

    @override
    def within_budget(self, key: Mapping[str, Any], seconds: float) -> float:
        minutes, (trials, repeats) = key["tune"]["minutes"], _trainings(key)
        each = seconds / (trials + repeats)
        # a trial that has begun is ended, and the repeats come after the time is up
        return seconds if minutes is None else min(trials * each, 60 * float(minutes) + each) + repeats * each

    @override
    def disk_bytes(self, stage: Stage) -> float:
        return _DISK_BYTES

    @override
    def describe(self, record: StudySummary) -> str:
        best = f"best dev F1 {100 * record.best_dev_micro_f1:.2f} in trial {record.best_trial}"
        if record.confirmed:
            taken = record.confirmed[0]
            seeds = f"{100 * taken.mean:.2f} ± {100 * taken.std:.2f} over {len(taken.seeds)} seeds"
            best = f"trial {taken.trial} taken, dev F1 {seeds}"
        return f"{len(record.trials)} trials, {best}"


KIND = Tune()


def _trainings(key: Mapping[str, Any]) -> tuple[int, int]:
    """Numbers of trials and of repeats of the best of them."""
    tune = {name: key["tune"][name] for name in ("trials", "confirm_top", "confirm_seeds")}
    return int(tune["trials"]), TuneRecipe(**tune).repeats


def _search_in_parallel(job: Job, folder: Path) -> None:
    """Let several processes work on the study, and report their trials as they end; then on its repeats."""
    workers, reported = job.context.tune_workers, set[int]()
    study, report = open_study(folder, job.stage.checkpoint.recipe), _report_to(job.progress).on_result
    silent = replace(job, progress=StageProgress(), save_energy=_nothing)
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=follow_parent) as pool:
        running = {pool.submit(_work_on, silent, folder) for _ in range(workers)}
        while running:
            ended, running = wait(running, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
            for trial in study.get_trials(deepcopy=False):
                if trial.state.is_finished() and trial.number not in reported:
                    reported.add(trial.number)
                    report(trial.number, trial.state.name.lower(), trial.value)
            for future in ended:
                future.result()
        for future in [pool.submit(_confirm, silent, folder) for _ in range(workers)]:
            future.result()
        job.progress.advance(job.stage.checkpoint.recipe.tune.repeats)


def _nothing() -> None:
    return None


def _work_on(job: Job, folder: Path) -> None:
    """What one of several workers does: it may find that the others have taken all there is."""
    quiet_libraries()
    work_on(folder, job.stage.checkpoint.recipe, **_arguments(job, folder))


def _confirm(job: Job, folder: Path) -> None:
    quiet_libraries()
    recipe = job.stage.checkpoint.recipe
    confirm(folder, open_study(folder, recipe), recipe, **_arguments(job, folder))


def _arguments(job: Job, folder: Path) -> dict[str, Any]:
    """Arguments of a search beside its folder and recipe."""

    def train(number: int, recipe: Recipe, snapshot: Path, after_epoch: Callable[[EpochRecord], None]) -> TrainingLog:
        own = recipe.seed == job.stage.checkpoint.recipe.seed
        trained = folder / "trained" / (str(number) if own else f"{number}-{recipe.seed}")
        shutil.rmtree(trained, ignore_errors=True)
        log, record = train_adapter(job, recipe, trained / "adapter", snapshot, Progress(on_epoch=after_epoch))
        write_whole(trained / TRAINING_FILE, record.to_json())
        return log

    return {
        "train": train,
        "country": job.context.settings.country,
        "alone": job.context.alone and job.context.tune_workers == 1,
        "progress": _report_to(job.progress),
    }


def _report_to(progress: StageProgress) -> TuneProgress:
    def report(number: int, state: str, value: float | None) -> None:
        progress.note(f"trial {number}: {state}" + (f", dev F1 {100 * value:.2f}" if value is not None else ""))
        progress.step()

    def repeat(number: int, seed: int, value: float) -> None:
        report(number, f"seed {seed}", value)

    return TuneProgress(on_result=report, on_repeat=repeat)
