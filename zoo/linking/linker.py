"""From a mention to its concept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.modeling.windows import Entity
from zoo.ontologies.link import Link

if TYPE_CHECKING:
    from zoo.linking.index import Index
    from zoo.tagging.models import Base

LINKER_FILE = "linker.json"


class Linker:
    """Links mentions to the concepts of one or several ontologies; many threads may use it at once.

    Attributes:
        ontologies: Entity type -> index of the ontology it is linked to; the type `*` stands for all others.
    """

    ontologies: Mapping[str, Index]

    @classmethod
    def lexical(cls, ontologies: Mapping[str, Index]) -> Linker:
        """A linker without training: by names alone."""
        raise NotImplementedError

    @classmethod
    def load(cls, folder: Path, indexes: Mapping[str, Index], *, base: Base | None = None) -> Linker:
        """Load a trained linker.

        Args:
            folder: Its folder: `linker.json`, names seen in training, `adapter/`.
            indexes: Ontology id -> its index.
            base: The base in memory that its adapter stands on; None: it is loaded when a mention needs it.

        Raises:
            ZooError: It is not one, or an ontology of it is missing or another than it was trained with.
        """
        raise NotImplementedError

    def link(self, texts: Sequence[str], entities: Sequence[Sequence[Entity]]) -> list[list[Entity]]:
        """The same entities, each with its link; those of types without an ontology stay as they are.

        Args:
            texts: Documents: abbreviations are resolved in them, and mentions of one document agree.
            entities: Of each document, in order of their start.
        """
        raise NotImplementedError

    def link_names(self, names: Sequence[str], type: str = "*") -> list[Link]:
        """Link names that stand alone, such as a column of a table."""
        raise NotImplementedError
