"""What the text says of a mention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Negation = Literal["affirmed", "negated", "possible"]
Temporality = Literal["recent", "historical", "hypothetical"]
Experiencer = Literal["patient", "other"]


@dataclass(frozen=True, slots=True)
class Assertion:
    """The answer for one mention: one value on each of ConText's three axes, and where it stands.

    Attributes:
        negation: Whether it is said to be there.
        temporality: When: now, before, or only if something happens.
        experiencer: Who has it.
        section: Name of the section that it stands in, such as `past_medical_history`; empty: under no known header.
        cues: The phrases, as they stand in the text, that decided an axis.
    """

    negation: Negation = "affirmed"
    temporality: Temporality = "recent"
    experiencer: Experiencer = "patient"
    section: str = ""
    cues: tuple[str, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether it is simply there: the patient has it now."""
        return (self.negation, self.temporality, self.experiencer) == ("affirmed", "recent", "patient")

    @property
    def words(self) -> str:
        """What differs from a plain statement, for people: `negated, historical`; empty for a plain one."""
        usual = {"affirmed", "recent", "patient"}
        said = [value for value in (self.negation, self.temporality) if value not in usual]
        return ", ".join([*said, *(["someone else"] if self.experiencer == "other" else [])])
