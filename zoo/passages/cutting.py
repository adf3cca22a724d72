"""Long texts in pieces."""

from __future__ import annotations

import re
from collections.abc import Sequence

from zoo.language.cutting import CLOSING, SENTENCE_STOPS, count_words, word_spans

_SENTENCE_END = re.compile(f"[{SENTENCE_STOPS}][{CLOSING}]*$")


def cut_text(text: str, max_words: int, min_words: int = 1) -> list[str]:
    """Cut a text into pieces of about equal length, best where a paragraph or sentence ends, next best at a line end.

    Args:
        text: The text; words as in `zoo.language.cutting`.
        max_words: Most words of a piece.
        min_words: Least words of a piece of a text that is cut; at most half of `max_words`.

    Returns:
        The text itself if it is short enough, else its pieces in order, without the white space between them.
    """
    if count_words(text) <= max_words:
        return [text]
    words = word_spans(text)
    pieces: list[str] = []
    start = 0
    while (left := len(words) - start) > max_words:
        ideal = left / -(-left // max_words)
        least = max(min_words, int(ideal / 2), 1)
        allowed = range(start + least, start + min(max_words, left - least) + 1)
        stop = _best_border(text, words, sorted(allowed, key=lambda border: abs(border - start - ideal)))
        pieces.append(text[words[start][0] : words[stop - 1][1]])
        start = stop
    return [*pieces, text[words[start][0] : words[-1][1]]]


def _best_border(text: str, words: Sequence[tuple[int, int]], borders: Sequence[int]) -> int:
    """The first that stands after a sentence or at a blank line, else the first at a line end, else the first."""
    at_line_end = None
    for border in borders:
        (start, end), (following, _) = words[border - 1], words[border]
        lines = text.count("\n", end, following)
        if lines > 1 or _SENTENCE_END.search(text, start, end):
            return border
        if lines and at_line_end is None:
            at_line_end = border
    return borders[0] if at_line_end is None else at_line_end
