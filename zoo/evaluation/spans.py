"""Strict span scores: a prediction counts when start, end and type all agree with a gold mention."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from zoo.corpora.document import Key


@dataclass(frozen=True, slots=True)
class Counts:
    """True positives, false positives, false negatives; they add up over documents."""

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    def __str__(self) -> str:
        return f"{self.tp:,} found, {self.fp:,} wrong, {self.fn:,} missed"

    @property
    def precision(self) -> float:
        """Share of predictions that are right; 0 where there is none."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else 0.0

    @property
    def recall(self) -> float:
        """Share of gold mentions that were found; 0 where there is none."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall: 2 tp / (2 tp + fp + fn); 0 where nothing is gold or predicted."""
        return 2 * self.tp / (2 * self.tp + self.fp + self.fn) if self.tp + self.fp + self.fn else 0.0


def count(gold: Collection[Hashable], predicted: Collection[Hashable]) -> Counts:
    """Compare the spans of one document as sets; keys may hold more than a span, such as concept ids."""
    gold, predicted = set(gold), set(predicted)
    hits = len(gold & predicted)
    return Counts(hits, len(predicted) - hits, len(gold) - hits)


def count_documents(gold: Sequence[Collection[Hashable]], predicted: Sequence[Collection[Hashable]]) -> list[Counts]:
    """Counts of each document."""
    return [count(g, p) for g, p in zip(gold, predicted, strict=True)]


def total(counts: Iterable[Counts]) -> Counts:
    """Micro-average: counts summed over documents."""
    return sum(counts, Counts())


def added_up(counts: Sequence[Sequence[Counts]]) -> list[Counts]:
    """Counts of several models on the same documents, added up for each document."""
    return [total(document) for document in zip(*counts, strict=True)]


def per_type(gold: Sequence[Collection[Key]], predicted: Sequence[Collection[Key]]) -> dict[str, Counts]:
    """Counts of each type, summed over documents."""
    tp: Counter[str] = Counter()
    fp: Counter[str] = Counter()
    fn: Counter[str] = Counter()
    for g, p in zip(map(set, gold), map(set, predicted), strict=True):
        tp.update(key[2] for key in g & p)
        fp.update(key[2] for key in p - g)
        fn.update(key[2] for key in g - p)
    return {name: Counts(tp[name], fp[name], fn[name]) for name in sorted(tp | fp | fn)}


def macro_f1(by_type: Mapping[str, Counts]) -> float:
    """Unweighted mean of the F1 of each type, as seqeval's `macro avg`; 0 where there is none.

    Args:
        by_type: What `per_type` gives: all types that are gold or predicted; one that is only predicted has F1 0.
    """
    return sum(counts.f1 for counts in by_type.values()) / len(by_type) if by_type else 0.0


def count_documents_untyped(gold: Sequence[Collection[Key]], predicted: Sequence[Collection[Key]]) -> list[Counts]:
    """Counts of each document with types ignored; two types on the same borders are one span."""
    return count_documents([_untyped(keys) for keys in gold], [_untyped(keys) for keys in predicted])


def span_only_f1(gold: Sequence[Collection[Key]], predicted: Sequence[Collection[Key]]) -> float:
    """Micro-F1 of the borders alone: what finding mentions is worth where their type does not matter."""
    return total(count_documents_untyped(gold, predicted)).f1


def _untyped(keys: Collection[Key]) -> set[Key]:
    return {(key[0], key[1], "", *key[3:]) for key in keys}
