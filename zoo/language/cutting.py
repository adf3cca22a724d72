"""Words and sentences in any script: by white space where a script has it, else by ICU's dictionaries and rules."""

from __future__ import annotations

import re
from collections.abc import Iterator

import regex

from zoo.language import primary

SENTENCE_STOPS = ".?!\u061f\u06d4\u0964\u0965\u3002\uff01\uff0e\uff1f\uff61"
"""Full stops, question and exclamation marks of Latin, Arabic, Indic and East Asian writing."""
CLOSING = "\"'\u201d\u2019)\\]\u300d\u300f\uff09\u3011\u300b"
"""Quotes and brackets that may stand behind a stop, as in a character class."""
_NO_SPACES = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua9e0-\ua9ff\uaa60-\uaa7f\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
"""Chinese, Japanese, Thai, Lao, Burmese, Khmer: white space does not part their words."""
_UNPARTED = re.compile(f"[{_NO_SPACES}]")
_NO_GAP = re.compile(f"[{_NO_SPACES}\u3001\u3002\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f]")
_PIECE = re.compile(r"\S+")
_PLAIN_LETTERS = re.compile(r"[^\W_]+")
_LETTERS = regex.compile(r"(?:[\p{L}\p{N}]\p{M}*)+")
ENGLISH_ABBREVIATION = re.compile(r"[A-Za-z]|al|approx|cf|Dr|Figs?|[Nn]os?|Prof|Refs?|resp|sp|spp|St|vs")
"""Words before full stops that end no sentence."""
_ENGLISH_SENTENCE_END = re.compile(r"\s*[\r\n]+\s*|(?<=[.?!])\s+")


def word_spans(text: str) -> list[tuple[int, int]]:
    """`[start, end)` of the words of a text; punctuation stays with them.

    They are what white space parts, and in scripts without white space what ICU parts.
    """
    spans = [match.span() for match in _PIECE.finditer(text)]
    if text.isascii() or not _UNPARTED.search(text):
        return spans
    return [word for start, end in spans for word in _parted(text, start, end)]


def gap(before: str, after: str) -> str:
    """What stands between two tokens or sentences of a text: nothing in scripts without white space, else a space."""
    return "" if _NO_GAP.match(before[-1:]) and _NO_GAP.match(after[:1]) else " "


def count_words(text: str) -> int:
    """Number of words, as `word_spans` finds them."""
    return len(text.split()) if text.isascii() or not _UNPARTED.search(text) else len(word_spans(text))


def letter_runs(text: str) -> list[str]:
    """Runs of letters with their marks and digits, of scripts without white space word by word."""
    if text.isascii():
        return _PLAIN_LETTERS.findall(text)
    if not _UNPARTED.search(text):
        found: list[str] = _LETTERS.findall(text)
        return found
    return [run for start, end in word_spans(text) for run in _LETTERS.findall(text, start, end)]


def sentences(text: str, language: str) -> list[str]:
    """The sentences of a running text, without the white space between them; line ends end them too.

    English ones end at stops that white space follows, those of other languages where ICU says.

    Args:
        text: A text.
        language: BCP 47 tag.
    """
    if primary(language) == "en":
        return [piece for piece in _ENGLISH_SENTENCE_END.split(text) if piece.strip()]
    return [
        piece.strip()
        for line in text.splitlines()
        for start, end in _breaks("SentenceBreaker", line, language)
        if (piece := line[start:end]).strip()
    ]


def sentence_starts(text: str, language: str) -> set[int]:
    """First characters of the sentences of a text on one line, by ICU."""
    return {start for start, _ in _breaks("SentenceBreaker", text, language)}


def _parted(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Words of a piece of text without white space; one without letters of such a script is a word."""
    if not _UNPARTED.search(text, start, end):
        yield start, end
        return
    begin = start
    for border, _ in _breaks("WordBreaker", text[start:end], "und"):
        place = start + border
        if place > begin and text[place].isalnum() and _is_border(text, place):
            yield begin, place
            begin = place
    yield begin, end


def _is_border(text: str, place: int) -> bool:
    """Whether one of the characters at a border is of a script without white space: `IL-6` is one word."""
    before = place - 1
    while before and not text[before].isalnum() and not _UNPARTED.match(text[before]):
        before -= 1
    return any(_UNPARTED.match(text[each]) for each in (before, place))


def _breaks(kind: str, text: str, language: str) -> Iterator[tuple[int, int]]:
    from icu4py import breakers

    end = 0
    for piece in getattr(breakers, kind)(text, language):  # its offsets count UTF-16 units
        start, end = end, end + len(piece)
        yield start, end
