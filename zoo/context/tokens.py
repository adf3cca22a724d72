"""Words and sentences of a text, with their places."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_TOKEN = re.compile(r"\w+?(?=n['’]t\b)|n['’]t\b|['’]s\b|\w[\w\u0300-\u036f]*|[^\w\s]")
_ABBREVIATIONS = frozenset(
    ("dr", "dra", "drs", "mr", "mrs", "ms", "sr", "sra", "prof", "st", "vs", "approx", "ca", "cf", "fig", "figs", "al")
)
"""Words whose full stop ends no sentence; titles and shorthand of English and Spanish."""
_ACCENTED = frozenset(["sí"])
"""Words that mean something else without their accent, in phrases that are told apart by it: Spanish yes and if."""
_STOP = re.compile(r"[.!?…][\"')\]]{0,3}(?=\s)|[。！？]")
_BREAK = re.compile(r"\r\n|[\n\r\x0b\x0c\u2028\u2029]")
_NARROWEST = 60
"""Lines of running text are broken at no fewer characters."""
_BULLET = re.compile(r"[ \t]*(?:[-*•·▪‣–+]|\(?\d{1,2}[.)])(?:[ \t]|$)")


@dataclass(frozen=True, slots=True)
class Token:
    """A word or a sign at `[start, end)`; `folded` is its lower case without accents."""

    start: int
    end: int
    folded: str


def fold(word: str) -> str:
    """Lower case, without accents, with straight apostrophes: as notes are typed."""
    composed = unicodedata.normalize("NFC", word.lower())
    if composed in _ACCENTED:
        return composed
    plain = unicodedata.normalize("NFD", word.lower().replace("’", "'"))
    return plain if plain.isascii() else "".join(c for c in plain if not unicodedata.combining(c))


def tokenize(text: str, start: int = 0, end: int | None = None) -> list[Token]:
    """Words and signs of `[start, end)` of a text."""
    found = _TOKEN.finditer(text, start, len(text) if end is None else end)
    return [Token(m.start(), m.end(), fold(m[0])) for m in found]


def sentences(text: str) -> list[tuple[int, int]]:
    """Cut a text at sentence ends: `[start, end)` of each, which together cover it.

    A full stop ends one unless it is that of an abbreviation, or a lower-case letter follows. A line
    break does where a line is empty, a bullet follows, or the line was broken on purpose: the next word would have
    fitted into the longest line of the text, and does not begin in lower case.
    """
    cuts = {len(text)}
    for stop in _STOP.finditer(text):
        if not _goes_on(text, stop):
            cuts.add(stop.end())
    width, at = max((len(line) for line in text.splitlines()), default=0), 0
    width = max(width, _NARROWEST)
    for line in _BREAK.finditer(text):
        if _deliberate(text, at, line, width):
            cuts.add(line.end())
        at = line.end()
    ordered = sorted(cuts)
    return [(start, end) for start, end in zip([0, *ordered], ordered, strict=False) if start < end]


def _goes_on(text: str, stop: re.Match[str]) -> bool:
    """Whether what looks like the end of a sentence is inside of one."""
    if stop[0][0] != ".":
        return False
    before = re.search(r"[\w.]{0,12}$", text[max(0, stop.start() - 12) : stop.start()])
    word = before[0].lower() if before else ""
    after = text[stop.end() : stop.end() + 8].lstrip()[:1]
    if after.islower() or word.lstrip(".") in _ABBREVIATIONS:
        return True
    return "." in word and not any(map(str.isdigit, word))  # i.v., e.g., U.S.


def _deliberate(text: str, start: int, line: re.Match[str], width: int) -> bool:
    following = text[line.end() : line.end() + 60]
    if _BREAK.match(following.lstrip(" \t")) or not text[start : line.start()].strip() or _BULLET.match(following):
        return True
    word = re.match(r"[ \t]*(\S*)", following)
    first = word[1] if word else ""
    fits = line.start() - start + 1 + len(first) <= width
    return fits and not first[:1].islower()
