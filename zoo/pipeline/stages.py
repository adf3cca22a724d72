"""What each stage does: it reads its inputs' artefacts and writes its own into a work folder."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field

from zoo.energy import measure
from zoo.evaluation.result import EpochRecord
from zoo.files import write_whole
from zoo.modeling.adapters import BASE_INFO, point_at_base
from zoo.modeling.backbones import BackboneFiles, build_base
from zoo.modeling.lora import (
    attach_lora,
    check_foreign_rows,
    round_adapter,
    save_adapter,
    trained_share,
)
from zoo.modeling.quiet import quiet_libraries
from zoo.passages.mixture import MixtureCounts, draw_epoch, mixture_license, prepare_passages
from zoo.pipeline.context import Context
from zoo.pipeline.evaluate import Evaluation, evaluate_adapter
from zoo.pipeline.plan import Kind, Stage, passage_entries, test_corpora
from zoo.pipeline.processes import follow_parent
from zoo.pipeline.progress import Hearer
from zoo.pipeline.store import RESUME, Artefact, note_energy
from zoo.records import Record
from zoo.registry.recipes import Recipe, with_values
from zoo.tagging.tagger import Tagger, check_same_logits
from zoo.training.dapt import DaptProgress, adapt, merge
from zoo.training.dapt_processes import adapt_in_parallel
from zoo.training.finetune import EpochLog, Progress, TrainingLog, finetune
from zoo.training.tune import JOURNAL, StudySummary, TuneProgress, open_study, plot_study, search, work_on

BASE_SEED = 0
"""One base serves recipes of any seed."""
_BEST = "best"
"""Folder of a search's best trial: adapter and `training.json`."""
_SNAPSHOT = "snapshot.safetensors"
_LOOK_SECONDS = 1.0


class DaptRecord(Record):
    """`dapt.json`: what domain-adaptive pre-training gave."""

    perplexity_before: float = Field(description="held-out, of masked tokens; see zoo/training/dapt.py for fairness")
    perplexity_after: float
    heldout_tokens: int
    head_trained: bool = Field(description="the backbone had no language-modelling head: one was trained first")
    steps: int
    tokens: int
    train_seconds: float
    precision: str
    trained_parameters: int
    losses: list[tuple[str, int, float]] = Field(description="phase, step, mean loss since the one before")
    passages: list[str]
    counts: MixtureCounts
    licenses: list[str]
    publishable: bool
    reasons: list[str] = Field(description="why what is derived from these passages may not be published")


class TrainRecord(Record):
    """`training.json`: how an adapter was trained."""

    recipe: dict[str, Any] = Field(description="as it was used: after the search, with the family's targets")
    trained_parameters: int
    trained_share: float
    train_seconds: float
    precision: str
    best_epoch: int
    epochs: list[EpochRecord]


_Work = Callable[[Stage, Context, Path, Hearer, Callable[[], None]], None]


def run_stage(stage: Stage, context: Context, hearer: Hearer) -> Artefact:
    """Do a stage unless it is done, and return its artefact; a stage that another build does is waited for.

    Raises:
        ZooError: What the user can put right.
        OSError: The disk is full or not writable.
    """
    store = context.store
    with store.lock(stage.kind, stage.fingerprint, on_wait=lambda: hearer.note("waits for another build")):
        if store.has(stage.kind, stage.fingerprint):
            return store.read(stage.kind, stage.fingerprint)
        quiet_libraries()
        work = store.work_folder(stage.kind, stage.fingerprint)
        run = uuid.uuid4().hex
        with measure(context.settings.country, alone=context.alone) as meter:
            _STAGES[stage.kind](stage, context, work, hearer, lambda: note_energy(work, run, meter.energy))
        note_energy(work, run, meter.energy)
        return store.finish(work, stage.kind, stage.name, stage.fingerprint, stage.key)


_Record = TypeVar("_Record", DaptRecord, StudySummary, TrainRecord, Evaluation)
_FILES: dict[type[Record], str] = {
    DaptRecord: "dapt.json",
    StudySummary: "study.json",
    TrainRecord: "training.json",
    Evaluation: "evaluation.json",
}


def read_record(folder: Path, model: type[_Record]) -> _Record:
    """The record of a finished stage."""
    return model.model_validate_json((folder / _FILES[model]).read_bytes())


def _write(work: Path, record: Record) -> None:
    write_whole(work / _FILES[type(record)], record.to_json())


def describe(stage: Stage, context: Context) -> str:
    """The outcome of a finished stage, in a line."""
    folder = context.store.get(stage.kind, stage.fingerprint)
    if stage.kind == "dapt":
        dapt = read_record(folder, DaptRecord)
        return f"held-out perplexity {dapt.perplexity_before:.2f} -> {dapt.perplexity_after:.2f}"
    if stage.kind == "tune":
        study = read_record(folder, StudySummary)
        return (
            f"{len(study.trials)} trials, best dev F1 {100 * study.best_dev_micro_f1:.2f} in trial {study.best_trial}"
        )
    if stage.kind == "train":
        training = read_record(folder, TrainRecord)
        best = training.epochs[training.best_epoch - 1]
        return f"dev F1 {100 * best.dev_micro_f1:.2f} in epoch {best.epoch} of {len(training.epochs)}"
    if stage.kind == "evaluate":
        test = read_record(folder, Evaluation).scores.test
        return f"test micro-F1 {100 * test.micro_f1:.2f} [{100 * test.ci95[0]:.2f}, {100 * test.ci95[1]:.2f}]"
    return "done"


def _dapt(stage: Stage, context: Context, work: Path, hearer: Hearer, save_energy: Callable[[], None]) -> None:
    import torch

    checkpoint = stage.checkpoint
    recipe, family = checkpoint.recipe.dapt, context.registry.families[checkpoint.backbone.family]
    entries = passage_entries(recipe, context)
    hearer.note("reads passages and leaves out test sentences")
    prepared = prepare_passages(
        entries,
        [context.corpus(entry) for entry in test_corpora(recipe, context)],
        folders=context.registry.folders,
        local=context.settings.passages,
        heldout_max=recipe.heldout_max,
        seed=recipe.seed,
    )
    epochs = [[p.text for p in draw_epoch(prepared, epoch, recipe.seed)] for epoch in range(recipe.epochs)]

    def note(text: str) -> None:
        hearer.note(text)
        save_energy()

    arguments: dict[str, Any] = {
        "backbone": context.backbone(checkpoint.backbone).folder,
        "family": family,
        "epochs": epochs,
        "heldout": [p.text for p in prepared.heldout],
        "recipe": recipe,
        "destination": work / "adapter",
        "snapshot_path": work / RESUME / _SNAPSHOT,
    }
    if context.alone and (gpus := torch.cuda.device_count()) > 1:
        hearer.note(f"trains on {gpus} GPUs")
        log = adapt_in_parallel(gpus, **arguments)
    else:
        progress = DaptProgress(
            on_phase=lambda name, steps, done: hearer.steps(steps, done), on_step=hearer.step, on_note=note
        )
        log = adapt(**arguments, progress=progress)
    licenses, publishable, reasons = mixture_license(entries)
    record = DaptRecord(
        **{**asdict(log), "losses": list(log.losses)},
        passages=list(recipe.passages),
        counts=prepared.counts,
        licenses=list(licenses),
        publishable=publishable,
        reasons=list(reasons),
    )
    _write(work, record)


def _base(stage: Stage, context: Context, work: Path, hearer: Hearer, save_energy: Callable[[], None]) -> None:
    backbone = stage.checkpoint.backbone
    family, files = context.registry.families[backbone.family], context.backbone(backbone)
    if dapt := stage.need("dapt"):
        merged = work / "merged"
        merge(files.folder, family, context.store.get("dapt", dapt.fingerprint) / "adapter", merged)
        files = BackboneFiles(merged, files.origin)
    build_base(files, family, context.labels, backbone.window_tokens, work / "model", BASE_SEED)
    shutil.rmtree(work / "merged", ignore_errors=True)
    info = {"origin": files.origin, "fingerprint": stage.fingerprint, "dapt": dapt.fingerprint if dapt else None}
    write_whole(work / "model" / BASE_INFO, json.dumps(info, indent=2) + "\n")


def _tune(stage: Stage, context: Context, work: Path, hearer: Hearer, save_energy: Callable[[], None]) -> None:
    recipe, folder = stage.checkpoint.recipe, work / RESUME / "study"
    hearer.steps(recipe.tune.trials, 0)
    if context.tune_workers > 1:
        _share_out(stage, context, folder, hearer)
    summary = search(folder, recipe, **_searching(stage, context, folder, hearer))
    _write(work, summary)
    plot_study(folder, work, recipe)
    shutil.copy(folder / JOURNAL, work)
    shutil.copytree(folder / "trained" / str(summary.best_trial), work / _BEST)


def _share_out(stage: Stage, context: Context, folder: Path, hearer: Hearer) -> None:
    """Let several processes work on the study, and tell of their trials as they end."""
    recipe, told = stage.checkpoint.recipe, set[int]()
    study, tell = open_study(folder, recipe), _tell_to(hearer)
    with ProcessPoolExecutor(context.tune_workers, get_context("spawn"), initializer=follow_parent) as pool:
        running = {pool.submit(_share_search, stage, context, folder) for _ in range(context.tune_workers)}
        while running:
            ended, running = wait(running, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED)
            for trial in study.get_trials(deepcopy=False):
                if trial.state.is_finished() and trial.number not in told:
                    told.add(trial.number)
                    tell(trial.number, trial.state.name.lower(), trial.value)
            for future in ended:
                future.result()


def _share_search(stage: Stage, context: Context, folder: Path) -> None:
    """What one of several workers does: it may find that the others have taken all there is."""
    quiet_libraries()
    work_on(folder, stage.checkpoint.recipe, **_searching(stage, context, folder, Hearer()))


def _searching(stage: Stage, context: Context, folder: Path, hearer: Hearer) -> dict[str, Any]:
    """What a search needs to know beside its recipe."""

    def train(number: int, recipe: Recipe, snapshot: Path, after_epoch: Callable[[EpochLog], None]) -> TrainingLog:
        trained = folder / "trained" / str(number)
        shutil.rmtree(trained, ignore_errors=True)
        log, record = _train_adapter(
            stage, context, recipe, trained / "adapter", snapshot, Progress(on_epoch=after_epoch)
        )
        _write(trained, record)
        return log

    return {
        "train": train,
        "country": context.settings.country,
        "alone": context.alone and context.tune_workers == 1,
        "progress": TuneProgress(on_result=_tell_to(hearer)),
    }


def _tell_to(hearer: Hearer) -> Callable[[int, str, float | None], None]:
    def result(number: int, state: str, value: float | None) -> None:
        hearer.note(f"trial {number}: {state}" + (f", dev F1 {100 * value:.2f}" if value is not None else ""))
        hearer.step()

    return result


def _train(stage: Stage, context: Context, work: Path, hearer: Hearer, save_energy: Callable[[], None]) -> None:
    recipe = stage.checkpoint.recipe
    if tune := stage.need("tune"):  # the search's best trial is the training: the same recipe, data and seed
        shutil.copytree(context.store.get("tune", tune.fingerprint) / _BEST, work, dirs_exist_ok=True)
        return

    def after_epoch(log: EpochLog) -> None:
        hearer.note(f"epoch {log.epoch}: loss {log.loss:.3f}, dev F1 {100 * log.dev_micro_f1:.2f}")
        save_energy()

    progress = Progress(
        on_start=lambda steps: hearer.steps(steps, 0),
        on_resume=hearer.advance,
        on_step=hearer.step,
        on_epoch=after_epoch,
    )
    _, record = _train_adapter(stage, context, recipe, work / "adapter", work / RESUME / _SNAPSHOT, progress)
    _write(work, record)


def _train_adapter(
    stage: Stage,
    context: Context,
    recipe: Recipe,
    destination: Path,
    snapshot: Path,
    progress: Progress,
) -> tuple[TrainingLog, TrainRecord]:
    """Train an adapter on the base of a stage, write it, and check that what is written computes what was trained."""
    from transformers import AutoTokenizer

    checkpoint, labels = stage.checkpoint, context.labels
    types, stride = checkpoint.corpus.entity_types, checkpoint.backbone.stride_tokens
    family, corpus = context.registry.families[checkpoint.backbone.family], context.corpus(checkpoint.corpus)
    given: dict[str, Any] = {"lora.targets": recipe.lora.targets or family.lora_targets}
    if checkpoint.corpus.unit == "document":  # these are texts as users have them
        given["finetune.join_sentences"] = 0.0
    recipe = with_values(recipe, given, where="recipe")
    needed = stage.need("base")
    assert needed is not None
    base = context.store.get("base", needed.fingerprint) / "model"
    model = attach_lora(base, family, recipe.lora, labels, types, recipe.seed)
    share = trained_share(model)
    log = finetune(
        model,
        AutoTokenizer.from_pretrained(base),
        corpus.splits["train"],
        corpus.splits["dev"],
        labels=labels,
        entity_types=types,
        recipe=recipe.finetune,
        stride_tokens=stride,
        seed=recipe.seed,
        progress=progress,
        snapshot_path=snapshot,
    )
    round_adapter(model)
    check_foreign_rows(model, labels, types)
    save_adapter(model, destination, str(base))
    shipped = Tagger.load(destination, stride_tokens=stride)
    check_same_logits(model, shipped, [document.text for document in corpus.splits["dev"][:8]])
    record = TrainRecord(
        recipe=recipe.model_dump(mode="json"),
        trained_parameters=share.trained_parameters,
        trained_share=share.share,
        train_seconds=log.train_seconds,
        precision=log.precision,
        best_epoch=log.best_epoch,
        epochs=[EpochRecord(**asdict(epoch)) for epoch in log.epochs],
    )
    return log, record


def _evaluate(stage: Stage, context: Context, work: Path, hearer: Hearer, save_energy: Callable[[], None]) -> None:
    train = stage.need("train")
    assert train is not None
    base = train.need("base")
    assert base is not None
    adapter = work / "adapter"
    shutil.copytree(context.store.get("train", train.fingerprint) / "adapter", adapter)
    point_at_base(adapter, str(context.store.get("base", base.fingerprint) / "model"))
    checkpoint = stage.checkpoint
    evaluation = evaluate_adapter(adapter, checkpoint, context, work / "predictions.jsonl")
    shutil.rmtree(adapter)
    _write(work, evaluation)


_STAGES: dict[Kind, _Work] = {"dapt": _dapt, "base": _base, "tune": _tune, "train": _train, "evaluate": _evaluate}
