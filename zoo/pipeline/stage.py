"""A stage of a build, and what every kind of stage provides.

A stage's key holds everything that determines its outcome; its fingerprint is the key's sha256. Keys name inputs by
their fingerprints, so that one can plan without running, and a change reaches exactly what depends on it.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar

from zoo.files import write_whole
from zoo.language import speaks
from zoo.pipeline.context import NOT_KNOWN, Context
from zoo.pipeline.progress import StageProgress
from zoo.records import Record
from zoo.registry.loader import Checkpoint
from zoo.registry.schema import CorpusEntry, SplitName

_LIBRARIES = ("torch", "transformers", "peft", "tokenizers")
_Record = TypeVar("_Record", bound=Record)


@dataclass(frozen=True)
class Stage:
    """A piece of work with one artefact.

    Attributes:
        kind: What is done: a name of the table of kinds.
        name: Backbone or ontology of what serves many checkpoints, checkpoint id of the others.
        key: Everything that determines the outcome.
        needs: Stages whose artefacts it reads.
        checkpoint: A checkpoint it serves; stages of a backbone or an ontology serve all with the same key.
        seed: Which of the several seeds of its checkpoint it is for; None: for the only one, or for all.
    """

    kind: str
    name: str
    key: Mapping[str, Any] = field(repr=False)
    needs: tuple[Stage, ...] = field(repr=False)
    checkpoint: Checkpoint = field(repr=False)
    seed: int | None = None

    @cached_property
    def fingerprint(self) -> str:
        """Sha256 of the key."""
        return digest([self.kind, self.key])

    @cached_property
    def is_known(self) -> bool:
        """Whether the key is complete; the fingerprint is that of an artefact only then."""
        return f'"{NOT_KNOWN}: ' not in json.dumps(self.key, default=str) and all(need.is_known for need in self.needs)

    @property
    def id(self) -> str:
        """What the artefact is called in messages and in a run."""
        return f"{self.kind} {self.name} {self.fingerprint[:12]}"

    @property
    def inputs(self) -> dict[str, Stage]:
        """What it needs, by kind; of a kind that it needs several of, `inputs_of` has all."""
        return {stage.kind: stage for stage in self.needs}

    def inputs_of(self, kind: str) -> dict[str, Stage]:
        """What it needs of a kind, by name."""
        return {stage.name: stage for stage in self.needs if stage.kind == kind}

    def inputs_first(self) -> Iterator[Stage]:
        """All that it stands on, then itself; what is needed twice comes twice."""
        for need in self.needs:
            yield from need.inputs_first()
        yield self


@dataclass(frozen=True)
class Job:
    """One run of a stage.

    Attributes:
        stage: What is to be done.
        context: Registry, settings, store.
        work: Folder to write the artefact to.
        progress: What is said of it meanwhile.
        save_energy: Writes down the energy used so far; called from time to time, for the case that the run is killed.
    """

    stage: Stage
    context: Context
    work: Path
    progress: StageProgress
    save_energy: Callable[[], None]

    def input(self, kind: str) -> Path:
        """The artefact of an input."""
        return self.context.store.get(kind, self.stage.inputs[kind].fingerprint)

    def inputs_of(self, kind: str) -> dict[str, Path]:
        """The artefacts of all inputs of a kind, by name."""
        return {name: self.context.store.get(kind, s.fingerprint) for name, s in self.stage.inputs_of(kind).items()}


class StageKind(ABC, Generic[_Record]):
    """One kind of stage: its key, its work, its estimate, and the record it leaves.

    Attributes:
        name: In the table of kinds, in `result.json`, and as folder of the artefact store.
        code: Version of its code: raise it with a change that changes the outcome.
        serves: What one is for: a checkpoint, or all checkpoints of a backbone or an ontology; `--overwrite` spares
            those that serve many.
        record: Class of its record.
        record_file: File of the record in the artefact.
        default_rate: Seconds per unit of work where nothing of the kind was measured on this machine.
        flop_per_work: Floating-point operations of a unit of work; of LoRA training about 4 per token and parameter.
    """

    name: ClassVar[str]
    code: ClassVar[int]
    serves: ClassVar[Literal["checkpoint", "backbone", "ontology"]] = "checkpoint"
    record: type[_Record]
    record_file: ClassVar[str]
    default_rate: ClassVar[float] = 0.0
    flop_per_work: ClassVar[float] = 4e6

    @abstractmethod
    def plan(self, checkpoint: Checkpoint, context: Context) -> Stage:
        """The stage of a checkpoint, with all that it needs.

        Raises:
            ZooError: An input cannot be had.
        """

    @abstractmethod
    def run(self, job: Job) -> None:
        """Do the work, and write the artefact with its record.

        Raises:
            ZooError: What the user can put right.
        """

    def work(self, checkpoint: Checkpoint, key: Mapping[str, Any], context: Context) -> float:
        """How much work a key is, in units that take the same time on one machine: tokens x million parameters."""
        return 0.0

    def within_budget(self, key: Mapping[str, Any], seconds: float) -> float:
        """What is left of the time that all the work of a key would take, where it is given up after some time."""
        return seconds

    def disk_bytes(self, stage: Stage) -> float:
        """About how large the artefact is: an adapter, where a kind says nothing else."""
        return 1e6 * stage.checkpoint.backbone.parameters_million * _ADAPTER_BYTES_PER_PARAMETER

    def describe(self, record: _Record) -> str:
        """The outcome, in a line."""
        return "done"

    def check_inputs(self, checkpoint: Checkpoint, context: Context) -> None:
        """See that what is read beside artefacts is there, before anything runs.

        Raises:
            ZooError: It is not.
        """
        if self.serves == "backbone":
            context.backbone(checkpoint.backbone)
        elif self.serves == "checkpoint":
            context.corpus(checkpoint.corpus)

    def read(self, folder: Path) -> _Record:
        """The record of a finished stage."""
        return self.record.model_validate_json((folder / self.record_file).read_bytes())

    def write(self, folder: Path, record: _Record) -> None:
        """Write the record."""
        write_whole(folder / self.record_file, record.to_json())


def digest(value: object) -> str:
    """Sha256 of a JSON-like value, key order not counting."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


@cache
def version(distribution: str) -> str:
    """Version of an installed distribution; reading it anew for each stage of a plan would take seconds."""
    return metadata.version(distribution)


def library_versions() -> dict[str, str]:
    """Versions of the libraries that weights depend on."""
    return {name: version(name) for name in _LIBRARIES}


def split_fingerprints(entry: CorpusEntry, context: Context, splits: Sequence[SplitName]) -> dict[str, str]:
    """Fingerprints of splits: those that the registry or the lock file demands, else of what is there now."""
    registered = {split: info.fingerprint for split, info in entry.splits.items() if info.fingerprint}
    if not all(split in registered for split in splits):
        locked = context.locked_splits(entry)
        registered = {split: info.fingerprint for split, info in locked.items() if info.fingerprint}
    if all(split in registered for split in splits):
        return {split: registered[split] for split in splits}

    def fingerprint(split: SplitName) -> Any:  # noqa: ANN401 - of a corpus that is not known, what says so
        return context.known(f"{split} of {entry.id}", lambda: context.corpus(entry).fingerprints[split])

    return {split: fingerprint(split) for split in splits}


_SUBTOKENS, _FOREIGN_SUBTOKENS = 1.3, 1.9
"""Sub-tokens per word, WordPiece: of the registered corpora (1.20 to 1.46), of Spanish on an English vocabulary."""
_UNKNOWN_TOKENS = 100_000
_ADAPTER_BYTES_PER_PARAMETER = 0.06
"""Per parameter of the backbone."""


def subtokens(checkpoint: Checkpoint, split: SplitName) -> float:
    """About how many sub-tokens a split has, by the registry."""
    number = 0.0
    for part in checkpoint.corpus.parts:
        foreign = not speaks(checkpoint.backbone.languages, part.language)
        info = part.splits.get(split)
        number += (_FOREIGN_SUBTOKENS if foreign else _SUBTOKENS) * ((info and info.tokens) or _UNKNOWN_TOKENS)
    return number
