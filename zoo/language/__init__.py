"""What depends on a language: how texts are written, words and sentences, names of languages, example sentences."""

from __future__ import annotations

from collections.abc import Iterable

MANY = "mul"
"""BCP 47 tag of what is of many languages."""


def primary(tag: str) -> str:
    """The language of a BCP 47 tag without region and script: `de` for `de-AT`."""
    return tag.partition("-")[0].lower()


def speaks(known: Iterable[str], tag: str) -> bool:
    """Whether a language is among others, of which one may be `MANY`; regions do not count."""
    return bool({primary(each) for each in known} & {primary(tag), MANY})
