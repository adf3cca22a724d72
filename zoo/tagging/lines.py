"""Entities that reach over a line break: one mention on a wrapped line, or two lines of a list taken for one mention.

Many tokenizers give a line break no token, so a model cannot tell `aspirin⏎ibuprofen` from `type 2⏎diabetes`, and of
lists it often makes one long entity. Lines of a list are mentions without each other; halves of a wrapped mention
mostly are not, and seldom fill their lines. So an entity is cut at a break where the model finds both sides in their
lines alone, the first is all of its line, and either the second is too or the model is surer of both than of the whole.
`benchmarks/clinical/lines.py` measures what this finds and what it breaks.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from zoo.corpora.document import Key
from zoo.modeling.windows import Entity

_LINE = re.compile(r"[^\n\r\v\f\x85\u2028\u2029]*\S[^\n\r\v\f\x85\u2028\u2029]*")
_BULLET = re.compile(r"\s*(?:(?:[-*•·‣◦>#–—]|\d{1,2}[.)])\s+)?")


def shared_lines(text: str, entities: Sequence[Entity]) -> list[tuple[int, int]]:
    """`[start, end)` of the lines that some entity shares with another line, in order; discontinuous ones do not count.

    Args:
        text: A text.
        entities: What was found in it.
    """
    across = [e for e in entities if not e.fragments and len(text[e.start : e.end].splitlines()) > 1]
    if not across:
        return []
    lines = [match.span() for match in _LINE.finditer(text)]
    ends = [end for _, end in lines]
    return sorted({line for e in across for line in lines[bisect_right(ends, e.start) : bisect_left(ends, e.end) + 1]})


def cut_at_breaks(
    text: str, entities: Sequence[Entity], lines: Sequence[tuple[int, int]], alone: Sequence[Sequence[Entity]]
) -> list[Entity]:
    """Entities, cut at the line breaks between lines of a list.

    Args:
        text: The text.
        entities: What was found in it as a whole.
        lines: As of `shared_lines`.
        alone: Entities of each line, counted from its start.
    """
    scores = {
        (start + entity.start, start + entity.end, entity.type): entity.score
        for (start, _), found in zip(lines, alone, strict=True)
        for entity in found
        if not entity.fragments
    }
    result: dict[Key, Entity] = {}
    for entity in entities:
        groups: list[list[_Piece]] = []
        for piece in [] if entity.fragments else _pieces(text, entity, lines, scores):
            if groups and not groups[-1][-1].ends_before(piece, entity.score):
                groups[-1].append(piece)
            else:
                groups.append([piece])
        for group in groups if len(groups) > 1 else []:
            score = group[0].score if len(group) == 1 else None
            cut = replace(
                entity, start=group[0].start, end=group[-1].end, score=entity.score if score is None else score
            )
            result.setdefault(cut.key, cut)
        if len(groups) < 2:
            result.setdefault(entity.key, entity)
    return sorted(result.values(), key=lambda each: (each.start, -each.end, each.type, each.fragments))


@dataclass(frozen=True, slots=True)
class _Piece:
    """The part of an entity that stands in one line; `score` is that of the line alone, None where it is not found."""

    start: int
    end: int
    fills_line: bool
    score: float | None

    def ends_before(self, following: _Piece, whole_score: float) -> bool:
        """Whether this and the piece on the next line are two entities."""
        if self.score is None or following.score is None or not self.fills_line:
            return False
        return following.fills_line or min(self.score, following.score) > whole_score


def _pieces(
    text: str, entity: Entity, lines: Sequence[tuple[int, int]], scores: dict[tuple[int, int, str], float]
) -> Iterator[_Piece]:
    """The pieces of an entity, bullets and white space at their ends taken off."""
    for line_start, line_end in lines:
        bullet = _BULLET.match(text, line_start, line_end)
        begins = bullet.end() if bullet else line_start
        start, end = max(begins, entity.start), min(line_end, entity.end)
        if start < end and (piece := text[start:end].rstrip()):
            end = start + len(piece)
            fills = start == begins and not re.search(r"\w", text[end:line_end])
            yield _Piece(start, end, fills, scores.get((start, end, entity.type)))
