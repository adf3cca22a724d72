"""`zoo evaluate`: score a model on a corpus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.cli.opening import load_tagger, open_corpus, open_registry
from zoo.cli.options import (
    AsJson,
    CorpusArgument,
    MapOption,
    ModelArgument,
    PrecisionOption,
    RegistryOption,
    SplitOption,
    parse_renames,
)
from zoo.cli.output import print_json, print_table, score_cells

if TYPE_CHECKING:
    from zoo.evaluation.scoring import SplitScore


def evaluate(
    model: ModelArgument,
    corpus: CorpusArgument,
    split: SplitOption = "test",
    mapping: MapOption = None,
    precision: PrecisionOption = "float32",
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Score a model on a corpus: strict micro-F1 with a 95% document-bootstrap interval."""
    found, settings = open_registry(registry)
    entry = found.corpus(corpus)
    renames = parse_renames(mapping)
    documents = open_corpus(entry, found, settings).documents(split)
    from zoo.evaluation.scoring import rename_types, score_predictions, tag_documents

    predictions = rename_types(tag_documents(load_tagger(model, renames), documents, precision=precision), renames)
    score = score_predictions(documents, predictions, samples=10_000)
    if as_json:
        about = {"model": model, "corpus": corpus, "split": split, "number_format": precision}
        print_json({**about, **score.model_dump(mode="json")})
    else:
        _print_score(score)


def _print_score(score: SplitScore) -> None:
    rows = [["all", *score_cells(score.micro_f1, score.precision, score.recall, score.ci95), str(score.gold_mentions)]]
    rows += [
        [name, *score_cells(s.f1, s.precision, s.recall), str(s.gold_mentions)] for name, s in score.per_type.items()
    ]
    print_table(["type", "strict F1", "95% interval", "P", "R", "mentions"], rows)
