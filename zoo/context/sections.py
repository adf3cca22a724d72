"""Sections of a note, by their headers."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from zoo.context.rules import Rules, header_key

_NAME = r"[^\W_][^\n\r:;.!?]{0,60}"
_WITH_COLON = re.compile(rf"(?:(?P<line>^)[ \t#*_]{{0,8}}|(?<=[.;!?:] )[ ]{{0,8}}|(?<=  ))(?P<name>{_NAME}):", re.M)
_CAPITALS = re.compile(r"[A-Z][A-Z /&-]{2,60}:")
"""Headers inside a line, behind words that need not be capitals."""
_ALONE = re.compile(rf"^[ \t#*_]{{0,8}}(?P<name>{_NAME})(?=\r?$)", re.M)


@dataclass(frozen=True, slots=True)
class Section:
    """A section whose header stands at `[start, end)`; it goes on to the next one.

    Attributes:
        start: First character of the header.
        end: One past its colon or last word.
        name: What it is; empty: a header that no rule names.
    """

    start: int
    end: int
    name: str


def find_sections(text: str, rules: Rules) -> list[Section]:
    """Headers in order: those that rules name, before a colon or alone on their line.

    One in capitals at the start of a line that no rule names ends the section before it.
    """
    found: dict[int, Section] = {}
    for pattern in (_ALONE, _WITH_COLON):
        for match in pattern.finditer(text):
            known = rules.headers.get(header_key(match["name"]))
            foreign = pattern is _WITH_COLON and match["line"] is not None and match["name"].isupper()
            if known or (foreign and len(match["name"]) > 3):
                start = match.start("name")
                found[start] = Section(start, match.end(), known or "")
    for match in _CAPITALS.finditer(text):
        words = list(re.finditer(r"[^ ]+", match[0][:-1]))
        for word in words:
            start = match.start() + word.start()
            name = rules.headers.get(header_key(match[0][word.start() :]))
            if name and len(match[0]) - word.start() > 4:
                found.setdefault(start, Section(start, match.end(), name))
                break
    return [found[start] for start in sorted(found)]


def section_at(sections: Sequence[Section], position: int) -> Section | None:
    """The section of a character; None: it stands before all."""
    number = bisect_right(sections, position, key=attrgetter("start"))
    return sections[number - 1] if number else None
