"""Names brought to one spelling, so that those which differ in writing alone compare equal."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from zoo.language.cutting import letter_runs

_GREEK = {
    chr(code): unicodedata.name(chr(code)).rpartition(" ")[2].lower()
    for code in range(0x3B1, 0x3CA)
    if unicodedata.name(chr(code)).startswith("GREEK SMALL LETTER ")
} | {"ς": "sigma", "µ": "mu"}
"""Small letter -> its name in Latin letters."""
_ROMAN = {"ii": "2", "iii": "3", "iv": "4", "vi": "6", "vii": "7", "viii": "8", "ix": "9", "xi": "11", "xii": "12"}
"""Roman numerals that are no words or symbols of their own, as `i`, `v` and `x` are."""
_SPELLING_MARKS = frozenset((7, 8, 9, *range(84, 133)))
"""Canonical combining classes of marks that make another letter (Unicode Standard, table 4-3)."""
_BRITISH = ((r"ae", "e"), (r"oe", "e"), (r"our\b", "or"), (r"ours\b", "ors"), (r"ph(?=[aeiouy])", "f"), (r"yse", "yze"))
"""British letters -> American ones; both sides of a comparison are changed, so that a rule may meet too much."""
_STOP_WORDS = frozenset(
    (
        "a",
        "an",
        "and",
        "as",
        "at",
        "by",
        "due",
        "for",
        "from",
        "in",
        "nos",
        "of",
        "on",
        "or",
        "the",
        "to",
        "type",
        "with",
    )
)


def exact_key(name: str) -> str:
    """A name without regard to case, width of letters and white space."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _is_accent(character: str) -> bool:
    """Whether a mark may be left out: not the vowel signs and voicing marks of Indic, Thai and Japanese writing."""
    return (place := unicodedata.combining(character)) > 0 and place not in _SPELLING_MARKS


@lru_cache(maxsize=1 << 16)
def plain(name: str) -> str:
    """Words of letters and digits: no accents, no punctuation, Greek letters by name, American spelling."""
    letters = unicodedata.normalize("NFKD", name).casefold()
    letters = "".join(f" {_GREEK[c]} " if c in _GREEK else c for c in letters if not _is_accent(c))
    letters = re.sub(r"['\u2019]s\b", "", letters)
    for british, american in _BRITISH:
        letters = re.sub(british, american, letters)
    return " ".join(_ROMAN.get(word, word) for word in letter_runs(letters))


_PLURALS = (
    ("stases", "stasis"),
    ("noses", "nosis"),
    ("roses", "rosis"),
    ("sses", "ss"),
    ("xes", "x"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("ruses", "rus"),
    ("nuses", "nus"),
    ("ies", "y"),
)
"""Ends of plurals -> those of their singulars; any other loses its `s`, but for `ss`, `us` and `is`."""


def stem(word: str) -> str:
    """Singular of an English plural, or of what looks like one."""
    if len(word) <= 3 or not word.endswith("s"):
        return word
    for plural, singular in _PLURALS:
        if word.endswith(plural):
            return word.removesuffix(plural) + singular
    return word if word.endswith(("us", "ss", "is")) else word[:-1]


@lru_cache(maxsize=1 << 16)
def words(name: str) -> tuple[str, ...]:
    """Stems of the words that carry meaning, in order; all words where none does."""
    every = plain(name).split()
    return tuple(stem(word) for word in every if word not in _STOP_WORDS) or tuple(every)


def bag(name: str) -> str:
    """The words of a name without regard to their order; empty for a name without letters and digits."""
    return " ".join(sorted(set(words(name))))
