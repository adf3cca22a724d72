"""Hiding what has the form of a personal detail: addresses, telephone and account numbers, dates, names behind titles.

This is no de-identification. Names without a title, places, ages, professions, rare diseases and whatever is written
in another form stay; some harmless numbers go. It makes nothing fit to be shared under any law.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from stdnum import iban, luhn
from stdnum.es import dni, nie
from stdnum.gb import nhs
from stdnum.us import ssn

MASK = "█"
"""Stands for each character that is hidden, so that offsets hold; white space stays."""
NO_DEIDENTIFICATION = "this is no de-identification: other names, places and details remain"

_MONTH = (
    "(?:jan(?:uary)?|feb(?:ruary)?|(?-i:Mar(?:ch)?|MAR(?:CH)?|May|MAY)|apr(?:il)?|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    "nov(?:ember)?|dec(?:ember)?|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|"
    "diciembre)"
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_NAME = r"[A-ZÀ-ÖØ-Þ][\w'’-]{0,40}"
_TITLE = r"(?:(?:Dra?|DRA?|Mrs?|MRS?|Ms|MS|Miss|Prof|PROF|Don|Doña)\b\.?|(?:Sra?|SRA?|D)\.)"


@dataclass(frozen=True, slots=True)
class Hidden:
    """A stretch `[start, end)` that has the form of a personal detail, and which."""

    start: int
    end: int
    kind: str


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _digits(least: int, most: int) -> Callable[[str], bool]:
    return lambda text: least <= sum(map(str.isdigit, text)) <= most


def _any(text: str) -> bool:
    return bool(text)


_PATTERNS: Mapping[str, tuple[re.Pattern[str], Callable[[str], bool]]] = {
    "e-mail address": (re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}"), _any),
    "web address": (re.compile(r"(?:https?://|\bwww\.)[^\s<>\"]{1,2000}(?<![.,;:)])", re.IGNORECASE), _any),
    "IP address": (re.compile(r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F:]{3,39})(?![\w:])"), _is_address),
    "IBAN": (re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b"), iban.is_valid),
    "card number": (
        re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])"),
        lambda text: luhn.is_valid(re.sub("[ -]", "", text)),
    ),
    "DNI or NIE": (
        re.compile(r"\b(?:\d{8}|[XYZxyz][ -]?\d{7})[ -]?[A-Za-z]\b"),
        lambda text: dni.is_valid(text) or nie.is_valid(text),
    ),
    "NHS number": (re.compile(r"(?<![\w.-])\d{3}[ -]?\d{3}[ -]?\d{4}(?![\w-])"), nhs.is_valid),
    "social security number": (re.compile(r"(?<![\w.-])\d{3}-\d{2}-\d{4}(?![\w-])"), ssn.is_valid),
    "date": (
        re.compile(
            rf"(?<![\w./-])(?:\d{{4}}[./-]\d{{1,2}}[./-]\d{{1,2}}|{_DAY}[./-]\d{{1,2}}[./-](?:\d{{4}}|\d{{2}})"
            rf"|{_DAY}(?:st|nd|rd|th)?(?: of| de)? {_MONTH}\.?(?:(?:,| de| del)? \d{{4}})?"
            rf"|{_MONTH}\.? {_DAY}(?:st|nd|rd|th)?(?:,? \d{{4}})?|{_MONTH}\.?(?: de| of)? \d{{4}})(?![\w/-])",
            re.IGNORECASE,
        ),
        _any,
    ),
    "telephone number": (
        re.compile(
            r"(?<![\w.,/+-])(?:\+\d{1,3}[ .-]?)(?:\(\d{1,5}\)[ .-]?)?\d{1,5}(?:[ .-]?\d{2,5}){1,4}(?![\w/-])"
            r"|(?<![\w.,/+-])(?:\(\d{2,5}\)[ .-]?\d{2,5}|\d{2,5})(?:[ .-]\d{2,5}){1,4}(?![\w/-])"
        ),
        _digits(9, 15),
    ),
    "long number": (re.compile(r"(?<![\w.])\d{7,}(?!\w)"), _any),
    "name": (re.compile(rf"(?<!\w){_TITLE} {{1,3}}(?P<hide>(?:[A-Z]\. ?){{0,3}}{_NAME}(?: {_NAME}){{0,2}})"), _any),
}
"""What is looked for, in order: the form, and the question that decides, a checksum where the number has one."""


def find_details(text: str) -> list[Hidden]:
    """Stretches that have the form of a personal detail, in order, none in another."""
    taken = bytearray(len(text))
    found = []
    for kind, (pattern, is_one) in _PATTERNS.items():
        for match in pattern.finditer(text):
            group = "hide" if "hide" in pattern.groupindex else 0
            for start, end in _shorter(match.start(group), match.end(group), text, kind):
                if not any(taken[start:end]) and is_one(text[start:end]):
                    taken[start:end] = b"\1" * (end - start)
                    found.append(Hidden(start, end, kind))
                    break
    return sorted(found, key=lambda hidden: hidden.start)


def _shorter(start: int, end: int, text: str, kind: str) -> Iterator[tuple[int, int]]:
    """A candidate, and of an IBAN what is left without its last groups, which may be words in capitals."""
    yield start, end
    while kind == "IBAN" and (end := text.rfind(" ", start, end)) > start:
        yield start, end


def redact(text: str) -> tuple[str, Counter[str]]:
    """A text of the same length with `█` in the place of what `find_details` finds, and how much of each kind.

    Args:
        text: Any text.
    """
    hidden = find_details(text)
    pieces, last = [], 0
    for place in hidden:
        pieces += [text[last : place.start], re.sub(r"\S", MASK, text[place.start : place.end])]
        last = place.end
    return "".join([*pieces, text[last:]]), Counter(place.kind for place in hidden)
