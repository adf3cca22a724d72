"""From finished stages to what a person sees: bases/, checkpoints/ with adapter, result.json, card and predictions."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from zoo.cards.current import current_result
from zoo.cards.licenses import judge, passage_obstacles
from zoo.cards.render import card_template, render_card
from zoo.energy import Energy
from zoo.errors import ZooError
from zoo.evaluation.predictions import PREDICTIONS_FILE
from zoo.evaluation.result import (
    RESULT_FILE,
    DaptSummary,
    PassageRecord,
    Result,
    TuneSummary,
    load_result,
    write_text,
)
from zoo.files import file_sha256
from zoo.modeling.adapters import ADAPTER_CONFIG, ADAPTER_WEIGHTS, point_at_base
from zoo.modeling.backbones import read_base_info
from zoo.pipeline.context import Context
from zoo.pipeline.evaluate import Evaluation
from zoo.pipeline.layout import new_folder
from zoo.pipeline.plan import Stage, chain, digest, is_canonical_base, library_versions, passage_entries
from zoo.pipeline.stages import DaptRecord, TrainRecord, read_record
from zoo.training.tune import StudySummary

BUILD = "build"
"""Name of the fingerprint, in `result.json`, of all that a checkpoint's folder was assembled from."""
PROTOCOL = (
    "Strict entity micro-F1: predicted and gold character spans [start, end) with type, compared as sets over the "
    "whole text of every test document; decoding as transformers' pipeline with the aggregation_strategy named in "
    "the field decoding. On token-column corpora the text is the tokens joined by spaces, where this equals seqeval in "
    "strict IOB2 mode."
)
_STUDY_FILES = (".html", ".png")


def checkpoint_folder(stage: Stage, context: Context) -> Path:
    """Where a checkpoint's files go."""
    checkpoint = stage.checkpoint
    return context.layout.checkpoint(checkpoint.backbone.id, checkpoint.corpus.id).resolve()


def build_fingerprint(last: Stage, context: Context) -> str:
    """Sha256 of all that determines a checkpoint's folder."""
    checkpoint, settings = last.checkpoint, context.settings
    return digest(
        {
            "evaluate": last.fingerprint,
            "names": asdict(settings.names),
            "country": settings.country,
            "backbone": checkpoint.backbone.model_dump(mode="json"),
            "corpus": checkpoint.corpus.model_dump(mode="json"),
            "passages": [e.model_dump(mode="json") for e in passage_entries(checkpoint.recipe.dapt, context)],
            "labels": context.registry.labels.model_dump(mode="json"),
            "template": card_template(),
            "sharers": _sharers(last, context),
        }
    )


def is_assembled(last: Stage, context: Context) -> bool:
    """Whether a checkpoint's folder holds exactly what its stages gave."""
    folder = checkpoint_folder(last, context)
    try:
        result = load_result(folder / RESULT_FILE)
    except ZooError:  # missing, damaged, or of another version: to be written anew
        return False
    return result.fingerprints.get(BUILD) == build_fingerprint(last, context)


def assemble_base(stage: Stage, context: Context) -> Path:
    """Show a base under `bases/`: by its backbone's name, with part of its fingerprint if its recipe is not the usual.

    The files are links to the artefact's where the file system can link.
    """
    mark = _mark(stage, context)
    name = f"{stage.name}-{mark}" if mark else stage.name
    folder = context.layout.base(name).resolve()
    with context.store.lock("show", digest(str(folder))):  # two builds may end at once
        if read_base_info(folder).get("fingerprint") != stage.fingerprint:
            source = context.store.get("base", stage.fingerprint) / "model"
            with new_folder(folder) as temporary:
                shutil.copytree(source, temporary, copy_function=_link, dirs_exist_ok=True)
    return folder


def _mark(stage: Stage, context: Context) -> str:
    """What tells a base of unusual pre-training from the usual one of its backbone."""
    return "" if is_canonical_base(stage, context) else stage.fingerprint[:8]


def assemble(last: Stage, context: Context) -> Result:
    """Write a checkpoint's folder, unless another build just did; it appears whole at the end."""
    folder = checkpoint_folder(last, context)
    with context.store.lock("show", digest(str(folder))):
        return load_result(folder / RESULT_FILE) if is_assembled(last, context) else _assemble(last, context)


def _assemble(last: Stage, context: Context) -> Result:
    checkpoint, settings, store = last.checkpoint, context.settings, context.store
    stages = chain(last)
    mark = _mark(stages["base"], context)
    folders = {kind: store.get(kind, stage.fingerprint) for kind, stage in stages.items()}
    known = {kind: store.read(kind, stage.fingerprint) for kind, stage in stages.items()}
    evaluation = read_record(folders["evaluate"], Evaluation)
    training = read_record(folders["train"], TrainRecord)
    study = read_record(folders["tune"], StudySummary) if "tune" in folders else None
    dapt = read_record(folders["dapt"], DaptRecord) if "dapt" in folders else None
    assemble_base(stages["base"], context)
    base = folders["base"] / "model"
    energy = {kind: artefact.energy.in_country(settings.country) for kind, artefact in known.items() if artefact.energy}
    own = Energy.total([energy[kind] for kind in ("tune", "train", "evaluate") if kind in energy])
    assert own is not None
    sharers = _sharers(last, context)
    shared = Energy.total([energy[kind] for kind in ("dapt", "base") if kind in energy])
    passages = passage_entries(checkpoint.recipe.dapt, context)
    verdict, obstacles = judge(checkpoint.backbone, checkpoint.corpus, passages), passage_obstacles(passages)
    with new_folder(checkpoint_folder(last, context)) as folder:
        shutil.copytree(folders["train"] / "adapter", folder / "adapter")
        point_at_base(folder / "adapter", str(base))
        shutil.copy(folders["evaluate"] / PREDICTIONS_FILE, folder)
        if study:
            (folder / "study").mkdir()
            for path in sorted(folders["tune"].iterdir()):
                if path.suffix in _STUDY_FILES:
                    shutil.copy(path, folder / "study")
        result = Result(
            checkpoint_id=checkpoint.id,
            repo_id=checkpoint.repo_id(settings.names),
            base_repo_id=settings.names.of_base(checkpoint.backbone.id, mark),
            names=settings.names,
            base_mark=mark,
            backbone=checkpoint.backbone.id,
            backbone_origin=str(read_base_info(base)["origin"]),
            corpus=checkpoint.corpus.id,
            entity_types=list(checkpoint.corpus.entity_types),
            decoding=evaluation.decoding,
            scores=evaluation.scores,
            memorisation=evaluation.memorisation,
            without_leaked=evaluation.without_leaked,
            raw_text=evaluation.raw_text,
            robustness=evaluation.robustness,
            errors=evaluation.errors,
            notes=evaluation.notes,
            protocol=PROTOCOL,
            trained_parameters=training.trained_parameters,
            trained_share=training.trained_share,
            adapter_bytes=sum((folder / "adapter" / name).stat().st_size for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS)),
            train_seconds=training.train_seconds,
            precision=training.precision,
            best_epoch=training.best_epoch,
            training=training.epochs,
            energy=own,
            energy_stages=energy,
            energy_base_share=shared.share(sharers) if shared else None,
            base_sharers=sharers,
            dapt=DaptSummary(
                passages=dapt.passages,
                passages_read=dapt.counts.total.read,
                passages_trained=dapt.counts.total.kept_train,
                perplexity_before=dapt.perplexity_before,
                perplexity_after=dapt.perplexity_after,
                head_trained=dapt.head_trained,
                steps=dapt.steps,
                tokens=dapt.tokens,
                licenses=dapt.licenses,
                sources=[
                    PassageRecord(id=entry.id, title=entry.title, homepage=entry.homepage, license=entry.license)
                    for entry in passages
                ],
                publishable=not obstacles,
                reasons=obstacles,
                trained_parameters=dapt.trained_parameters,
                train_seconds=dapt.train_seconds,
                precision=dapt.precision,
            )
            if dapt
            else None,
            tune=TuneSummary(
                trials=len(study.trials),
                completed=sum(trial.state == "complete" for trial in study.trials),
                best_values=study.best_values,
                best_dev_micro_f1=study.best_dev_micro_f1,
                recipe_dev_micro_f1=study.recipe_dev_micro_f1,
                importances=study.importances,
            )
            if study
            else None,
            recipe=training.recipe,
            seeds=[checkpoint.recipe.seed],
            corpus_record=evaluation.corpus_record,
            license=verdict.spdx,
            publishable=verdict.publishable,
            versions={"zoo": version("biomedical-ner-zoo"), **library_versions()},
            fingerprints={
                **evaluation.fingerprints,
                **{kind: stage.fingerprint for kind, stage in stages.items()},
                "labels": digest(context.labels.labels),
                "recipe": digest(training.recipe),
                "adapter": file_sha256(folder / "adapter" / ADAPTER_WEIGHTS),
                BUILD: build_fingerprint(last, context),
            },
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )
        result = current_result(result, context.registry)
        result.save(folder)
        write_text(folder / "README.md", render_card(result, checkpoint, context.registry))
    return result


def _sharers(last: Stage, context: Context) -> int:
    """Checkpoints that the registry's suites put on a base: its energy is shared among them."""
    backbone = last.checkpoint.backbone.id
    corpora = {c for suite in context.registry.suites.values() if backbone in suite.backbones for c in suite.corpora}
    return max(1, len(corpora | {last.checkpoint.corpus.id}))


def _link(source: str, destination: str) -> None:
    """A hard link, or a copy where there can be none. The marker file is copied: it is read on its own."""
    try:
        os.link(source, destination)
    except OSError:
        shutil.copy2(source, destination)
