"""The linker of a checkpoint: what its training split and its ontologies teach of names, once for all its seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from zoo.errors import ZooError
from zoo.linking.beside import LINKER_FOLDER
from zoo.linking.index import Index
from zoo.pipeline.context import Context
from zoo.pipeline.stage import Job, Stage, StageKind, library_versions, split_fingerprints
from zoo.pipeline.stages.base import KIND as BASE
from zoo.pipeline.stages.index import INDEX
from zoo.pipeline.stages.index import KIND as INDEX_STAGE
from zoo.pipeline.store import RESUME
from zoo.registry.loader import Checkpoint
from zoo.training.linker import LinkerRecord, train_linker

_TOKENS_PER_PAIR = 16


class LinkerStage(StageKind[LinkerRecord]):
    """Gathers names and trains the reranker on the base."""

    name = "linker"
    code = 2
    record = LinkerRecord
    record_file = "training.json"
    default_rate = 2.4e-5

    @override
    def plan(self, checkpoint: Checkpoint, context: Context) -> Stage:
        """The linker for all types of a checkpoint whose ontology can be had.

        Raises:
            ZooError: None of them can be had, or an input of the base cannot.
        """
        indexes, missing = indexes_of(checkpoint, context)
        if not indexes:
            raise next(iter(missing.values()), ZooError(f"{checkpoint.id} has no type that is linked"))
        base, corpus, recipe = BASE.plan(checkpoint, context), checkpoint.corpus, checkpoint.recipe
        key = {
            "base": base.fingerprint,
            "ontologies": {name: stage.name for name, stage in indexes.items()},
            "indexes": {stage.name: stage.fingerprint for stage in indexes.values()},
            "splits": split_fingerprints(corpus, context, ("train", "dev")),
            "types": corpus.types,
            "overlaps": corpus.overlaps,
            "link": recipe.link.model_dump(mode="json", exclude={"enabled", "ontologies"}),
            "seed": recipe.seed,
            "versions": library_versions(),
            "code": self.code,
        }
        needs = (base, *{stage.name: stage for stage in indexes.values()}.values())
        return Stage(self.name, checkpoint.id, key, needs, checkpoint)

    @override
    def run(self, job: Job) -> None:
        checkpoint, context = job.stage.checkpoint, job.context
        corpus, indexes = context.corpus(checkpoint.corpus), open_indexes(job)
        if not any(span.concept_ids for document in corpus.splits["train"] for span in document.spans):
            raise ZooError(
                f"no mention of {corpus.entry.id} has a concept: nothing can be learned or scored",
                where=corpus.source,
                fix="set link.enabled=false, or take files with concept ids",
            )

        def report(done: int, steps: int, note: str) -> None:
            if steps:
                job.progress.steps(steps, done)
            if note:
                job.progress.note(note)
                job.save_energy()

        record = train_linker(
            base=job.input("base") / "model",
            family=context.registry.families[checkpoint.backbone.family],
            ontologies=by_type(job.stage, indexes),
            train=corpus.splits["train"],
            dev=corpus.splits["dev"],
            recipe=checkpoint.recipe.link,
            seed=checkpoint.recipe.seed,
            destination=job.work / LINKER_FOLDER,
            fingerprints={name: concepts_fingerprint(job.stage, name) for name in indexes},
            snapshot_path=job.work / RESUME / "encoder.safetensors",
            progress=report,
        )
        for note in record.notes:
            job.progress.warn(note)
        self.write(job.work, record)

    @override
    def work(self, checkpoint: Checkpoint, key: Mapping[str, Any], context: Context) -> float:
        link = key["link"]
        pairs = int(link["pairs_max"]) * int(link["epochs"]) if link["reranker"] else 0
        return checkpoint.backbone.parameters_million * _TOKENS_PER_PAIR * pairs

    @override
    def describe(self, record: LinkerRecord) -> str:
        names = f"{sum(record.names.values()):,} names of training"
        encoder = record.encoder
        return names + (f", an encoder trained on {encoder.pairs:,} pairs" if encoder else "")


KIND = LinkerStage()


def indexes_of(checkpoint: Checkpoint, context: Context) -> tuple[dict[str, Stage], dict[str, ZooError]]:
    """Type -> index of its ontology, and type -> why it cannot be had."""
    found: dict[str, Stage] = {}
    missing: dict[str, ZooError] = {}
    for name, ontology in checkpoint.ontologies.items():
        try:
            found[name] = INDEX_STAGE.plan(checkpoint, context, ontology)
        except ZooError as error:
            missing[name] = error
    return found, missing


def open_indexes(job: Job) -> dict[str, Index]:
    """Ontology -> its index, of all that a stage needs."""
    return {name: Index.open(folder / INDEX) for name, folder in job.inputs_of("index").items()}


def by_type(linker: Stage, indexes: Mapping[str, Index]) -> dict[str, Index]:
    """Entity type -> index, of the types of a linker."""
    return {name: indexes[ontology] for name, ontology in linker.key["ontologies"].items()}


def concepts_fingerprint(stage: Stage, ontology: str) -> str:
    """Sha256 of the concepts of an ontology that a stage stands on."""
    return str(stage.inputs_of("index")[ontology].inputs["ontology"].key["concepts"])
