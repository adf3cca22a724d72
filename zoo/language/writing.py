"""One writing of a text for models and comparisons: composed letters, plain spaces, nothing invisible.

`écrit` is one text, whether its first letter is one character or two, and a soft hyphen or a zero-width space is no
letter. Offsets stay those of the text as it was given: `flat` says where each character of the one writing stands.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_NO_BREAK = "\u00a0\u2007\u202f"
_INVISIBLE = "\u00ad\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
"""Soft hyphen, zero-width space, word joiner, byte-order mark, and what turns the direction of writing."""
_JOINERS = "\u200c\u200d"
"""They shape letters in Arabic and Indic scripts and join pictures; between other letters they do nothing."""
_PLAIN_BELOW = "\u0590"
"""Latin, Greek, Cyrillic and Armenian letters come before it."""
_UNUSUAL = re.compile(f"[{_NO_BREAK}{_INVISIBLE}{_JOINERS}]")


class Flat(NamedTuple):
    """A text in the one writing, and where its characters stand in the text as given.

    Attributes:
        text: The one writing, N characters.
        starts: First given character of what each stands for; last, the length of the given text; shape [N + 1].
        ends: One past the last given character of what stands before each border; first 0; shape [N + 1].
    """

    text: str
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]

    def length(self, start: int, end: int) -> int:
        """Characters in the one writing of what is given as `[start, end)`."""
        first, stop = np.searchsorted(self.starts, [start, end])
        return int(stop - first)


def is_flat(text: str) -> bool:
    """Whether a text is in the one writing already, as nearly all are."""
    return text.isascii() or (_UNUSUAL.search(text) is None and unicodedata.is_normalized("NFC", text))


def flatten(text: str) -> str:
    """A text in the one writing: NFC, no-break spaces as spaces, without soft hyphens and zero-width characters."""
    return text if is_flat(text) else flat(text).text


def flat(text: str) -> Flat:
    """The one writing of a text, with the place of each character.

    A letter that is composed stands for all that it was written with, marks left beside it for nothing more.
    """
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = [0]
    letters: list[tuple[int, str]] = []  # a base and its marks, each with its place

    def close() -> None:
        if letters:
            written = "".join(c for _, c in letters)
            composed = unicodedata.normalize("NFC", written)
            pieces.append(composed)
            if composed == written:
                starts.extend(place for place, _ in letters)
                ends.extend(place + 1 for place, _ in letters)
            else:
                end, more = letters[-1][0] + 1, len(composed) - 1
                starts.extend([letters[0][0], *[end] * more])
                ends.extend([end] * (more + 1))

    previous = ""
    for place, character in enumerate(text):
        if character in _INVISIBLE or (character in _JOINERS and previous < _PLAIN_BELOW):
            continue
        previous = " " if character in _NO_BREAK else character
        if not _joins(previous) or (letters and letters[-1][1].isspace()):
            close()
            letters.clear()
        letters.append((place, previous))
    close()
    return Flat("".join(pieces), np.array([*starts, len(text)], np.int64), np.array(ends, np.int64))


def _joins(character: str) -> bool:
    """Whether a character belongs to the one before it: a mark, or a vowel or final consonant of a Korean syllable."""
    return is_mark(character) or "\u1160" <= character <= "\u11ff"


def is_mark(character: str) -> bool:
    """Whether a character is a mark on the letter before it, such as an accent or a vowel sign."""
    return character >= "\u0300" and unicodedata.category(character)[0] == "M"


def trim(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Borders of what is written in `[start, end)` of a text; None where nothing is.

    White space and invisible characters at the ends are taken off. No letter is cut from its marks: at the end they
    come along, at the start they are left out.
    """
    if text.isascii():
        piece = text[start:end]
        return (end - len(piece.lstrip()), start + len(piece.rstrip())) if piece.strip() else None
    while start < end and (_is_blank(text[start]) or is_mark(text[start])):
        start += 1
    while start < end and _is_blank(text[end - 1]):
        end -= 1
    if start == end:
        return None
    for place in range(end, len(text)):
        if is_mark(text[place]):
            end = place + 1
        elif not _is_invisible(text[place]):
            break
    return start, end


def _is_invisible(character: str) -> bool:
    return character in _JOINERS or character in _INVISIBLE


def _is_blank(character: str) -> bool:
    return character.isspace() or _is_invisible(character)
