"""`result.json`: the one record of a build that card, board and verification read. Scores are fractions of 1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from zoo.energy import Energy
from zoo.errors import ZooError
from zoo.evaluation.error_summary import ErrorSummary
from zoo.evaluation.linking import LinkingScores
from zoo.evaluation.memorisation import SeenUnseen, WithoutLeaked
from zoo.evaluation.oracle import RawTextScore
from zoo.evaluation.scoring import Scores
from zoo.evaluation.spans import Counts, added_up
from zoo.evaluation.statistics import bootstrap_interval, mean_and_spread
from zoo.files import write_whole
from zoo.modeling.adapters import weight_digests
from zoo.modeling.heads import Head
from zoo.records import Record
from zoo.registry.names import Names
from zoo.registry.schema import LicenseInfo
from zoo.tagging.coordination import SplitterScore

SCHEMA_VERSION = 1
RESULT_FILE = "result.json"


class Decoding(Record):
    """How logits become entities; a user's pipeline call takes the same values."""

    aggregation_strategy: Literal["simple", "max"] = Field(description="`aggregation_strategy` of the pipeline")
    window_tokens: int = Field(description="tokenizer.model_max_length of the base")
    stride_tokens: int = Field(description="`stride` of the pipeline for texts longer than a window")


class EpochRecord(Record):
    """One epoch of training."""

    epoch: int
    loss: float
    dev_micro_f1: float
    train_seconds: float
    dev_seconds: float = Field(default=0.0, description="scoring the dev split")
    tokens: int


class SeedRun(Record):
    """One of several trainings of a checkpoint that differ in their seed alone."""

    seed: int
    scores: Scores
    train_seconds: float
    energy: Energy = Field(description="training and scoring")
    fingerprints: dict[str, str] = Field(description="sha256 of its stages and of its adapter")


class SeedSpread(Record):
    """A score over seeds."""

    mean: float = Field(ge=0, le=1)
    std: float = Field(ge=0, description="standard deviation, with n - 1")


class SeedScores(Record):
    """The reported score of a checkpoint that was trained with several seeds; `of` makes it."""

    runs: list[SeedRun] = Field(min_length=2, description="in order; the first is the adapter that is published")
    dev_micro_f1: SeedSpread
    test_micro_f1: SeedSpread
    test_ci95: tuple[float, float] = Field(
        description="bootstrap over documents, whose counts are added up over the seeds: it tells of documents"
    )

    @classmethod
    def of(cls, runs: Sequence[SeedRun], counts: Sequence[Sequence[Counts]]) -> SeedScores:
        """The scores of runs.

        Args:
            runs: Two at least, the published one first.
            counts: Of each run, the strict counts of the same test documents.
        """
        return cls(
            runs=list(runs),
            dev_micro_f1=_spread([run.scores.dev.micro_f1 for run in runs]),
            test_micro_f1=_spread([run.scores.test.micro_f1 for run in runs]),
            test_ci95=bootstrap_interval(added_up(counts)),
        )


class HeadRecord(Record):
    """One of several heads."""

    name: str
    types: list[str]
    level: int = Field(ge=1, description="1: the longest of overlapping mentions of these types, 2: of the rest")

    @classmethod
    def of(cls, head: Head) -> HeadRecord:
        """The record of a head."""
        return cls(name=head.name, types=list(head.types), level=head.level)


class CorpusRecord(Record):
    """The data a checkpoint was trained and scored on."""

    title: str
    languages: list[str] = Field(default_factory=list, description="BCP 47 tags; empty in results of before this field")
    unit: Literal["sentence", "document"]
    source: str
    license: str
    documents: dict[str, int]
    mentions: dict[str, int]
    mentions_per_type: dict[str, int] = Field(description="training mentions of each type")
    examples: dict[str, list[str]] = Field(
        description="frequent training mentions of each type; empty where the licence forbids quoting"
    )
    repairs: dict[str, int] = Field(description="what the reader repaired, counted")
    drawn: dict[str, int] = Field(
        default_factory=dict, description="of a joined corpus: member -> training documents of it that an epoch reads"
    )
    dropped_mentions: dict[str, int] = Field(
        default_factory=dict, description="mentions of each split that the overlap policy left out; empty: not counted"
    )

    @property
    def dropped_test_share(self) -> float | None:
        """Share of the test split's mentions that the overlap policy left out, and no score counts; None: not known."""
        dropped = self.dropped_mentions.get("test")
        every = self.mentions.get("test", 0) + (dropped or 0)
        return None if dropped is None else dropped / every if every else 0.0


class RobustnessScore(Record):
    """The test split in a worse spelling; see zoo/evaluation/robustness.py."""

    micro_f1: float = Field(ge=0, le=1, description="strict, on the text after the change")
    loss: float = Field(description="micro_f1 of the text as it is, less this one")
    documents: int = Field(ge=0, description="test documents that were scored")
    changed_documents: int = Field(ge=0, description="of them")


class PassageRecord(Record):
    """Passages that a base was pre-trained on, as their registry entry told of them at the time."""

    id: str
    title: str
    homepage: str = ""
    license: LicenseInfo
    read: int | None = Field(default=None, ge=0, description="passages read; null: not recorded")
    trained: int | None = Field(default=None, ge=0, description="pieces trained on; null: not recorded")
    fetched: str = Field(default="", description="day on which they were fetched, ISO 8601; empty: files of one's own")


class DaptSummary(Record):
    """Domain-adaptive pre-training of the base."""

    passages: list[str] = Field(description="registry entries of the mixture")
    passages_read: int
    passages_trained: int = Field(description="after length filter, de-duplication and exclusion of test sentences")
    perplexity_before: float = Field(
        description="held-out, of masked tokens, with the head of the backbone or a new one"
    )
    perplexity_after: float
    head_trained: bool = Field(description="the head was new: it was trained first, on the frozen backbone")
    steps: int
    tokens: int
    licenses: list[str]
    sources: list[PassageRecord] = Field(default_factory=list, description="empty in results of before this field")
    publishable: bool = Field(default=True, description="as far as the passages go")
    reasons: list[str] = Field(default_factory=list, description="why what derives from them may not be published")
    trained_parameters: int | None = Field(default=None, description="of pre-training; null: not recorded")
    train_seconds: float | None = Field(default=None, description="of pre-training; null: not recorded")
    precision: str | None = Field(default=None, description="of pre-training; null: not recorded")


class Confirmed(Record):
    """Values of a trial of a search, trained with several seeds."""

    trial: int = Field(description="0: the recipe as it stood")
    seeds: list[int] = Field(description="the trial's own first")
    dev_micro_f1: list[float] = Field(description="by seed, best epoch; 0 where a training failed")
    mean: float
    std: float = Field(ge=0, description="standard deviation, with n - 1")


class TuneSummary(Record):
    """The search of hyper-parameters."""

    trials: int
    completed: int = Field(description="the others were pruned or failed")
    best_values: dict[str, Any] = Field(description="dotted path of the recipe -> value that was taken")
    best_dev_micro_f1: float = Field(description="of the training that is shipped")
    recipe_dev_micro_f1: float | None = Field(description="of the recipe before the search, same seed")
    confirmed: list[Confirmed] = Field(
        default_factory=list, description="values that were trained with more seeds, what was taken first"
    )
    importances: dict[str, float] = Field(description="PED-ANOVA")


class Result(Record):
    """One built checkpoint."""

    schema_version: Literal[1] = 1
    checkpoint_id: str
    repo_id: str
    base_repo_id: str
    names: Names = Field(default=Names(), description="patterns that the two were named by")
    base_mark: str = Field(default="", description="end of the base's name, where its pre-training is not the usual")
    rebuild_command: str = Field(default="", description="the line that builds it again; empty: of an older build")
    backbone: str
    backbone_origin: str = Field(description="package and version, or Hub id at a commit")
    corpus: str
    entity_types: list[str]
    decoding: Decoding
    scores: Scores
    seed_scores: SeedScores | None = Field(
        default=None, description="`scores` over several seeds; null: trained with one, or built before this field"
    )
    memorisation: SeenUnseen = Field(description="test mentions seen and unseen in training")
    without_leaked: WithoutLeaked = Field(description="test score without documents that stand in train too")
    raw_text: RawTextScore | None = Field(description="original documents in the plain pipeline; null: not measured")
    robustness: dict[str, RobustnessScore] | None = Field(
        default=None, description="kind of change -> score, `original` first; null: not measured"
    )
    errors: ErrorSummary | None = Field(default=None, description="mistakes on test by class; null: not measured")
    linking: LinkingScores | None = Field(
        default=None, description="concepts of test mentions, of this adapter; null: not linked"
    )
    notes: list[str] = Field(description="what was not measured, and why")
    protocol: str = Field(description="what a score means, in one line")
    trained_parameters: int
    trained_share: float = Field(ge=0, le=1, description="of all parameters that a pipeline loads")
    adapter_bytes: int = Field(description="configuration and weights, of all heads; heads.json, discontinuous.json")
    heads: list[HeadRecord] | None = Field(default=None, description="the adapter's own first; null: it has one alone")
    ceilings: dict[str, float] | None = Field(
        default=None, description="layout of heads -> share of the training mentions it can hold; null: not counted"
    )
    discontinuous: dict[str, SplitterScore] | None = Field(default=None, description="by type; null: training has few")
    train_seconds: float
    precision: str
    best_epoch: int
    training: list[EpochRecord]
    energy: Energy = Field(
        description="search, training, scoring and linking of this checkpoint, all seeds and resumed runs included"
    )
    energy_stages: dict[str, Energy] = Field(
        default_factory=dict, description="stage -> energy, over all seeds; of what serves many checkpoints in full"
    )
    energy_base_share: Energy | None = Field(
        default=None, description="this checkpoint's part of dapt and base; not in `energy`"
    )
    base_sharers: int = Field(default=1, ge=1, description="checkpoints that the registry's suites put on the base")
    dapt: DaptSummary | None = Field(default=None, description="null: the base is the backbone as it came")
    tune: TuneSummary | None = Field(default=None, description="null: no search")
    recipe: dict[str, Any]
    seeds: list[int] = Field(description="of the training whose adapter this is; `seed_scores` has the others, too")
    corpus_record: CorpusRecord
    license: str
    publishable: bool
    versions: dict[str, str]
    fingerprints: dict[str, str] = Field(
        description="sha256 of what the build depends on: splits, base, label space, recipe, adapter"
    )
    created: str = Field(description="UTC, ISO 8601")

    @property
    def base_folder(self) -> str:
        """Name of the base's folder below `bases/`."""
        return self.backbone + (f"-{self.base_mark}" if self.base_mark else "")

    def each_seed(self) -> list[Result]:
        """The result of each training, as if it were the only one: itself where there was one seed."""
        if self.seed_scores is None:
            return [self]
        search = [energy for kind, energy in self.energy_stages.items() if kind == "tune"]
        return [
            self.model_copy(
                update={
                    "scores": run.scores,
                    "seeds": [run.seed],
                    "train_seconds": run.train_seconds,
                    "energy": Energy.total([*search, run.energy]),
                    "fingerprints": {**self.fingerprints, **run.fingerprints},
                }
            )
            for run in self.seed_scores.runs
        ]

    def named(self, names: Names) -> Result:
        """This result under other names: those of another organisation or user, or by other patterns."""
        repo_id = names.of_checkpoint(self.backbone, self.corpus)
        base = names.of_base(self.backbone, self.base_mark)
        return self.model_copy(update={"repo_id": repo_id, "base_repo_id": base, "names": names})

    def check_adapter(self, adapter: Path) -> None:
        """Make sure that the weights in a folder, of all heads, are those that were measured.

        Raises:
            ZooError: They are not.
        """
        measured = {name: own for name, own in self.fingerprints.items() if name.partition("/")[0] == "adapter"}
        if weight_digests(adapter) != measured:
            raise ZooError(
                "the adapter is not the one that was measured: its sha256 is not that of result.json",
                where=adapter,
                fix=f"zoo build {self.checkpoint_id} --overwrite",
            )

    def save(self, folder: Path) -> None:
        """Write `result.json`."""
        write_whole(folder / RESULT_FILE, self.to_json())


def load_result(path: Path) -> Result:
    """Read a `result.json`.

    Raises:
        ZooError: It is missing, damaged or of another schema version.
    """
    what = f"not a result of schema version {SCHEMA_VERSION}"
    return Result.from_file(path, what=what, fix="build the checkpoint again")


def seed_folder(folder: Path, seed: int) -> Path:
    """Where the predictions of a seed lie, whose adapter is not the one that a checkpoint's folder holds."""
    return folder / "seeds" / str(seed)


def _spread(values: Sequence[float]) -> SeedSpread:
    spread = mean_and_spread(values)
    return SeedSpread(mean=spread.mean, std=spread.std or 0.0)


def find_results(out: Path) -> Iterator[Result]:
    """All results below an output folder, in order of their ids."""
    return map(load_result, find_result_files(out))


def find_result_files(out: Path) -> Iterator[Path]:
    """Every `result.json` below an output folder, in order; a folder with a dot is one that is being written."""
    for path in sorted((out / "checkpoints").glob(f"*/*/{RESULT_FILE}")):
        if not path.parent.name.startswith("."):
            yield path
