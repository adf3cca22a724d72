"""What a reader finds in a file beside concepts."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Reading:
    """One reading of the files of an ontology; complete once all of them are read.

    Attributes:
        repairs: What had to be mended or left out, counted.
        places: Where each of these was met first, `file:line`.
        version: What the files say; empty where they say nothing.
        obsolete: Id of a concept that is no more -> the one that took its place; empty: none did.
    """

    repairs: Counter[str] = field(default_factory=Counter)
    places: dict[str, str] = field(default_factory=dict)
    version: str = ""
    obsolete: dict[str, str] = field(default_factory=dict)

    def repair(self, what: str, where: str | Path) -> None:
        """Count something that was mended or left out."""
        self.repairs[what] += 1
        self.places.setdefault(what, str(where))


def version_in(text: str) -> str:
    """The date or number of a release in an address such as `cl/releases/2026-06-08/cl.owl`; other texts stay."""
    found = re.search(r"\d{4}-\d{2}-\d{2}", text) or re.search(r"(?<=/)\d+(?=/[^/]*$)", text)
    return found[0] if found else text
