"""Score a tagger on documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from pydantic import Field

from zoo.corpora.document import Document, Key
from zoo.errors import ZooError, did_you_mean
from zoo.evaluation.nesting import Nesting, score_nesting
from zoo.evaluation.spans import Counts, count_documents, macro_f1, per_type, span_only_f1, total
from zoo.evaluation.statistics import bootstrap_interval
from zoo.modeling.device import Precision
from zoo.modeling.windows import UNTYPED, Entity
from zoo.records import Record
from zoo.tagging.tagger import Tagger


class TypeScore(Record):
    """Score of one entity type, as fractions."""

    f1: float = Field(ge=0, le=1)
    precision: float = Field(ge=0, le=1)
    recall: float = Field(ge=0, le=1)
    gold_mentions: int = Field(ge=0)
    ci95: tuple[float, float] | None = Field(
        default=None, description="95% percentile bootstrap interval of f1 over documents; null: not measured"
    )


class SplitScore(Record):
    """Strict span scores of one split, as fractions."""

    micro_f1: float = Field(
        ge=0, le=1, description="strict: start, end and type agree; micro-averaged over all mentions"
    )
    precision: float = Field(ge=0, le=1)
    recall: float = Field(ge=0, le=1)
    ci95: tuple[float, float] = Field(description="95% percentile bootstrap interval of micro_f1 over documents")
    macro_f1: float = Field(ge=0, le=1, description="mean F1 of the types")
    span_only_f1: float = Field(ge=0, le=1, description="micro-F1 with the type ignored")
    per_type: dict[str, TypeScore]
    documents: int = Field(ge=0)
    gold_mentions: int = Field(ge=0)
    predicted_mentions: int = Field(ge=0)
    truncated_entities: int = Field(
        default=0, ge=0, le=0, description="gold mentions cut off by a length limit: always 0, windows cover everything"
    )
    unaligned_mentions: int = Field(
        default=0, ge=0, description="gold mentions whose borders fall inside a token; they count as missed"
    )
    nesting: Nesting | None = Field(
        default=None, description="nested, overlapping and discontinuous mentions apart; null: there are none"
    )

    @property
    def counts(self) -> Counts:
        """Mentions found, found wrongly, missed."""
        tp = round(self.recall * self.gold_mentions)
        return Counts(tp, self.predicted_mentions - tp, self.gold_mentions - tp)


class MemberScores(Record):
    """Scores on one of the corpora that a joined corpus joins, over the types of the joined one."""

    language: str = Field(description="BCP 47 tag")
    dev: SplitScore
    test: SplitScore


class Scores(Record):
    """Scores of the splits that were not trained on."""

    dev: SplitScore
    test: SplitScore
    members: dict[str, MemberScores] = Field(
        default_factory=dict, description="of a joined corpus: id of each member -> its part of the scores"
    )


def gold_keys(documents: Sequence[Document]) -> list[list[Key]]:
    """Gold spans per document."""
    return [[span.key for span in document.spans] for document in documents]


def score_predictions(
    documents: Sequence[Document],
    predictions: Sequence[Sequence[Entity]],
    *,
    samples: int,
    seed: int = 0,
    unaligned: int = 0,
    unreachable: int = 0,
) -> SplitScore:
    """Strict scores of predictions.

    Args:
        documents: Documents with gold spans.
        predictions: Entities per document.
        samples: Bootstrap resamples.
        seed: Seed of the bootstrap.
        unaligned: Gold mentions that the tokenizer cannot express.
        unreachable: Gold mentions that no head of the model can hold.
    """
    gold, predicted = gold_keys(documents), [[entity.key for entity in entities] for entities in predictions]
    counts = count_documents(gold, predicted)
    overall, by_type = total(counts), per_type(gold, predicted)
    return SplitScore(
        micro_f1=overall.f1,
        precision=overall.precision,
        recall=overall.recall,
        ci95=bootstrap_interval(counts, samples=samples, seed=seed),
        macro_f1=macro_f1(by_type),
        span_only_f1=span_only_f1(gold, predicted),
        per_type={
            name: TypeScore(
                f1=c.f1,
                precision=c.precision,
                recall=c.recall,
                gold_mentions=c.tp + c.fn,
                ci95=bootstrap_interval(_of_type(name, gold, predicted), samples=samples, seed=seed),
            )
            for name, c in by_type.items()
        },
        documents=len(documents),
        gold_mentions=overall.tp + overall.fn,
        predicted_mentions=overall.tp + overall.fp,
        unaligned_mentions=unaligned,
        nesting=score_nesting(gold, predicted, unreachable=unreachable),
    )


def _of_type(name: str, gold: Sequence[Sequence[Key]], predicted: Sequence[Sequence[Key]]) -> list[Counts]:
    """Counts of one type on each document."""
    sides = ([[key for key in keys if key[2] == name] for keys in side] for side in (gold, predicted))
    return count_documents(*sides)


def rename_types(predictions: Sequence[Sequence[Entity]], mapping: Mapping[str, str] | None) -> list[list[Entity]]:
    """Rename predicted types (`--map Disease=DISEASE`); unmapped types stay.

    Mentions of models with the labels `B`, `I` and `O` are named by any of `entity`, `B` and `I`.
    """
    if not mapping:
        return [list(entities) for entities in predictions]
    renames = _renames(mapping)
    return [[replace(e, type=renames.get(e.type, e.type)) for e in entities] for entities in predictions]


def renamed_types(types: Iterable[str], mapping: Mapping[str, str] | None) -> set[str]:
    """What types are called after `rename_types`."""
    renames = _renames(mapping or {})
    return {renames.get(name, name) for name in types}


def _renames(mapping: Mapping[str, str]) -> dict[str, str]:
    return {**mapping, UNTYPED: next((mapping[name] for name in (UNTYPED, "B", "I") if name in mapping), UNTYPED)}


def check_renames(mapping: Mapping[str, str], types: Sequence[str]) -> None:
    """Refuse to rename types that a model does not predict: the score would count its mentions as wrong.

    Args:
        mapping: Predicted type -> type of the corpus.
        types: What the model predicts.

    Raises:
        ZooError: One of them is not predicted; the message has the nearest names.
    """
    untyped = ("B", "I") if UNTYPED in types else ()
    for name in mapping:
        if name not in (*types, *untyped):
            raise ZooError(f"the model predicts no type {name!r}", where="--map", fix=did_you_mean(name, types))


def micro_f1(documents: Sequence[Document], predictions: Sequence[Sequence[Entity]]) -> float:
    """Strict micro-F1 alone, for early stopping."""
    return total(count_documents(gold_keys(documents), [[e.key for e in entities] for entities in predictions])).f1


def tag_documents(
    tagger: Tagger,
    documents: Sequence[Document],
    progress: Callable[[int], None] | None = None,
    *,
    precision: Precision = "float32",
) -> list[list[Entity]]:
    """Predictions per document; see `Tagger.tag`."""
    return tagger.tag([document.text for document in documents], precision=precision, progress=progress)
