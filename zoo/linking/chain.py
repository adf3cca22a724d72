"""Several linkers as one, such as the trained one of a model and names alone for types that it does not cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zoo.linking.index import Index
from zoo.linking.linker import Linker
from zoo.modeling.windows import Entity


@dataclass(frozen=True)
class Chain:
    """Linkers of which each links what those before it left.

    Attributes:
        linkers: In order.
    """

    linkers: Sequence[Linker]

    @property
    def ontologies(self) -> dict[str, Index]:
        """Entity type -> index of the ontology that it is linked to; the type `*` stands for all others."""
        return {type: index for linker in reversed(self.linkers) for type, index in linker.ontologies.items()}

    @property
    def knows_names(self) -> bool:
        """Whether one of them has names of training."""
        return any(linker.knows_names for linker in self.linkers)

    def link(self, texts: Sequence[str], entities: Sequence[Sequence[Entity]]) -> list[list[Entity]]:
        """The same entities with their links, as `Linker.link`."""
        linked = [list(found) for found in entities]
        for linker in self.linkers:
            left = [[place for place, entity in enumerate(found) if entity.link is None] for found in linked]
            tried = linker.link(texts, [[found[p] for p in places] for found, places in zip(linked, left, strict=True)])
            for found, places, done in zip(linked, left, tried, strict=True):
                for place, entity in zip(places, done, strict=True):
                    found[place] = entity
        return linked
