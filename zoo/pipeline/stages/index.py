"""The index of an ontology's names, built once for all checkpoints that are linked to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from zoo.linking.index import INDEX_FILE, Index, IndexInfo
from zoo.ontologies.stored import read_concepts
from zoo.pipeline.context import Context
from zoo.pipeline.stage import Job, Stage, StageKind
from zoo.pipeline.stages.ontology import CONCEPTS_FILE, concept_count
from zoo.pipeline.stages.ontology import KIND as ONTOLOGY
from zoo.registry.loader import Checkpoint

INDEX = "index"
"""Folder of the index in the artefact."""
_DISK_BYTES = 20e6


class IndexStage(StageKind[IndexInfo]):
    """Builds the index that mentions are looked up in."""

    name = "index"
    code = 1
    serves = "ontology"
    record = IndexInfo
    record_file = f"{INDEX}/{INDEX_FILE}"
    default_rate = 3e-4

    @override
    def plan(self, checkpoint: Checkpoint, context: Context, ontology: str | None = None) -> Stage:
        """The index of one of the ontologies that a checkpoint is linked to; None: of the first."""
        read = ONTOLOGY.plan(checkpoint, context, ontology)
        entry = context.registry.ontology(read.name)
        key = {
            "id": entry.id,
            "ontology": read.fingerprint,
            "page": entry.page,
            "types": entry.types,
            "id_prefix": entry.id_prefix,
            "code": self.code,
        }
        return Stage(self.name, read.name, key, (read,), checkpoint)

    @override
    def run(self, job: Job) -> None:
        read, entry = job.input("ontology"), job.context.registry.ontology(job.stage.name)
        Index.build(
            read_concepts(read / CONCEPTS_FILE),
            job.work / INDEX,
            ontology=entry.id,
            version=ONTOLOGY.read(read).version,
            page=entry.page,
            types=entry.types,
            id_prefix=entry.id_prefix,
        )

    @override
    def work(self, checkpoint: Checkpoint, key: Mapping[str, Any], context: Context) -> float:
        return float(concept_count(key["id"], context))

    @override
    def disk_bytes(self, stage: Stage) -> float:
        return _DISK_BYTES

    @override
    def describe(self, record: IndexInfo) -> str:
        return f"{record.names:,} names of {record.concepts:,} concepts"


KIND = IndexStage()
