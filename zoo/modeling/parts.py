"""Discontinuous mentions from their parts, as two heads label them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from zoo.corpora.document import Fragments

_FARTHEST = 120
"""Characters between two parts: what lies further apart is of two mentions."""


class Piece(Protocol):
    """A part of a mention: `Span` or `Entity`."""

    @property
    def start(self) -> int:
        """First character."""

    @property
    def end(self) -> int:
        """One past the last character."""

    @property
    def type(self) -> str:
        """Entity type."""


_Piece = TypeVar("_Piece", bound=Piece)


def join_parts(first: Sequence[_Piece], last: Sequence[_Piece]) -> Iterator[tuple[_Piece, _Piece, Fragments]]:
    """Each first part with the nearest last part of its type behind it: "rod" and "cone" share "photoreceptors".

    How many of CRAFT's mentions are put together again like this: `benchmarks/results/nested.md`, columns `parts`.

    Args:
        first: First parts of a text.
        last: Last parts.

    Yields:
        The two parts, and the fragments of the mention; what only touches is no discontinuous mention, and left out.
    """
    behind: dict[str, list[_Piece]] = {}
    for piece in sorted(last, key=lambda piece: piece.start):
        behind.setdefault(piece.type, []).append(piece)
    for piece in first:
        candidates = behind.get(piece.type, [])
        index = bisect_left(candidates, piece.end, key=lambda other: other.start)
        if index < len(candidates) and 0 < candidates[index].start - piece.end <= _FARTHEST:
            other = candidates[index]
            yield piece, other, ((piece.start, piece.end), (other.start, other.end))
