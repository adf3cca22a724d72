"""From finished stages to what a person sees: bases/, checkpoints/ with adapter, result.json, card and predictions."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from zoo.cards.current import current_result
from zoo.cards.render import card_template, render_card
from zoo.energy import Energy
from zoo.errors import ZooError
from zoo.evaluation.predictions import PREDICTIONS_FILE
from zoo.evaluation.result import (
    RESULT_FILE,
    CorpusRecord,
    DaptSummary,
    PassageRecord,
    Result,
    TuneSummary,
    find_results,
    load_result,
    seed_folder,
)
from zoo.files import new_folder, write_whole
from zoo.linking.beside import LINKER_FOLDER
from zoo.linking.published import linker_adapters
from zoo.modeling.adapters import adapter_files, head_folders, named_base, point_at_base, weight_digests
from zoo.modeling.backbones import read_base_info
from zoo.pipeline.context import Context
from zoo.pipeline.linked import copy_linker, linker_notes, linking_fingerprints, shared_ontologies
from zoo.pipeline.plan import chain
from zoo.pipeline.seeds import seed_scores, stage_energy
from zoo.pipeline.stage import Stage, digest, library_versions
from zoo.pipeline.stages import stage_kind
from zoo.pipeline.stages.adapter import TrainRecord
from zoo.pipeline.stages.base import KIND as BASE
from zoo.pipeline.stages.base import is_canonical
from zoo.pipeline.stages.dapt import KIND as DAPT
from zoo.pipeline.stages.dapt import DaptRecord, passage_entries
from zoo.pipeline.stages.evaluate import KIND as EVALUATE
from zoo.pipeline.stages.evaluate import Evaluation
from zoo.pipeline.stages.link_evaluate import KIND as LINK_EVALUATE
from zoo.pipeline.stages.link_evaluate import NOT_LINKED, Linking
from zoo.pipeline.stages.train import KIND as TRAIN
from zoo.pipeline.stages.tune import KIND as TUNE
from zoo.registry.passage_entry import PassageEntry
from zoo.registry.schema import CorpusEntry
from zoo.registry.spdx import UNKNOWN
from zoo.training.study import StudySummary

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


def build_fingerprint(
    last: Stage, context: Context, others: Sequence[Stage] = (), linking: Linking = NOT_LINKED
) -> str:
    """Sha256 of all that determines a checkpoint's folder.

    Args:
        last: Last stage of the seed whose adapter is published.
        context: Registry, settings.
        others: Last stages of its other seeds.
        linking: How its mentions are linked.
    """
    checkpoint, settings = last.checkpoint, context.settings
    shared = shared_ontologies(linking.stage, context.registry) if linking.stage else []
    linked = [linking.stage.fingerprint if linking.stage else None, shared, *linking.notes]
    return digest(
        {
            "evaluate": last.fingerprint,
            **({"seeds": [stage.fingerprint for stage in others]} if others else {}),
            **({"linking": linked} if any(linked) else {}),
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


def is_assembled(last: Stage, context: Context, others: Sequence[Stage] = (), linking: Linking = NOT_LINKED) -> bool:
    """Whether a checkpoint's folder holds exactly what its stages gave; arguments as of `build_fingerprint`.

    Where the output folder was moved or copied, its adapters are made to name the base that is there now.
    """
    folder = checkpoint_folder(last, context)
    base = context.store.folder("base", chain(last)["base"].fingerprint) / "model"
    try:
        result = load_result(folder / RESULT_FILE)
        for adapter in (*head_folders(folder / "adapter"), *linker_adapters(folder / LINKER_FOLDER)):
            if base.is_dir() and named_base(adapter) != str(base):
                point_at_base(adapter, str(base))
    except ZooError:  # missing, damaged, or of another version: to be written anew
        return False
    return result.fingerprints.get(BUILD) == build_fingerprint(last, context, others, linking)


def assemble_base(stage: Stage, context: Context) -> Path:
    """Show a base under `bases/`: by its backbone's name, or with part of its fingerprint where that is taken.

    The plain name is for the base that is published under it; one that another checkpoint of the folder stands on is
    never replaced. The files are links to the artefact's where the file system can link.
    """
    layout = context.layout
    with context.store.lock("show", digest(str(layout.out.resolve() / "bases"))):  # two builds may end at once
        plain, marked = layout.base(stage.name), layout.base(f"{stage.name}-{stage.fingerprint[:8]}")
        taken = read_base_info(plain).get("fingerprint") not in (None, stage.fingerprint) and _is_used(plain, context)
        folder = (marked if taken or _mark(stage, context) else plain).resolve()
        if read_base_info(folder).get("fingerprint") != stage.fingerprint:
            source = context.store.get("base", stage.fingerprint) / "model"
            with new_folder(folder) as temporary:
                shutil.copytree(source, temporary, copy_function=_link, dirs_exist_ok=True)
    return folder


def _mark(stage: Stage, context: Context) -> str:
    """End of the name of a base that is not the canonical one of its backbone."""
    return "" if is_canonical(stage, context) else stage.fingerprint[:8]


def _is_used(base: Path, context: Context) -> bool:
    """Whether a checkpoint of the output folder stands on a base."""
    fingerprint = read_base_info(base).get("fingerprint")
    return any(result.fingerprints.get("base") == fingerprint for result in find_results(context.settings.out))


def assemble(last: Stage, context: Context, others: Sequence[Stage] = (), linking: Linking = NOT_LINKED) -> Result:
    """Write a checkpoint's folder, unless another build just did; it appears whole at the end.

    Arguments as of `build_fingerprint`. The adapter is that of `last`, whatever the scores of the others.
    """
    folder = checkpoint_folder(last, context)
    with context.store.lock("show", digest(str(folder))):
        done = is_assembled(last, context, others, linking)
        return load_result(folder / RESULT_FILE) if done else _assemble(last, context, others, linking)


def _assemble(last: Stage, context: Context, others: Sequence[Stage], linking: Linking) -> Result:
    checkpoint, settings, store = last.checkpoint, context.settings, context.store
    stages = chain(last)
    mark = _mark(stages["base"], context)
    folders = {kind: store.get(kind, stage.fingerprint) for kind, stage in stages.items()}
    evaluation, training = EVALUATE.read(folders["evaluate"]), TRAIN.read(folders["train"])
    study = TUNE.read(folders["tune"]) if "tune" in folders else None
    dapt = DAPT.read(folders["dapt"]) if "dapt" in folders else None
    base = folders["base"] / "model"
    link = linking.stage
    energy = stage_energy((last, *others, *([link] if link else [])), context)
    own = Energy.total([used for kind, used in energy.items() if stage_kind(kind).serves == "checkpoint"])
    shared = Energy.total([used for kind, used in energy.items() if stage_kind(kind).serves == "backbone"])
    assert own is not None
    sharers = _sharers(last, context)
    passages = passage_entries(checkpoint.recipe.dapt, context)
    own_recipe = checkpoint.recipe.model_dump(mode="json", include={"seeds", "link"})  # the training depends on neither
    recipe = {**training.recipe, **own_recipe}
    assemble_base(stages["base"], context)
    with new_folder(checkpoint_folder(last, context)) as folder:
        shutil.copytree(folders["train"] / "adapter", folder / "adapter")
        point_at_base(folder / "adapter", str(base))
        shutil.copy(folders["evaluate"] / PREDICTIONS_FILE, folder)
        if link:
            copy_linker(link, folder, base, context, _link)
        for other in others:
            predictions = seed_folder(folder, other.checkpoint.recipe.seed) / PREDICTIONS_FILE
            predictions.parent.mkdir(parents=True)
            shutil.copy(store.get(other.kind, other.fingerprint) / PREDICTIONS_FILE, predictions)
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
            backbone_origin=BASE.read(folders["base"]).origin,
            corpus=checkpoint.corpus.id,
            entity_types=list(checkpoint.corpus.entity_types),
            decoding=evaluation.decoding,
            scores=evaluation.scores,
            seed_scores=seed_scores((last, *others), context),
            memorisation=evaluation.memorisation,
            without_leaked=evaluation.without_leaked,
            raw_text=evaluation.raw_text,
            robustness=evaluation.robustness,
            errors=evaluation.errors,
            linking=LINK_EVALUATE.read(store.get(link.kind, link.fingerprint)) if link else None,
            notes=[
                *training.warnings,
                *evaluation.notes,
                *linking.notes,
                *(linker_notes(link, context) if link else []),
            ],
            protocol=PROTOCOL,
            trained_parameters=training.trained_parameters,
            trained_share=training.trained_share,
            adapter_bytes=sum(path.stat().st_size for path in adapter_files(folder / "adapter")),
            heads=training.heads or None,
            ceilings=training.ceilings or None,
            discontinuous=training.discontinuous or None,
            train_seconds=training.train_seconds,
            precision=training.precision,
            best_epoch=training.best_epoch,
            training=training.epochs,
            energy=own,
            energy_stages=energy,
            energy_base_share=shared.share(sharers) if shared else None,
            base_sharers=sharers,
            dapt=_dapt_summary(dapt, passages) if dapt else None,
            tune=_tune_summary(study) if study else None,
            recipe=recipe,
            seeds=[checkpoint.recipe.seed],
            corpus_record=_corpus_record(checkpoint.corpus, evaluation, training),
            license=UNKNOWN,
            publishable=False,
            versions={"zoo": version("biomedical-ner-zoo"), **library_versions()},
            fingerprints={
                **evaluation.fingerprints,
                **{kind: stage.fingerprint for kind, stage in stages.items()},
                **(linking_fingerprints(link, folder) if link else {}),
                "labels": digest(context.labels.labels),
                "recipe": digest(recipe),
                **weight_digests(folder / "adapter"),
                BUILD: build_fingerprint(last, context, others, linking),
            },
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )
        result = current_result(result, context.registry)  # judges the licences, and withholds what none may quote
        result.save(folder)
        write_whole(folder / "README.md", render_card(result, checkpoint, context.registry))
    return result


def _corpus_record(entry: CorpusEntry, evaluation: Evaluation, training: TrainRecord) -> CorpusRecord:
    return CorpusRecord(
        title=entry.title,
        languages=list(entry.languages),
        unit=entry.unit,
        source=evaluation.source,
        license=entry.license.spdx,
        documents=evaluation.documents,
        mentions=evaluation.mentions,
        mentions_per_type=evaluation.mentions_per_type,
        examples=evaluation.frequent_mentions,
        repairs=evaluation.repairs,
        drawn=training.drawn,
        dropped_mentions=evaluation.dropped_mentions,
    )


def _dapt_summary(dapt: DaptRecord, passages: Sequence[PassageEntry]) -> DaptSummary:
    return DaptSummary(
        passages=dapt.passages,
        passages_read=dapt.counts.total.read,
        passages_trained=dapt.counts.total.kept_train,
        perplexity_before=dapt.perplexity_before,
        perplexity_after=dapt.perplexity_after,
        head_trained=dapt.head_trained,
        steps=dapt.steps,
        tokens=dapt.tokens,
        licenses=list(dict.fromkeys(entry.license.spdx for entry in passages)),
        sources=[
            PassageRecord(
                id=entry.id,
                title=entry.title,
                homepage=entry.homepage,
                license=entry.license,
                read=dapt.counts.entries[entry.id].read,
                trained=dapt.counts.entries[entry.id].kept_train,
                fetched=dapt.fetched.get(entry.id, ""),
            )
            for entry in passages
        ],
        trained_parameters=dapt.trained_parameters,
        train_seconds=dapt.train_seconds,
        precision=dapt.precision,
    )


def _tune_summary(study: StudySummary) -> TuneSummary:
    return TuneSummary(
        trials=len(study.trials),
        completed=sum(trial.state == "complete" for trial in study.trials),
        best_values=study.best_values,
        best_dev_micro_f1=study.best_dev_micro_f1,
        recipe_dev_micro_f1=study.recipe_dev_micro_f1,
        confirmed=study.confirmed,
        importances=study.importances,
    )


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
