"""Entities that reach over a line break: one mention on a wrapped line, or two lines of a list taken for one mention.

Many tokenizers give a line break no token, so a model cannot tell `aspirin⏎ibuprofen` from `type 2⏎diabetes`. But the
lines of a list are mentions without each other, the halves of a wrapped mention are not: what counts is what the model
finds in each line alone.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace

from zoo.corpora.document import Key
from zoo.modeling.windows import Entity

_LINE = re.compile(r"[^\n\r\v\f\x85\u2028\u2029]*\S[^\n\r\v\f\x85\u2028\u2029]*")


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
    """Entities, cut at the line breaks on both sides of which the model finds the pieces in their lines alone.

    Args:
        text: The text.
        entities: What was found in it as a whole.
        lines: As of `shared_lines`.
        alone: Entities of each line, counted from its start.
    """
    own = {
        (start + entity.start, start + entity.end, entity.type): entity.score
        for (start, _), found in zip(lines, alone, strict=True)
        for entity in found
        if not entity.fragments
    }
    result: dict[Key, Entity] = {}
    for entity in entities:
        groups: list[list[tuple[int, int, str]]] = []
        for piece in [] if entity.fragments else _pieces(text, entity, lines):
            if groups and not (piece in own and groups[-1][-1] in own):
                groups[-1].append(piece)
            else:
                groups.append([piece])
        for group in groups if len(groups) > 1 else []:
            score = own[group[0]] if len(group) == 1 else entity.score
            cut = replace(entity, start=group[0][0], end=group[-1][1], score=score)
            result.setdefault(cut.key, cut)
        if len(groups) < 2:
            result.setdefault(entity.key, entity)
    return sorted(result.values(), key=lambda each: (each.start, -each.end, each.type, each.fragments))


def _pieces(text: str, entity: Entity, lines: Sequence[tuple[int, int]]) -> list[tuple[int, int, str]]:
    """The part of an entity in each line, white space at its ends taken off."""
    pieces = []
    for start, end in lines:
        start, end = max(start, entity.start), min(end, entity.end)
        if piece := text[start:end].strip():
            start = text.index(piece, start)
            pieces.append((start, start + len(piece), entity.type))
    return pieces
