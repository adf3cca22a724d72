"""The concepts of an ontology, read once for all checkpoints that are linked to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field
from typing_extensions import override

from zoo.ontologies.stored import write_concepts
from zoo.pipeline.context import Context
from zoo.pipeline.stage import Job, Stage, StageKind
from zoo.records import Record
from zoo.registry.loader import Checkpoint

CONCEPTS_FILE = "concepts.jsonl.gz"
_UNKNOWN_CONCEPTS = 10_000
_BYTES_PER_CONCEPT = 120.0


class OntologyRecord(Record):
    """`ontology.json`: which ontology was read, and what of it."""

    id: str
    title: str
    version: str = Field(description="as its source names it")
    source: str = Field(description="where it was found, in words fit for a card")
    license: str
    fingerprint: str = Field(description="sha256 of its concepts")
    concepts: int
    names: int
    repairs: dict[str, int] = Field(description="what the reader repaired or left out, counted")


class Ontology(StageKind[OntologyRecord]):
    """Reads an ontology from its source."""

    name = "ontology"
    code = 1
    serves = "ontology"
    record = OntologyRecord
    record_file = "ontology.json"
    default_rate = 1e-4

    @override
    def plan(self, checkpoint: Checkpoint, context: Context, ontology: str | None = None) -> Stage:
        """The concepts of one of the ontologies that a checkpoint is linked to; None: of the first."""
        entry = context.registry.ontology(ontology or next(iter(checkpoint.ontologies.values())))
        key = {"id": entry.id, "concepts": context.ontology_fingerprint(entry), "code": self.code}
        stage = Stage(self.name, entry.id, key, (), checkpoint)
        if not stage.is_known or not context.store.has(self.name, stage.fingerprint):
            context.check_ontology(entry)
        return stage

    @override
    def run(self, job: Job) -> None:
        entry = job.context.registry.ontology(job.stage.name)
        read = job.context.ontology(entry)
        write_concepts(job.work / CONCEPTS_FILE, read.concepts)
        self.write(
            job.work,
            OntologyRecord(
                id=entry.id,
                title=entry.title,
                version=read.version,
                source=read.source,
                license=entry.license.spdx,
                fingerprint=read.fingerprint,
                concepts=len(read.concepts),
                names=sum(len(concept.names) for concept in read.concepts),
                repairs=dict(read.repairs),
            ),
        )

    @override
    def work(self, checkpoint: Checkpoint, key: Mapping[str, Any], context: Context) -> float:
        return float(concept_count(key["id"], context))

    @override
    def disk_bytes(self, stage: Stage) -> float:
        return _BYTES_PER_CONCEPT * _UNKNOWN_CONCEPTS

    @override
    def describe(self, record: OntologyRecord) -> str:
        return f"{record.concepts:,} concepts with {record.names:,} names, {record.version}"


KIND = Ontology()


def concept_count(ontology: str, context: Context) -> int:
    """About how many concepts an ontology has, by the registry."""
    entry = context.registry.ontologies.get(ontology)
    return (entry and entry.concepts) or _UNKNOWN_CONCEPTS
