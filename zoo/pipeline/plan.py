"""The plan: which stages make the wanted checkpoints, in which order, and which of them are done.

A stage's key holds everything that determines its outcome; its fingerprint is the key's sha256. Keys name inputs by
their fingerprints, so that one can plan without running, and a change reaches exactly what depends on it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Literal

from zoo.errors import ZooError
from zoo.files import file_sha256
from zoo.passages.mixture import passages_fingerprint
from zoo.pipeline.context import Context
from zoo.pipeline.store import RESUME, Artefact, differences
from zoo.registry.loader import Checkpoint
from zoo.registry.recipes import DaptRecipe
from zoo.registry.schema import SPLITS, Backbone, CorpusEntry, PassageEntry, SplitName

Kind = Literal["dapt", "base", "tune", "train", "evaluate"]
CODE: dict[Kind, int] = {"dapt": 3, "base": 1, "tune": 9, "train": 9, "evaluate": 2}
"""Version of each stage's code: raise it with a change that changes the outcome."""
_LIBRARIES = ("torch", "transformers", "peft", "tokenizers")


@dataclass(frozen=True)
class Stage:
    """A piece of work with one artefact.

    Attributes:
        kind: What is done.
        name: Backbone of `dapt` and `base`, checkpoint id of the others.
        key: Everything that determines the outcome.
        needs: Stages whose artefacts it reads.
        checkpoint: A checkpoint it serves; `dapt` and `base` serve all with the same key.
    """

    kind: Kind
    name: str
    key: Mapping[str, Any] = field(repr=False)
    needs: tuple[Stage, ...] = field(repr=False)
    checkpoint: Checkpoint = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Sha256 of the key."""
        return digest([self.kind, self.key])

    @property
    def id(self) -> str:
        """What the artefact is called in messages and in a run."""
        return f"{self.kind} {self.name} {self.fingerprint[:12]}"

    def need(self, kind: Kind) -> Stage | None:
        """The input of a kind."""
        return next((stage for stage in self.needs if stage.kind == kind), None)


@dataclass(frozen=True)
class Plan:
    """All stages of a run.

    Attributes:
        stages: Inputs come before what needs them; none twice.
        last: Checkpoint id -> its last stage.
        checkpoints: What is to be built.
        unreadable: Checkpoint id -> why an input of it cannot be had.
    """

    stages: tuple[Stage, ...]
    last: Mapping[str, Stage]
    checkpoints: tuple[Checkpoint, ...]
    unreadable: Mapping[str, ZooError]


def make_plan(checkpoints: Sequence[Checkpoint], context: Context) -> Plan:
    """Plan checkpoints; what is wrong with one's inputs is noted in `unreadable`."""
    last: dict[str, Stage] = {}
    unreadable: dict[str, ZooError] = {}
    for checkpoint in checkpoints:
        try:
            last[checkpoint.id] = _evaluate(checkpoint, context)
        except ZooError as error:
            unreadable[checkpoint.id] = error
    stages: dict[str, Stage] = {}
    for stage in last.values():
        for each in _inputs_first(stage):
            stages.setdefault(each.fingerprint, each)
    return Plan(tuple(stages.values()), last, tuple(checkpoints), unreadable)


def digest(value: object) -> str:
    """Sha256 of a JSON-like value, key order not counting."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def library_versions() -> dict[str, str]:
    """Versions of the libraries that weights depend on."""
    return {name: version(name) for name in _LIBRARIES}


def chain(stage: Stage) -> dict[Kind, Stage]:
    """A stage and all it stands on, by kind."""
    return {each.kind: each for each in _inputs_first(stage)}


def is_canonical_base(stage: Stage, context: Context) -> bool:
    """Whether a base is the one that its backbone's checkpoints have unless their recipe names other passages."""
    recipe = context.registry.recipes.for_checkpoint(f"{stage.name}/*")
    return _base(stage.checkpoint.backbone, recipe.dapt, stage.checkpoint, context).fingerprint == stage.fingerprint


def passage_entries(recipe: DaptRecipe, context: Context) -> list[PassageEntry]:
    """Registry entries of a mixture."""
    return [context.registry.passage(name) for name in recipe.passages]


def test_corpora(recipe: DaptRecipe, context: Context) -> list[CorpusEntry]:
    """Corpora whose test sentences may not stand in the passages."""
    names = recipe.test_sets if recipe.test_sets is not None else tuple(context.registry.corpora)
    return [context.registry.corpus(name) for name in names]


def _evaluate(checkpoint: Checkpoint, context: Context) -> Stage:
    train = _train(checkpoint, context)
    corpus, settings = checkpoint.corpus, context.settings
    key = {
        "code": CODE["evaluate"],
        "train": train.fingerprint,
        "splits": _fingerprints(corpus, context, SPLITS),
        "originals": corpus.originals.model_dump(mode="json") if corpus.originals else None,
        "originals_at_hand": bool(corpus.originals and (settings.originals or not settings.offline)),
        "evaluation": checkpoint.recipe.evaluation.model_dump(),
        "seed": checkpoint.recipe.seed,
        "stride_tokens": checkpoint.backbone.stride_tokens,
    }
    return Stage("evaluate", checkpoint.id, key, (train,), checkpoint)


def _train(checkpoint: Checkpoint, context: Context) -> Stage:
    base = _base(checkpoint.backbone, checkpoint.recipe.dapt, checkpoint, context)
    recipe, family = checkpoint.recipe, context.registry.families[checkpoint.backbone.family]
    key: dict[str, Any] = {
        "base": base.fingerprint,
        "splits": _fingerprints(checkpoint.corpus, context, ("train", "dev")),
        "types": checkpoint.corpus.entity_types,
        "targets": recipe.lora.targets or family.lora_targets,
        "head_modules": family.head_modules,
        "lora": recipe.lora.model_dump(exclude={"targets"}),
        "finetune": recipe.finetune.model_dump(),
        "seed": recipe.seed,
        "stride_tokens": checkpoint.backbone.stride_tokens,
        "versions": library_versions(),
    }
    needs: tuple[Stage, ...] = (base,)
    if recipe.tune.trials:
        search = {**key, "code": CODE["tune"], "tune": recipe.tune.model_dump(mode="json")}
        search["versions"] = {**library_versions(), "optuna": version("optuna")}
        tune = Stage("tune", checkpoint.id, search, (base,), checkpoint)
        key, needs = {**key, "tune": tune.fingerprint}, (base, tune)
    return Stage("train", checkpoint.id, {**key, "code": CODE["train"]}, needs, checkpoint)


def _base(backbone: Backbone, recipe: DaptRecipe, checkpoint: Checkpoint, context: Context) -> Stage:
    family = context.registry.families[backbone.family]
    key: dict[str, Any] = {"backbone": _identity(backbone, context), "versions": library_versions()}
    needs: tuple[Stage, ...] = ()
    if recipe.passages:
        entries = passage_entries(recipe, context)
        dapt_key = {
            **key,
            "code": CODE["dapt"],
            "recipe": recipe.model_dump(mode="json", exclude={"targets", "test_sets"}),
            "targets": recipe.targets or family.dapt_targets,
            "passages": passages_fingerprint(
                entries, folders=context.registry.folders, local=context.settings.passages
            ),
            "test_sets": {
                entry.id: _fingerprints(entry, context, ("test",))["test"] for entry in test_corpora(recipe, context)
            },
        }
        dapt = Stage("dapt", backbone.id, dapt_key, (), checkpoint)
        key["dapt"], needs = dapt.fingerprint, (dapt,)
    key |= {
        "code": CODE["base"],
        "labels": digest(context.labels.labels),
        "window_tokens": backbone.window_tokens,
        "head_modules": family.head_modules,
    }
    return Stage("base", backbone.id, key, needs, checkpoint)


def _identity(backbone: Backbone, context: Context) -> Any:  # noqa: ANN401 - JSON-like
    """What names a backbone's content: pinned hashes where the registry has them, else the files' own."""
    if backbone.package:
        return {"package": backbone.package.distribution, "sha256": backbone.package.sha256}
    pinned = context.pinned(backbone)
    if pinned.hub_id and pinned.revision and not pinned.path:
        return {"hub_id": pinned.hub_id, "revision": pinned.revision}
    files = context.backbone(backbone)
    return {
        path.name: file_sha256(path)
        for path in sorted(files.folder.iterdir())
        if path.suffix in (".safetensors", ".bin", ".json", ".txt", ".model")
    }


def _fingerprints(entry: CorpusEntry, context: Context, splits: Sequence[SplitName]) -> dict[str, str]:
    """Fingerprints of splits: those that the registry demands, else of what is there now."""
    registered = {split: info.fingerprint for split, info in entry.splits.items() if info.fingerprint}
    if all(split in registered for split in splits):
        return {split: registered[split] for split in splits}
    return {split: context.corpus(entry).fingerprints[split] for split in splits}


def _inputs_first(stage: Stage) -> Iterator[Stage]:
    for need in stage.needs:
        yield from _inputs_first(need)
    yield stage


@dataclass(frozen=True)
class Status:
    """Where a stage stands.

    Attributes:
        state: `cached`, or `resume` (begun before), `changed` (an earlier artefact of the same name is there), `new`.
        reason: In words: which fields changed.
    """

    stage: Stage
    state: Literal["cached", "resume", "changed", "new"]
    reason: str


def inspect(plan: Plan, context: Context) -> list[Status]:
    """The state of each stage and why it would run."""
    latest: dict[tuple[str, str], Artefact] = {}
    for _, artefact in context.store.artefacts():
        latest[artefact.kind, artefact.name] = artefact
    return [_status(stage, context, latest.get((stage.kind, stage.name))) for stage in plan.stages]


def _status(stage: Stage, context: Context, latest: Artefact | None) -> Status:
    store = context.store
    if store.has(stage.kind, stage.fingerprint):
        return Status(stage, "cached", "done")
    resume = store.root / ".work" / f"{stage.kind}-{stage.fingerprint[:32]}" / RESUME
    if resume.is_dir() and any(resume.iterdir()):
        return Status(stage, "resume", "begun before, goes on where it stopped")
    if latest is None:
        return Status(stage, "new", "never made here")
    changed = differences(latest.key, json.loads(json.dumps(stage.key, default=str)))
    return Status(stage, "changed", "changed: " + ", ".join(changed))
