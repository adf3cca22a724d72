"""Heads: how mentions that share characters are divided among several token classifications on one encoder.

A sequence of labels can hold only one of two mentions that overlap. Several heads on the same encoder each label what
their sequence can hold; what they find together are the mentions. With one head for all types, nothing is nested.
No head labels discontinuous mentions: these are found in what the heads find.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from zoo.corpora.document import Document, Key, Span
from zoo.modeling.labels import LabelSpace

Layout = Literal["flat", "types", "levels", "types-levels"]
LAYOUTS: tuple[Layout, ...] = ("flat", "types", "levels", "types-levels")
"""One head; one for each type; one for each level of nesting; one for each level of each type."""


@dataclass(frozen=True)
class Head:
    """One token classification.

    Attributes:
        name: Of its folder among the adapters of a training.
        types: Entity types that it predicts.
        level: Which of the overlapping mentions of these types it labels: 1 the longest, 2 the longest of the rest.
    """

    name: str
    types: tuple[str, ...]
    level: int = 1


def heads_of(layout: Layout, types: Sequence[str], levels: int = 1) -> tuple[Head, ...]:
    """The heads of a layout.

    Args:
        layout: How mentions are divided.
        types: Entity types of the corpus.
        levels: Levels of `levels` and `types-levels`.
    """
    groups = [(name, (name,)) for name in types] if layout.startswith("types") else [("level", tuple(types))]
    if layout == "flat":
        return (Head("flat", tuple(types)),)
    if layout == "types":
        return tuple(Head(name, own) for name, own in groups)
    return tuple(Head(f"{name}-{level}", own, level) for name, own in groups for level in range(1, levels + 1))


def divide(spans: Iterable[Span], heads: Sequence[Head]) -> list[list[Span]]:
    """The mentions of a text that each head labels, in order of their start.

    A mention goes to the first level of its type on which it overlaps none that is longer (of equally long ones, that
    stands before); one for which there is no level goes to none, nor does a discontinuous one.
    """
    divided: list[list[Span]] = [[] for _ in heads]
    for span in sorted(spans, key=lambda span: (span.start - span.end, span)):
        if not span.fragments:
            _place(span, (own for head, own in zip(heads, divided, strict=True) if span.type in head.types))
    return [sorted(own) for own in divided]


def _place(span: Span, levels: Iterable[list[Span]]) -> None:
    """Put a mention on the first level that has room for it."""
    for own in levels:
        if not any(span.start < other.end and other.start < span.end for other in own):
            own.append(span)
            return


def columns_of(heads: Sequence[Head], labels: LabelSpace) -> list[list[int]]:
    """Places of each head's labels among the logits of a model in training.

    A single head has the places of the label space; several stand one after another, `O` first in each.
    """
    if len(heads) == 1:
        return [labels.own_ids(heads[0].types)]
    columns: list[list[int]] = []
    start = 0
    for head in heads:
        columns.append(list(range(start, start + 1 + 2 * len(head.types))))
        start += len(columns[-1])
    return columns


@dataclass(frozen=True)
class Ceiling:
    """How much of a corpus a layout can hold.

    Attributes:
        layout: The layout.
        heads: Its heads.
        held: Mentions that one of its heads labels.
        mentions: All mentions.
    """

    layout: Layout
    heads: tuple[Head, ...]
    held: int
    mentions: int

    @property
    def name(self) -> str:
        """Of the layout, with its levels."""
        levels = max(head.level for head in self.heads)
        return f"{self.layout}, {levels} levels" if levels > 1 else self.layout

    @property
    def share(self) -> float:
        """Recall of a model that makes no mistake."""
        return self.held / self.mentions if self.mentions else 1.0


_MOST_LEVELS = 3
_WORTH = 0.005
"""Share of the mentions that more heads must add to be worth their while."""


def ceiling(layout: Layout, documents: Sequence[Document], types: Sequence[str], levels: int = 1) -> Ceiling:
    """What one layout can hold.

    Args:
        layout: How mentions are divided.
        documents: Documents with gold mentions.
        types: Entity types of the corpus.
        levels: Levels of `levels` and `types-levels`.
    """
    heads = heads_of(layout, types, levels)
    held = sum(len(held_by(heads, document.spans)) for document in documents)
    return Ceiling(layout, heads, held, sum(len({span.key for span in document.spans}) for document in documents))


def held_by(heads: Sequence[Head], spans: Iterable[Span]) -> set[Key]:
    """The mentions of a text that heads without any mistake find."""
    return {span.key for own in divide(set(spans), heads) for span in own}


def ceilings(documents: Sequence[Document], types: Sequence[str]) -> list[Ceiling]:
    """What each layout can hold, those with few heads first.

    Levels are as many as hold more than the ones before, at most three.
    """
    found: list[Ceiling] = []
    for layout in LAYOUTS:
        for levels in range(2, _MOST_LEVELS + 1) if layout.endswith("levels") else (1,):
            each = ceiling(layout, documents, types, levels)
            if levels > 2 and each.held == found[-1].held:
                break
            found.append(each)
    return found


def choose(found: Sequence[Ceiling]) -> Ceiling:
    """The layout with the fewest heads that holds nearly as much as any."""
    most = max(ceiling.share for ceiling in found)
    return min((c for c in found if c.share >= most - _WORTH), key=lambda c: (len(c.heads), -c.held))
