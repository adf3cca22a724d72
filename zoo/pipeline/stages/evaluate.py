"""The scores of a checkpoint on dev and test, and what is measured beside them.

All that is measured is kept, also what a licence forbids to quote: which of it is shown is decided when the folder of
the checkpoint is assembled, by the registry as it then stands.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field
from typing_extensions import override

from zoo.corpora.document import Document, count_mentions, text_of
from zoo.corpora.load import Corpus
from zoo.corpora.originals import load_test_originals
from zoo.errors import ZooError
from zoo.evaluation.error_summary import ErrorSummary, summarize_errors
from zoo.evaluation.errors import analyse
from zoo.evaluation.leakage import leaked_test_documents
from zoo.evaluation.memorisation import SeenUnseen, WithoutLeaked, seen_unseen, without_leaked
from zoo.evaluation.oracle import RawTextScore, score_raw_text
from zoo.evaluation.predictions import PREDICTIONS_FILE, write_predictions
from zoo.evaluation.result import Decoding, RobustnessScore
from zoo.evaluation.robustness import perturbations_for, robustness
from zoo.evaluation.scoring import MemberScores, Scores, SplitScore, gold_keys, score_predictions, tag_documents
from zoo.evaluation.spans import count_documents
from zoo.modeling.adapters import read_heads
from zoo.modeling.heads import Head, heads_of
from zoo.modeling.labels import LabelSpace
from zoo.modeling.reach import missing_mentions
from zoo.modeling.windows import Entity, aggregation_strategy
from zoo.pipeline.context import Context
from zoo.pipeline.stage import Job, Stage, StageKind, split_fingerprints, subtokens
from zoo.pipeline.stages.train import KIND as TRAIN
from zoo.records import Record
from zoo.registry.loader import Checkpoint
from zoo.registry.recipes import Recipe
from zoo.registry.schema import SPLITS, SplitName
from zoo.tagging.tagger import Tagger

_EXAMPLES_PER_TYPE = 8
_DISK_BYTES = 2e6


class Evaluation(Record):
    """`evaluation.json`: everything measured on an adapter and on the corpus; it stays on this machine, with quotes."""

    decoding: Decoding
    scores: Scores
    memorisation: SeenUnseen
    without_leaked: WithoutLeaked
    raw_text: RawTextScore | None
    robustness: dict[str, RobustnessScore] | None
    errors: ErrorSummary
    notes: list[str]
    source: str = Field(description="where the corpus was found, in words fit for a card")
    documents: dict[str, int] = Field(description="split -> documents")
    mentions: dict[str, int] = Field(description="split -> gold mentions")
    mentions_per_type: dict[str, int] = Field(description="training mentions of each type")
    frequent_mentions: dict[str, list[str]] = Field(description="most frequent training mentions of each type")
    repairs: dict[str, int] = Field(description="what the reader repaired and the overlap policy left out, counted")
    dropped_mentions: dict[str, int] = Field(description="split -> mentions that the overlap policy left out")
    fingerprints: dict[str, str]


class Evaluate(StageKind[Evaluation]):
    """Tags dev and test with the adapter as it was written, and scores that."""

    name = "evaluate"
    code = 3
    record = Evaluation
    record_file = "evaluation.json"
    default_rate = 6e-6
    flop_per_work = 2e6

    @override
    def plan(self, checkpoint: Checkpoint, context: Context, seed: int | None = None) -> Stage:
        """The scores of the adapter of one of the seeds of a recipe; None: of the first."""
        train = TRAIN.plan(checkpoint, context, seed)
        checkpoint = train.checkpoint
        corpus, settings = checkpoint.corpus, context.settings
        key = {
            "code": self.code,
            "train": train.fingerprint,
            "splits": split_fingerprints(corpus, context, SPLITS),
            "unit": corpus.unit,
            "types": corpus.types,
            "overlaps": corpus.overlaps,
            "originals": corpus.originals.model_dump(mode="json") if corpus.originals else None,
            "originals_at_hand": bool(corpus.originals and (settings.originals or not settings.offline)),
            "spellings": list(perturbations_for(corpus.language)),
            "evaluation": checkpoint.recipe.evaluation.model_dump(),
            "seed": checkpoint.recipe.seed,
            "stride_tokens": checkpoint.backbone.stride_tokens,
        }
        return Stage(self.name, checkpoint.id, key, (train,), checkpoint, train.seed)

    @override
    def run(self, job: Job) -> None:
        train = job.stage.inputs["train"]
        job.context.store.get("base", train.inputs["base"].fingerprint)  # beside the adapter, which names it
        evaluation = evaluate_adapter(
            job.input("train") / "adapter", job.stage.checkpoint, job.context, job.work / PREDICTIONS_FILE
        )
        for note in evaluation.notes:
            job.progress.warn(note)
        self.write(job.work, evaluation)

    @override
    def work(self, checkpoint: Checkpoint, key: Mapping[str, Any], context: Context) -> float:
        test, info = subtokens(checkpoint, "test"), checkpoint.corpus.splits.get("test")
        most, documents = int(key["evaluation"]["robustness_documents"]), (info and info.documents) or 0
        share = min(1.0, most / documents) if documents else float(bool(most))
        raw = bool(key["originals"] and key["originals_at_hand"])
        passes = 1 + (1 + len(key["spellings"])) * share + raw
        return checkpoint.backbone.parameters_million * (subtokens(checkpoint, "dev") + passes * test)

    @override
    def disk_bytes(self, stage: Stage) -> float:
        return _DISK_BYTES

    @override
    def describe(self, record: Evaluation) -> str:
        test = record.scores.test
        return f"test micro-F1 {100 * test.micro_f1:.2f} [{100 * test.ci95[0]:.2f}, {100 * test.ci95[1]:.2f}]"


KIND = Evaluate()


def evaluate_adapter(adapter: Path, checkpoint: Checkpoint, context: Context, predictions_path: Path) -> Evaluation:
    """Score an adapter on dev and test and write its predictions on test.

    Args:
        adapter: PEFT folder that names its base.
        checkpoint: What it is an adapter of.
        context: Where corpora and original documents are had from.
        predictions_path: File for gold and predicted spans of the test documents.
    """
    corpus, recipe = context.corpus(checkpoint.corpus), checkpoint.recipe
    tagger = Tagger.load(adapter, stride_tokens=checkpoint.backbone.stride_tokens)
    described = [Head(h["name"], tuple(h["types"]), h["level"]) for h in read_heads(adapter)]
    heads = described or heads_of("flat", corpus.entry.entity_types)
    scored: tuple[SplitName, ...] = ("dev", "test")
    found = {split: tag_documents(tagger, corpus.splits[split]) for split in scored}

    def score(split: SplitName, part: slice = slice(None)) -> SplitScore:
        return _score(tagger, corpus.splits[split][part], found[split][part], heads, context.labels, recipe)

    members = {}
    for part in corpus.entry.members:
        own = corpus.members[part.id]
        dev, test = score("dev", own["dev"]), score("test", own["test"])
        members[part.id] = MemberScores(language=part.language, dev=dev, test=test)
    raw_text, notes = _raw_text(tagger, corpus, context, recipe)
    documents, predictions, train = corpus.splits["test"], found["test"], corpus.splits["train"]
    if not any(predictions):
        notes.append("nothing was found in the test documents: the model has not learned its task")
    counts = count_documents(gold_keys(documents), [[entity.key for entity in entities] for entities in predictions])
    write_predictions(predictions_path, documents, predictions)
    mentions = _train_mentions(corpus)
    return Evaluation(
        decoding=Decoding(
            aggregation_strategy=aggregation_strategy(tagger.tokenizer),
            window_tokens=tagger.window_tokens,
            stride_tokens=tagger.stride_tokens,
        ),
        scores=Scores(dev=score("dev"), test=score("test"), members=members),
        memorisation=seen_unseen(train, documents, predictions),
        without_leaked=without_leaked(counts, leaked_test_documents(corpus).leaked_documents),
        raw_text=raw_text,
        robustness=_robustness(tagger, corpus, recipe.evaluation.robustness_documents),
        errors=summarize_errors(analyse(documents, predictions), quote=True),
        notes=notes,
        source=corpus.source,
        documents={split: len(documents) for split, documents in corpus.splits.items()},
        mentions={split: count_mentions(documents) for split, documents in corpus.splits.items()},
        mentions_per_type={name: found.total() for name, found in mentions.items()},
        frequent_mentions={name: _most_frequent(found) for name, found in mentions.items()},
        repairs=dict(corpus.repairs),
        dropped_mentions=dict(corpus.dropped_mentions),
        fingerprints={f"split_{split}": value for split, value in corpus.fingerprints.items()},
    )


def _score(
    tagger: Tagger,
    documents: Sequence[Document],
    predictions: Sequence[Sequence[Entity]],
    heads: Sequence[Head],
    labels: LabelSpace,
    recipe: Recipe,
) -> SplitScore:
    windows = tagger.encode([document.text for document in documents])
    missing = missing_mentions(documents, windows, heads, labels)
    return score_predictions(
        documents,
        predictions,
        samples=recipe.evaluation.bootstrap_samples,
        seed=recipe.seed,
        unaligned=missing.unaligned,
        unreachable=missing.unreachable,
    )


def _raw_text(
    tagger: Tagger, corpus: Corpus, context: Context, recipe: Recipe
) -> tuple[RawTextScore | None, list[str]]:
    """The raw-text score where the corpus has original documents and they can be had; else why not."""
    if corpus.entry.originals is None:
        return None, []
    try:
        documents = load_test_originals(corpus.entry, corpus.splits["test"], context.settings)
    except ZooError as error:
        return None, [f"raw text not scored: {error.what}"]
    return score_raw_text(tagger, documents, samples=recipe.evaluation.bootstrap_samples, seed=recipe.seed), []


def _robustness(tagger: Tagger, corpus: Corpus, most: int) -> dict[str, RobustnessScore] | None:
    """More passes over a test split of 50,000 sentences would take longer than the training."""
    if not most:
        return None
    documents, perturbations = corpus.splits["test"], perturbations_for(corpus.entry.language)
    some = documents[:: math.ceil(len(documents) / most) or 1]
    return {
        name: RobustnessScore(**score._asdict(), documents=len(some))
        for name, score in robustness(tagger, some, perturbations=perturbations).items()
    }


def _train_mentions(corpus: Corpus) -> dict[str, Counter[str]]:
    """Type -> texts of its training mentions, counted."""
    found: dict[str, Counter[str]] = {name: Counter() for name in corpus.entry.entity_types}
    for document in corpus.splits["train"]:
        for span in document.spans:
            found[span.type][text_of(document.text, span.key)] += 1
    return found


def _most_frequent(mentions: Counter[str]) -> list[str]:
    ordered = sorted(mentions.items(), key=lambda item: (-item[1], item[0]))
    return [text for text, _ in ordered[:_EXAMPLES_PER_TYPE]]
