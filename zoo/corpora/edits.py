"""Edits of annotated text that move the gold spans along, and what tests of robustness keep to themselves.

Training noise (`zoo.training.noise`) and tests of robustness (`zoo.evaluation.robustness`) share the mechanics alone:
the shorthand and the mistaken keys below are those of the tests, and training makes others.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from zoo.corpora.document import Document, fragments_of

ABBREVIATIONS: dict[str, str] = {
    "as needed": "prn",
    "bilateral": "b/l",
    "by mouth": "po",
    "complains of": "c/o",
    "diagnosed": "dx'd",
    "diagnosis": "dx",
    "follow-up": "f/u",
    "history": "hx",
    "history of": "h/o",
    "hours": "hrs",
    "laboratory": "lab",
    "left": "L",
    "months": "mos",
    "negative": "neg",
    "patient": "pt",
    "patients": "pts",
    "positive": "pos",
    "right": "R",
    "secondary to": "2/2",
    "status post": "s/p",
    "symptoms": "sx",
    "treated": "tx'd",
    "treatment": "tx",
    "twice daily": "bid",
    "weeks": "wks",
    "with": "w/",
    "within": "w/in",
    "without": "w/o",
    "year-old": "y/o",
    "years": "yrs",
}
"""Common shorthand of clinical notes, for whole words, of the tests. No entity names: a mention changes by these words
only."""
NEIGHBOURS = {
    letter: (row[max(0, at - 1) : at] + row[at + 1 : at + 2])
    for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm")
    for at, letter in enumerate(row)
}
"""Keys beside each other on a QWERTY keyboard, which the tests mistake for each other."""


class Edit(NamedTuple):
    """Replace `text[start:end)` by `new`."""

    start: int
    end: int
    new: str


@dataclass(frozen=True)
class Perturbed:
    """A document after a perturbation.

    Attributes:
        document: The new text with the gold spans where they now lie; `tokens` is None.
        offsets: New offset of each old offset, shape [len(old text) + 1], non-decreasing. Inside an edit it is clamped.
    """

    document: Document
    offsets: Sequence[int]


def apply_edits(document: Document, edits: Sequence[Edit]) -> Perturbed:
    """Apply edits and move the gold spans along.

    An edit that a border of a gold span cuts in two is left out, and so is a deletion of all that lies between two
    borders: every mention keeps its borders, and none becomes empty.

    Args:
        document: The document.
        edits: Edits in order, not overlapping.
    """
    marked = {border for span in document.spans for part in fragments_of(span.key) for border in part}
    borders = sorted(marked)
    pieces: list[str] = []
    offsets: list[int] = []
    position = length = 0
    for start, end, new in edits:
        cut = bisect_right(borders, start) < bisect_right(borders, end - 1)
        if cut or (not new and start in marked and end in marked):
            continue
        offsets += range(length, length + start - position)
        length += start - position
        offsets += (min(length + shift, length + len(new)) for shift in range(end - start))
        pieces += (document.text[position:start], new)
        position, length = end, length + len(new)
    pieces.append(document.text[position:])
    offsets += range(length, length + len(document.text) - position + 1)
    spans = tuple(
        replace(
            span,
            start=offsets[span.start],
            end=offsets[span.end],
            fragments=tuple((offsets[start], offsets[end]) for start, end in span.fragments),
        )
        for span in document.spans
    )
    return Perturbed(Document(document.id, "".join(pieces), spans), offsets)


def map_characters(document: Document, function: Callable[[str], str]) -> Perturbed:
    """A document with each character replaced by what a function makes of it."""
    changed = [(at, function(letter)) for at, letter in enumerate(document.text)]
    return apply_edits(document, [Edit(at, at + 1, new) for at, new in changed if new != document.text[at]])
