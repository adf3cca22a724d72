"""Domain-adaptive pre-training of a backbone, once for all its corpora."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field
from typing_extensions import override

from zoo.errors import ZooError
from zoo.files import file_sha256
from zoo.passages.fetched import read_record
from zoo.passages.load import FETCHED, find_passages
from zoo.passages.mixture import MixtureCounts, draw_epoch, prepare_passages
from zoo.passages.planned import not_fetched, planned_fingerprint
from zoo.passages.stored import Texts
from zoo.pipeline.context import NOT_KNOWN, Context
from zoo.pipeline.fetching import with_fetching
from zoo.pipeline.stage import (
    Job,
    Stage,
    StageKind,
    library_versions,
    split_fingerprints,
)
from zoo.pipeline.store import RESUME
from zoo.registry.loader import Checkpoint
from zoo.registry.lock import LOCK_FILE
from zoo.registry.passage_entry import PassageEntry
from zoo.registry.recipes import DaptRecipe
from zoo.registry.schema import Backbone, CorpusEntry
from zoo.training.dapt import DaptLog

_TOKENS_PER_PASSAGE = 220
_UNKNOWN_PASSAGES = 10_000
NOT_FETCHED = f"{NOT_KNOWN}: passages that are to be fetched"
"""Stands in a stage's key for passages of which nothing is known before they are fetched."""


class DaptRecord(DaptLog):
    """`dapt.json`: what domain-adaptive pre-training gave, and on what."""

    passages: list[str]
    counts: MixtureCounts
    fetched: dict[str, str] = Field(default_factory=dict, description="entry -> day on which it was fetched")


class Dapt(StageKind[DaptRecord]):
    """Reads passages and trains LoRA on the backbone by masked language modelling."""

    name = "dapt"
    code = 5
    serves = "backbone"
    record = DaptRecord
    record_file = "dapt.json"
    default_rate = 3.2e-5
    flop_per_work = 2e6  # a token of a parameter counts twice as work

    @override
    def plan(self, checkpoint: Checkpoint, context: Context) -> Stage:
        backbone, recipe = checkpoint.backbone, checkpoint.recipe.dapt
        key = {
            "backbone": backbone_identity(backbone, context),
            "versions": library_versions(),
            "code": self.code,
            "recipe": recipe.model_dump(mode="json", exclude={"targets", "test_sets"}),
            "targets": recipe.targets or context.registry.families[backbone.family].dapt_targets,
            "passages": context.known("passages", lambda: _passages_key(recipe, context)),
            "test_sets": {
                entry.id: {**split_fingerprints(entry, context, ("test",)), "unit": entry.unit}
                for entry in test_corpora(recipe, context)
            },
        }
        return Stage(self.name, backbone.id, key, (), checkpoint)

    @override
    def run(self, job: Job) -> None:
        import torch

        from zoo.training.dapt import DaptProgress, adapt
        from zoo.training.dapt_processes import adapt_in_parallel

        checkpoint, context, progress = job.stage.checkpoint, job.context, job.progress
        recipe = checkpoint.recipe.dapt
        if _passages_key(recipe, with_fetching(context)) != job.stage.key["passages"]:
            raise ZooError("the passages are not those of the plan", where=LOCK_FILE, fix="run zoo build again")
        progress.note("reads passages and leaves out test sentences")
        prepared = prepare_passages(
            passage_entries(recipe, context),
            [context.corpus(entry) for entry in test_corpora(recipe, context)],
            folders=context.registry.folders,
            folder=job.work / RESUME / "passages",
            local=context.settings.passages,
            heldout_max=recipe.heldout_max,
            seed=recipe.seed,
        )

        def note(text: str) -> None:
            progress.note(text)
            job.save_energy()

        arguments: dict[str, Any] = {
            "backbone": context.backbone(checkpoint.backbone).folder,
            "family": context.registry.families[checkpoint.backbone.family],
            "texts": Texts(prepared.train),
            "epochs": [draw_epoch(prepared, epoch, recipe.seed) for epoch in range(recipe.epochs)],
            "heldout": Texts(prepared.heldout),
            "recipe": recipe,
            "destination": job.work / "adapter",
            "snapshot_path": job.work / RESUME / "snapshot.safetensors",
        }
        if context.alone and (gpus := torch.cuda.device_count()) > 1:
            progress.note(f"trains on {gpus} GPUs")
            log = adapt_in_parallel(gpus, **arguments)
        else:
            steps = DaptProgress(
                on_phase=lambda name, steps, done: progress.steps(steps, done), on_step=progress.step, on_note=note
            )
            log = adapt(**arguments, progress=steps)
        names, days = list(recipe.passages), _days(recipe, context)
        self.write(job.work, DaptRecord(**log.model_dump(), passages=names, counts=prepared.counts, fetched=days))

    @override
    def work(self, checkpoint: Checkpoint, key: Mapping[str, Any], context: Context) -> float:
        recipe, known = key["recipe"], context.registry.passages
        entries = [known[name] for name in recipe["passages"] if name in known]
        passages = sum(entry.weight * (_number(entry) or 0) for entry in entries)
        tokens = _TOKENS_PER_PASSAGE * (passages or _UNKNOWN_PASSAGES) * float(recipe["epochs"])
        return 2 * checkpoint.backbone.parameters_million * tokens

    @override
    def describe(self, record: DaptRecord) -> str:
        return f"held-out perplexity {record.perplexity_before:.2f} -> {record.perplexity_after:.2f}"


KIND = Dapt()


def backbone_identity(backbone: Backbone, context: Context) -> Any:  # noqa: ANN401 - JSON-like
    """What names a backbone's content: pinned hashes where the registry has them, else the files' own."""
    if backbone.package:
        return {"package": backbone.package.distribution, "sha256": backbone.package.sha256}
    pinned = context.pinned(backbone)
    if pinned.hub_id and pinned.revision and not pinned.path:
        return {"hub_id": pinned.hub_id, "revision": pinned.revision}
    return context.known(backbone.id, lambda: _file_hashes(context.backbone(backbone).folder))


def _file_hashes(folder: Path) -> dict[str, str]:
    return {
        path.name: file_sha256(path)
        for path in sorted(folder.iterdir())
        if path.suffix in (".safetensors", ".bin", ".json", ".txt", ".model")
    }


def _passages_key(recipe: DaptRecipe, context: Context) -> Any:  # noqa: ANN401 - JSON-like
    """The fingerprint of a mixture, by the lock where it is to be fetched; without either what would be fetched.

    That is no key that an artefact can have: a build fetches before it plans.
    """
    entries, folders, local = passage_entries(recipe, context), context.registry.folders, context.settings.passages
    missing = not_fetched(entries, folders=folders, local=local)
    for entry in missing:
        context.fetch(entry)
    planned = planned_fingerprint(entries, folders=folders, local=local)
    return planned or {entry.id: NOT_FETCHED for entry in missing}


def _days(recipe: DaptRecipe, context: Context) -> dict[str, str]:
    """When the entries of a mixture were fetched: those that are not files of the user's own."""
    folders, local = context.registry.folders, context.settings.passages
    places = {
        entry.id: find_passages(entry, folders[f"passages/{entry.id}"], local)
        for entry in passage_entries(recipe, context)
    }
    return {
        name: read_record(place[1]).fetched.isoformat()
        for name, place in places.items()
        if place and place[0] == FETCHED
    }


def _number(entry: PassageEntry) -> int | None:
    """About how many passages of an entry are trained on; None: not known."""
    known = [number for number in (entry.passages, entry.sample) if number is not None]
    return min(known, default=None)


def passage_entries(recipe: DaptRecipe, context: Context) -> list[PassageEntry]:
    """Registry entries of a mixture."""
    return [context.registry.passage(name) for name in recipe.passages]


def test_corpora(recipe: DaptRecipe, context: Context) -> list[CorpusEntry]:
    """Corpora whose test sentences may not stand in the passages; by default all but those that nobody can fetch.

    Joined ones have no documents but those of their members.
    """
    registry, local = context.registry, context.settings.corpora
    if recipe.test_sets is not None:
        return [registry.corpus(name) for name in recipe.test_sets]
    plain = (entry for entry in registry.corpora.values() if not entry.members)
    return [entry for entry in plain if entry.sources or (local and (local / entry.id).is_dir())]
