"""Long texts in pieces."""

from __future__ import annotations

import re
from itertools import pairwise

_WORD = re.compile(r"\S+")
_SENTENCE_END = re.compile(r"[.?!][\"'”’)\]]*$")


def cut_text(text: str, max_words: int, min_words: int = 1) -> list[str]:
    """Cut a text into pieces of about equal length, best where a paragraph or sentence ends, next best at a line end.

    Args:
        text: The text; words are what white space separates.
        max_words: Most words of a piece.
        min_words: Least words of a piece of a text that is cut; at most half of `max_words`.

    Returns:
        The text itself if it is short enough, else its pieces in order, without the white space between them.
    """
    words = [match.span() for match in _WORD.finditer(text)]
    if len(words) <= max_words:
        return [text]
    strength = _strengths(text, words)
    pieces: list[str] = []
    start = 0
    while (left := len(words) - start) > max_words:
        ideal = left / -(-left // max_words)
        least = max(min_words, int(ideal / 2), 1)
        allowed = range(start + least, start + min(max_words, left - least) + 1)
        stop = max(allowed, key=lambda border: (strength[border], -abs(border - start - ideal)))
        pieces.append(text[words[start][0] : words[stop - 1][1]])
        start = stop
    return [*pieces, text[words[start][0] : words[-1][1]]]


def _strengths(text: str, words: list[tuple[int, int]]) -> list[int]:
    """How good a border is before each word: 2 after a sentence or at a blank line, 1 at a line end, else 0."""
    strength = [0]
    for (start, end), (following, _) in pairwise(words):
        lines = text.count("\n", end, following)
        strength.append(2 if lines > 1 or _SENTENCE_END.search(text, start, end) else min(lines, 1))
    return strength
