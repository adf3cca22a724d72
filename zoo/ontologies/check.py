"""What is odd in an ontology: repairs, names that several concepts share, parents that are not in it."""

from __future__ import annotations

from collections import defaultdict

from zoo.ontologies.load import Ontology
from zoo.records import Record

_EXAMPLES = 10


class Repair(Record):
    """Something that was mended or left out."""

    what: str
    count: int
    first: str
    """Where it was met first: `file:line`, or the id of a concept."""


class SharedName(Record):
    """A name of several concepts: nothing but its context tells which is meant."""

    name: str
    concepts: tuple[str, ...]


class OntologyReport(Record):
    """What was found in an ontology.

    Attributes:
        shared_names: How many names, upper and lower case alike, are those of several concepts.
        examples: Some of them, those of the most concepts first.
        parents_elsewhere: Links to parents that are not in it.
        without_definition: Concepts without a definition.
    """

    ontology: str
    version: str
    source: str
    fingerprint: str
    concepts: int
    names: int
    repairs: tuple[Repair, ...]
    shared_names: int
    examples: tuple[SharedName, ...]
    parents_elsewhere: int
    without_definition: int


def check_ontology(ontology: Ontology) -> OntologyReport:
    """Look for what is odd in an ontology that was read."""
    owners: dict[str, list[str]] = defaultdict(list)
    for concept in ontology.concepts:
        for name in {name.casefold() for name in concept.names}:
            owners[name].append(concept.id)
    shared = {name: ids for name, ids in owners.items() if len(ids) > 1}
    worst = sorted(shared, key=lambda name: (-len(shared[name]), name))[:_EXAMPLES]
    known = {concept.id for concept in ontology.concepts}
    found = ontology.repairs.most_common()
    return OntologyReport(
        ontology=ontology.entry.id,
        version=ontology.version,
        source=ontology.source,
        fingerprint=ontology.fingerprint,
        concepts=len(ontology.concepts),
        names=ontology.names,
        repairs=tuple(Repair(what=what, count=count, first=ontology.places[what]) for what, count in found),
        shared_names=len(shared),
        examples=tuple(SharedName(name=name, concepts=tuple(shared[name])) for name in worst),
        parents_elsewhere=sum(parent not in known for concept in ontology.concepts for parent in concept.parents),
        without_definition=sum(not concept.definition for concept in ontology.concepts),
    )
