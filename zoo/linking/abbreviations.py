"""Abbreviations that a document defines: `long form (SF)` and `SF (long form)`.

By Schwartz and Hearst (2003), A simple algorithm for identifying abbreviation definitions in biomedical text, Pacific
Symposium on Biocomputing 8; beside it, of two mentions of which the second stands in brackets behind the first, the
shorter stands for the longer, also where it has other letters: `cisplatin (CDDP)`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from zoo.corpora.document import Key
from zoo.language.writing import flatten

_BRACKETS = re.compile(r"[(\[（]\s*([^()\[\]（）]{1,60}?)\s*(?:[;,:=][^()\[\]（）]*)?[)\]）]")
_SENTENCE_END = re.compile(r"[.;:!?]\s")
_LONGEST = 12
"""Characters of a short form."""
_OPENING, _CLOSING = re.compile(r"\s*[(\[（]\s*"), re.compile(r"\s*[)\],;:=），；：]")


def find_abbreviations(text: str, mentions: Iterable[Key] = ()) -> dict[str, str]:
    """Short forms that a text defines, with their long forms, both in the one writing of `zoo.language.writing`.

    Args:
        text: A document.
        mentions: The mentions in it, in order of their start; discontinuous ones say nothing of what follows them.
    """
    found: dict[str, str] = {}
    places = [key[:2] for key in mentions if len(key) == 3]
    ends: dict[int, list[int]] = defaultdict(list)
    for start, end in places:
        ends[start].append(end)
    for start, end in places:
        if (opening := _OPENING.match(text, end)) is None:
            continue
        for next_end in ends[opening.end()]:
            first, second = text[start:end], text[opening.end() : next_end]
            if not _CLOSING.match(text, next_end):
                continue
            if is_short(second) and len(second) < len(first):
                found.setdefault(second, first)
            elif is_short(first) and long_form(first, second) is not None:
                found.setdefault(first, second)
    for bracket in _BRACKETS.finditer(text):
        inside, before = bracket[1], text[max(0, bracket.start() - 200) : bracket.start()].rstrip()
        if is_short(inside) and (long := long_form(inside, before)) is not None:
            found.setdefault(inside, long)
        elif (word := before[before.rfind(" ") + 1 :]) and is_short(word) and long_form(word, inside) == inside:
            found.setdefault(word, inside)
    return {flatten(short): flatten(long) for short, long in found.items()}


def is_short(form: str) -> bool:
    """Whether something may be a short form: one or two words, with a capital letter or a digit."""
    return (
        0 < len(form) <= _LONGEST
        and len(form.split()) <= 2
        and form[0].isalnum()
        and any(c.isupper() or c.isdigit() for c in form)
        and any(c.isalpha() for c in form)
    )


def long_form(short: str, before: str) -> str | None:
    """The words at the end of a text that a short form stands for; None where its letters are not there in order."""
    tokens = _SENTENCE_END.split(before)[-1].split()
    letters = sum(c.isalnum() for c in short)
    text = " ".join(tokens[-min(letters + 5, 2 * letters) :])
    at, place = len(text), len(short) - 1
    while place >= 0:
        if not short[place].isalnum():
            place -= 1
            continue
        at -= 1
        while at >= 0 and (
            text[at].casefold() != short[place].casefold() or (place == 0 and at and text[at - 1].isalnum())
        ):
            at -= 1
        if at < 0:
            return None
        place -= 1
    long = text[text.rfind(" ", 0, at + 1) + 1 :].lstrip("-([")
    return long if len(long) > len(short) and short not in long.split() else None


def expand(name: str, abbreviations: Mapping[str, str]) -> str:
    """A name with the short forms in it written out, also in the plural: `DMs` where DM is known."""
    if not abbreviations:
        return name
    whole = _written_out(name, abbreviations)
    if whole is not None:
        return whole
    pieces = re.split(r"(\s+|[-/](?=\w))", name)
    return "".join(_written_out(piece, abbreviations) or piece for piece in pieces)


def _written_out(form: str, abbreviations: Mapping[str, str]) -> str | None:
    if form in abbreviations:
        return abbreviations[form]
    return abbreviations.get(form[:-1]) if form.endswith("s") else None
