"""Whether a mention stands where its annotation says, for formats that give both offsets and the mention's text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

NEAR_CHARACTERS = 5
"""How far from its offsets a mention is looked for."""
Part = tuple[int, int]
"""`[start, end)` in the text of the document."""


def align_mention(text: str, start: int, end: int, quoted: str, repairs: Counter[str]) -> Part | None:
    """Find the place of a mention, given its offsets and its text as the annotation quotes it.

    1. The offsets enclose the quoted text: they stand.
    2. The quoted text, without white space around it, begins at `start`, or else at exactly one other place at most
       `NEAR_CHARACTERS` away: the mention is moved there.
    3. It has the length of the offsets and agrees with the text there in more than half of its characters (another
       spelling, such as a plain letter for a Greek one): the offsets stand.
    4. Otherwise the mention is left out.

    Args:
        text: The document's text.
        start: First character.
        end: One past the last character.
        quoted: The mention's text.
        repairs: Counts what the rules 2, 3 and 4 decide.

    Returns:
        `[start, end)`, or None for a mention that is left out.
    """
    enclosed = text[start:end]
    if enclosed == quoted and quoted.strip():
        return start, end
    bare = quoted.strip()
    near = range(max(0, start - NEAR_CHARACTERS), start + NEAR_CHARACTERS + 1)
    places = [place for place in near if text.startswith(bare, place)] if bare else []
    if len(places) == 1 or start in places:
        place = start if start in places else places[0]
        repairs["mention moved to where its text stands"] += 1
        return place, place + len(bare)
    agreeing = sum(one == other for one, other in zip(enclosed, quoted, strict=False))
    if len(enclosed) == len(quoted) and agreeing * 2 > len(quoted):
        repairs["mention spelt otherwise than the text at its offsets"] += 1
        return start, end
    repairs["mention left out: its text is not at its offsets"] += 1
    return None


def merge_parts(text: str, parts: Iterable[Part]) -> tuple[Part, ...]:
    """Join the parts of a mention that white space (a line break, say) or nothing separates; parts are in order."""
    merged: list[Part] = []
    for start, end in parts:
        if merged and not text[merged[-1][1] : start].strip():
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return tuple(merged)
