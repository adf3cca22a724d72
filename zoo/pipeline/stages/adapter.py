"""The training of one adapter: what the search of a recipe and the training itself have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import Field

from zoo.corpora.document import Document
from zoo.evaluation.result import EpochRecord, HeadRecord
from zoo.files import write_whole
from zoo.modeling.adapters import DISCONTINUOUS_FILE, HEADS_FOLDER, write_heads
from zoo.modeling.heads import Ceiling, ceiling, ceilings, choose
from zoo.modeling.lora import (
    attach_lora,
    check_foreign_rows,
    check_same_logits,
    each_head,
    round_adapter,
    save_adapter,
    trained_share,
)
from zoo.pipeline.context import Context
from zoo.pipeline.stage import Job, library_versions, split_fingerprints, subtokens
from zoo.records import Record
from zoo.registry.loader import Checkpoint
from zoo.registry.recipes import Recipe
from zoo.registry.schema import SPLITS, CorpusEntry, SplitName
from zoo.tagging.coordination import SplitterScore
from zoo.training.coordination import learn_splitter
from zoo.training.finetune import Progress, TrainingLog, finetune, planned_steps
from zoo.training.joining import Share, shares_by_size

TRAINING_FILE = "training.json"
FEW_STEPS = 60
"""A rule of thumb: a training of 18 steps was seen to end at F1 0; F1 by number of steps has not been measured."""


class TrainRecord(Record):
    """`training.json`: how an adapter was trained."""

    recipe: dict[str, Any] = Field(description="as it was used: after the search, with the family's targets")
    trained_parameters: int
    trained_share: float
    train_seconds: float
    precision: str
    heads: list[HeadRecord] = Field(default_factory=list, description="where the adapter is one of several heads")
    ceilings: dict[str, float] = Field(
        default_factory=dict, description="layout of heads -> share of the training mentions that it can hold"
    )
    discontinuous: dict[str, SplitterScore] = Field(
        default_factory=dict, description="type -> how its discontinuous mentions are found, where these are enough"
    )
    drawn: dict[str, int] = Field(
        default_factory=dict, description="of a joined corpus: member -> documents of it that an epoch reads"
    )
    best_epoch: int
    epochs: list[EpochRecord]
    warnings: list[str] = Field(default_factory=list, description="why it may have found too little")


def training_key(checkpoint: Checkpoint, context: Context) -> dict[str, Any]:
    """What determines a training, apart from its base; recipes are resolved, so that the corpus's unit is in them."""
    recipe, joined = checkpoint.recipe, checkpoint.corpus.joined
    members = {part.id: split_fingerprints(part, context, SPLITS) for part in checkpoint.corpus.members}
    noisy = recipe.finetune.noise or "finetune.noise" in recipe.tune.space
    return {
        "splits": split_fingerprints(checkpoint.corpus, context, ("train", "dev")),
        "types": checkpoint.corpus.entity_types,
        "head_modules": context.registry.families[checkpoint.backbone.family].head_modules,
        "lora": recipe.lora.model_dump(),
        **({"heads": recipe.heads.model_dump()} if checkpoint.corpus.overlaps == "keep" else {}),
        **({"joined": {"members": members, "temperature": joined.temperature}} if joined else {}),
        "finetune": recipe.finetune.model_dump(exclude=None if noisy else {"noise"}),
        **({"language": checkpoint.corpus.language} if noisy else {}),
        "seed": recipe.seed,
        "stride_tokens": checkpoint.backbone.stride_tokens,
        "versions": library_versions(),
    }


def training_work(checkpoint: Checkpoint, key: Mapping[str, Any]) -> float:
    """Work of one training: see `StageKind.work`."""
    times = 1 + float(key["finetune"].get("noise", 0.0))
    return (
        checkpoint.backbone.parameters_million
        * float(key["finetune"]["epochs"])
        * (times * subtokens(checkpoint, "train") + subtokens(checkpoint, "dev") / 3)
    )


def warn_of_few_steps(recipe: Recipe, documents: int) -> str | None:
    """A warning where a training has so few steps that it may learn nothing; None where it has enough."""
    steps = planned_steps(documents, recipe.finetune)
    if steps >= FEW_STEPS:
        return None
    epochs = math.ceil(FEW_STEPS / math.ceil(documents / recipe.finetune.batch_size))
    return (
        f"only {steps} training steps ({documents} documents, {recipe.finetune.epochs} epochs): the model may find "
        f"nothing; set finetune.epochs={epochs}, or a smaller finetune.batch_size"
    )


def _shares(entry: CorpusEntry, members: Mapping[str, Mapping[SplitName, slice]]) -> list[Share]:
    """How much of each member an epoch reads; none of a corpus that joins no others."""
    return shares_by_size([own["train"] for own in members.values()], entry.joined.temperature) if entry.joined else []


def _ceilings(checkpoint: Checkpoint, recipe: Recipe, train: Sequence[Document]) -> list[Ceiling]:
    """The layout of heads that is trained, and behind it those that were weighed."""
    types, asked = checkpoint.corpus.entity_types, recipe.heads
    if checkpoint.corpus.overlaps != "keep":
        return [ceiling("flat", train, types)]
    if asked.layout != "auto":
        return [ceiling(asked.layout, train, types, asked.levels)]
    weighed = ceilings(train, types)
    return [choose(weighed), *weighed]


def train_adapter(
    job: Job,
    recipe: Recipe,
    destination: Path,
    snapshot: Path,
    progress: Progress,
    warn: Callable[[str], None] = lambda text: None,
) -> tuple[TrainingLog, TrainRecord]:
    """Train an adapter on the base of a stage, write it, and check that what is written computes what was trained.

    Args:
        job: The stage whose base it stands on.
        recipe: Resolved recipe; of a trial, with the values it tries.
        destination: Folder of the adapter.
        snapshot: File to resume from.
        progress: Callbacks of the training.
        warn: Called with what may have gone wrong though the training ended.
    """
    from transformers import AutoTokenizer

    checkpoint, labels = job.stage.checkpoint, job.context.labels
    stride = checkpoint.backbone.stride_tokens
    family, corpus = job.context.registry.families[checkpoint.backbone.family], job.context.corpus(checkpoint.corpus)
    base = job.input("base") / "model"
    warnings = [text] if (text := warn_of_few_steps(recipe, len(corpus.splits["train"]))) else []
    for text in warnings:
        warn(text)
    found = _ceilings(checkpoint, recipe, corpus.splits["train"])
    heads = found[0].heads
    progress.on_heads(found)
    shares = _shares(corpus.entry, corpus.members)
    drawn = {name: share.documents for name, share in zip(corpus.members, shares, strict=True)}
    progress.on_shares(drawn)
    model = attach_lora(base, family, recipe.lora, labels, heads, recipe.seed)
    share = trained_share(model)
    log = finetune(
        model,
        AutoTokenizer.from_pretrained(base),
        corpus.splits["train"],
        corpus.splits["dev"],
        labels=labels,
        heads=heads,
        recipe=recipe.finetune,
        language=checkpoint.corpus.language,
        stride_tokens=stride,
        seed=recipe.seed,
        progress=progress,
        snapshot_path=snapshot,
        shares=shares,
    )
    if not log.best_dev_micro_f1:
        warnings.append("no mention of the dev split was found in any epoch: train longer, or with another rate")
        warn(warnings[-1])
    round_adapter(model)
    some = [document.text for document in corpus.splits["dev"][:8]]
    for number, head in enumerate(each_head(model, labels, heads)):
        folder = destination / HEADS_FOLDER / head.name if number else destination
        check_foreign_rows(model, labels, head.types)
        save_adapter(model, folder, str(base))
        check_same_logits(model, folder, some)
    if len(heads) > 1:
        write_heads(destination, [asdict(head) for head in heads])
    types = checkpoint.corpus.entity_types if recipe.heads.discontinuous else ()
    splitter, discontinuous = learn_splitter(corpus.splits["train"], types)
    if splitter.types:
        write_whole(destination / DISCONTINUOUS_FILE, splitter.to_json())
    return log, TrainRecord(
        recipe=recipe.model_dump(mode="json"),
        trained_parameters=share.trained_parameters,
        trained_share=share.share,
        train_seconds=log.train_seconds,
        precision=log.precision,
        heads=[HeadRecord.of(head) for head in heads] if len(heads) > 1 else [],
        ceilings={each.name: each.share for each in found[1:] or (found if len(heads) > 1 else [])},
        discontinuous=discontinuous,
        drawn=drawn,
        best_epoch=log.best_epoch,
        epochs=list(log.epochs),
        warnings=warnings,
    )
