"""The names of an ontology on disk: opened in well under a second, and shared by processes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zoo.ontologies.concept import Concept
from zoo.records import Record

INDEX_FILE = "index.json"


class IndexInfo(Record):
    """`index.json`: what an index holds, and of which ontology."""

    ontology: str
    version: str
    concepts: int
    names: int


class Index:
    """An opened index; many threads may use it at once.

    Attributes:
        folder: Where it is.
        info: What it holds.
    """

    folder: Path
    info: IndexInfo

    @classmethod
    def build(cls, concepts: Iterable[Concept], destination: Path, *, ontology: str, version: str) -> IndexInfo:
        """Write the index of an ontology into an empty or new folder."""
        raise NotImplementedError

    @classmethod
    def open(cls, folder: Path) -> Index:
        """Open an index.

        Raises:
            ZooError: It is not one, or of another version of the format.
        """
        raise NotImplementedError

    def concept(self, concept_id: str) -> Concept | None:
        """A concept by its id, or by one that stands for it too."""
        raise NotImplementedError
