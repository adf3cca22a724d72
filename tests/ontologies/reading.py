"""Reading files that tests write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.ontologies.concept import Concept
from zoo.ontologies.load import Ontology, read_ontology
from zoo.ontologies.sources import Located
from zoo.registry.ontology_entry import OntologyEntry

LICENSE = {"spdx": "CC0-1.0", "source": "made in the tests", "publishable": True}


def entry(**fields: Any) -> OntologyEntry:
    """An entry; what is not said is a table."""
    given = {"id": "demo", "title": "Demo", "description": "Made in a test.", "format": "table", "license": LICENSE}
    return OntologyEntry.model_validate({**given, **fields})


def read(path: Path, **fields: Any) -> Ontology:
    """Read a file or folder whose format is told by it."""
    return read_ontology(entry(**fields), Located("a test", (path,)))


def by_id(ontology: Ontology) -> dict[str, Concept]:
    return {concept.id: concept for concept in ontology.concepts}
