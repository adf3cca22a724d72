"""Scores of mentions by how they lie among others: in others, across others, in parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence

from pydantic import Field

from zoo.corpora.document import Key
from zoo.corpora.overlaps import Place, places
from zoo.records import Record


class PartScore(Record):
    """Strict scores of the mentions that lie in a certain way, as fractions; 0 where there are none.

    A gold mention is sorted by how it lies among the gold ones, and counts for recall; a predicted one by how it lies
    among the predicted ones, and counts for precision. So a right prediction may be in two parts, and what a model does
    not find beside it is not held against it. F1 is the harmonic mean of the two.
    """

    f1: float = Field(ge=0, le=1)
    precision: float = Field(ge=0, le=1)
    recall: float = Field(ge=0, le=1)
    gold_mentions: int = Field(ge=0)
    predicted_mentions: int = Field(ge=0)


class Nesting(Record):
    """Scores by how mentions lie among the others of their side; `Place` says what holding and overlapping are."""

    outer: PartScore = Field(description="no other mention holds them; most of these are alone")
    inner: PartScore = Field(description="another mention holds them")
    by_depth: dict[str, PartScore] = Field(
        description="1, 2, 3+: one more than the mentions that hold them; outer ones are at 1; depths that occur"
    )
    inner_same_type: PartScore = Field(description="inner ones that one of their own type holds")
    overlapping: PartScore = Field(
        description="share characters with another, neither holds the other: crossing, or two types on the same ones"
    )
    discontinuous: PartScore = Field(description="of several fragments, found only with these very ones")
    unreachable_mentions: int = Field(
        default=0,
        ge=0,
        description="gold mentions that the heads of the model do not hold: deeper than they have levels, or "
        "discontinuous",
    )

    @property
    def parts(self) -> dict[str, PartScore]:
        """What occurs, by names for people."""
        named = {
            "outside others": self.outer,
            "inside another": self.inner,
            "inside one of the same type": self.inner_same_type,
            "inside two or more": self.by_depth.get("3+"),
            "across another, or on its very characters": self.overlapping,
            "discontinuous": self.discontinuous,
        }
        return {name: each for name, each in named.items() if each and (each.gold_mentions or each.predicted_mentions)}


def _depth(place: Place) -> str:
    return "3+" if len(place.holders) > 1 else str(1 + len(place.holders))


_PARTS: Mapping[str, Callable[[Key, Place], bool]] = {
    "outer": lambda key, place: not place.holders,
    "inner": lambda key, place: bool(place.holders),
    "inner_same_type": lambda key, place: any(holder[2] == key[2] for holder in place.holders),
    "overlapping": lambda key, place: bool(place.overlapping),
    "discontinuous": lambda key, place: len(key) == 4,
}


def score_nesting(
    gold: Sequence[Collection[Key]], predicted: Sequence[Collection[Key]], *, unreachable: int = 0
) -> Nesting | None:
    """Scores of mentions by how they lie among others.

    Args:
        gold: Gold mentions per document.
        predicted: Predicted ones per document.
        unreachable: Gold mentions that no head of the model can hold.

    Returns:
        The scores; None where all mentions of both sides lie apart and in one piece.
    """
    numbers: tuple[dict[str, list[int]], dict[str, list[int]]] = (
        defaultdict(lambda: [0, 0]),
        defaultdict(lambda: [0, 0]),
    )
    flat = True
    for sides in zip(gold, predicted, strict=True):
        hits = set(sides[0]) & set(sides[1])
        for keys, counts in zip(sides, numbers, strict=True):
            for key, place in places(set(keys)).items():
                parts = [name for name, holds in _PARTS.items() if holds(key, place)]
                flat = flat and parts == ["outer"]
                for name in (*parts, _depth(place)):
                    counts[name][0] += 1
                    counts[name][1] += key in hits
    if flat:
        return None
    depths = sorted({name for counts in numbers for name in counts} - _PARTS.keys())
    return Nesting(
        **{name: _score(name, *numbers) for name in _PARTS},
        by_depth={name: _score(name, *numbers) for name in depths},
        unreachable_mentions=unreachable,
    )


def _score(name: str, gold: Mapping[str, Sequence[int]], predicted: Mapping[str, Sequence[int]]) -> PartScore:
    (annotated, found), (marked, right) = gold.get(name, (0, 0)), predicted.get(name, (0, 0))
    recall, precision = found / annotated if annotated else 0.0, right / marked if marked else 0.0
    return PartScore(
        f1=2 * precision * recall / (precision + recall) if precision + recall else 0.0,
        precision=precision,
        recall=recall,
        gold_mentions=annotated,
        predicted_mentions=marked,
    )
