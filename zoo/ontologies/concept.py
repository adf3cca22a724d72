"""The one shape that a concept of an ontology has everywhere in this project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scope = Literal["exact", "narrow", "broad", "related"]
"""How a synonym relates to its concept, in the words of OBO."""


@dataclass(frozen=True, slots=True)
class Synonym:
    """Another name of a concept."""

    text: str
    scope: Scope = "exact"


@dataclass(frozen=True, slots=True)
class Concept:
    """A concept that mentions are linked to.

    Attributes:
        id: Its identifier, spelt as `corpora.concepts.normalise_concept` spells it: `MESH:D003110`, `CL:0000000`.
        name: Its preferred name.
        synonyms: Its other names.
        alternative_ids: Identifiers that stand for it too: merged ones, those of the same concept elsewhere.
        parents: Identifiers of the concepts right above it.
        types: Semantic types: MeSH tree numbers, UMLS types, taxonomic rank, OBO namespace.
        definition: What it is, in a sentence or two; empty where the source has none.
    """

    id: str
    name: str
    synonyms: tuple[Synonym, ...] = ()
    alternative_ids: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    definition: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All its names, the preferred one first, without repeats."""
        return tuple(dict.fromkeys((self.name, *(synonym.text for synonym in self.synonyms))))
