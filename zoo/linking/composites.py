"""Composite mentions, split into the names of their parts: "breast and ovarian cancer" are two."""

from __future__ import annotations

import re

_AND = re.compile(r"\s*(?:,?\s+(?:and|or|and/or|as well as)\s+|/|,)\s*", re.IGNORECASE)
_MOST_PARTS = 4


def split_composite(name: str) -> list[list[str]]:
    """Ways to read a name as a list of names; empty where it lists nothing.

    The words behind the last part may belong to all parts ("breast and ovarian cancer"), those before the first too
    ("deficiency of C6 and C7"), or each part may stand for itself ("fever and rash").
    """
    parts = [part for part in _AND.split(name) if part.strip()]
    if not 2 <= len(parts) <= _MOST_PARTS:
        return []
    first, last = parts[0].split(), parts[-1].split()
    readings = [[*(f"{part} {' '.join(last[at:])}" for part in parts[:-1]), parts[-1]] for at in range(1, len(last))]
    readings += [
        [parts[0], *(f"{' '.join(first[:at])} {part}" for part in parts[1:])] for at in range(len(first) - 1, 0, -1)
    ]
    return [*readings, parts]
