"""The score of an adapter on its corpus: what a build measures once it is trained."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from zoo.cards.licenses import may_quote
from zoo.corpora.document import Document, count_mentions
from zoo.corpora.load import Corpus
from zoo.corpora.originals import load_test_originals
from zoo.errors import ZooError
from zoo.evaluation.error_summary import ErrorSummary, summarize_errors
from zoo.evaluation.errors import analyse
from zoo.evaluation.leakage import leaked_test_documents
from zoo.evaluation.memorisation import SeenUnseen, WithoutLeaked, seen_unseen, without_leaked
from zoo.evaluation.oracle import RawTextScore, score_raw_text
from zoo.evaluation.predictions import write_predictions
from zoo.evaluation.result import CorpusRecord, Decoding, RobustnessScore, Scores
from zoo.evaluation.robustness import perturbations_for, robustness
from zoo.evaluation.scoring import SplitScore, gold_keys, score_predictions, tag_documents
from zoo.evaluation.spans import count_documents
from zoo.modeling.labels import LabelSpace
from zoo.modeling.windows import Entity, aggregation_strategy, encode, unaligned_mentions
from zoo.pipeline.context import Context
from zoo.records import Record
from zoo.registry.loader import Checkpoint
from zoo.registry.recipes import Recipe
from zoo.tagging.tagger import Tagger

_EXAMPLES_PER_TYPE = 8


class Evaluation(Record):
    """`evaluation.json`: everything measured on an adapter, and the corpus it was measured on."""

    decoding: Decoding
    scores: Scores
    memorisation: SeenUnseen
    without_leaked: WithoutLeaked
    raw_text: RawTextScore | None
    robustness: dict[str, RobustnessScore] | None = None
    errors: ErrorSummary | None = None
    notes: list[str]
    corpus_record: CorpusRecord
    fingerprints: dict[str, str]


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
    dev, _ = _score(tagger, corpus.splits["dev"], context.labels, recipe)
    test, predictions = _score(tagger, corpus.splits["test"], context.labels, recipe)
    raw_text, notes = _raw_text(tagger, corpus, context, recipe)
    documents = corpus.splits["test"]
    counts = count_documents(gold_keys(documents), [[entity.key for entity in entities] for entities in predictions])
    write_predictions(predictions_path, documents, predictions)
    return Evaluation(
        decoding=Decoding(
            aggregation_strategy=aggregation_strategy(tagger.tokenizer),
            window_tokens=tagger.window_tokens,
            stride_tokens=tagger.stride_tokens,
        ),
        scores=Scores(dev=dev, test=test),
        memorisation=seen_unseen(corpus.splits["train"], documents, predictions),
        without_leaked=without_leaked(counts, leaked_test_documents(corpus).leaked_documents),
        raw_text=raw_text,
        robustness=_robustness(tagger, corpus, recipe.evaluation.robustness_documents),
        errors=summarize_errors(analyse(documents, predictions), quote=may_quote(corpus.entry.license)),
        notes=notes,
        corpus_record=_corpus_record(corpus),
        fingerprints={f"split_{split}": value for split, value in corpus.fingerprints.items()},
    )


def _score(
    tagger: Tagger, documents: Sequence[Document], labels: LabelSpace, recipe: Recipe
) -> tuple[SplitScore, list[list[Entity]]]:
    predictions = tag_documents(tagger, documents)
    windows = encode(
        tagger.tokenizer,
        [d.text for d in documents],
        window_tokens=tagger.window_tokens,
        stride_tokens=tagger.stride_tokens,
    )
    score = score_predictions(
        documents,
        predictions,
        samples=recipe.evaluation.bootstrap_samples,
        seed=recipe.seed,
        unaligned=unaligned_mentions(documents, windows, labels),
    )
    return score, predictions


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
    """Seven more passes over a test split of 50,000 sentences would take longer than the training."""
    if not most:
        return None
    documents, perturbations = corpus.splits["test"], perturbations_for(corpus.entry.language)
    some = documents[:: math.ceil(len(documents) / most) or 1]
    return {
        name: RobustnessScore(**score._asdict(), documents=len(some))
        for name, score in robustness(tagger, some, perturbations=perturbations).items()
    }


def _corpus_record(corpus: Corpus) -> CorpusRecord:
    train = corpus.splits["train"]
    frequent: dict[str, Counter[str]] = {name: Counter() for name in corpus.entry.entity_types}
    for document in train:
        for span in document.spans:
            frequent[span.type][document.text[span.start : span.end]] += 1
    examples: Mapping[str, Sequence[str]] = corpus.entry.examples
    if not examples and may_quote(corpus.entry.license):
        examples = {
            name: [text for text, _ in sorted(c.items(), key=lambda item: (-item[1], item[0]))[:_EXAMPLES_PER_TYPE]]
            for name, c in frequent.items()
        }
    return CorpusRecord(
        title=corpus.entry.title,
        unit=corpus.entry.unit,
        source=corpus.source,
        license=corpus.entry.license.spdx,
        documents={split: len(documents) for split, documents in corpus.splits.items()},
        mentions={split: count_mentions(documents) for split, documents in corpus.splits.items()},
        mentions_per_type={name: c.total() for name, c in frequent.items()},
        examples={name: list(texts) for name, texts in examples.items()},
        repairs=dict(corpus.repairs),
        dropped_mentions=dict(corpus.dropped_mentions),
    )
