"""`verification.json`: what a fresh process found of a model, and which figures of its card it reproduced."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from zoo.corpora.document import Key
from zoo.errors import ZooError
from zoo.evaluation.result import Result
from zoo.evaluation.spans import Counts, count_documents, per_type, total
from zoo.hub.manifest import VERIFICATION_FILE
from zoo.modeling.adapters import encoder_digest, head_folders
from zoo.records import Record
from zoo.registry.loader import Registry
from zoo.registry.schema import CorpusEntry, HubSource

Split = Literal["dev", "test"]
_SPLITS: dict[str, Split] = {"test": "test", **dict.fromkeys(("dev", "validation", "valid", "val", "eval"), "dev")}
_OWN_TOLERANCE = 0.5e-4 + 1e-9
"""Our cards have four decimals."""
_TOLERANCE = 5e-4
"""Other cards are rounded as they are, and their figures may come from other hardware."""
ANY = ""
"""Instead of an entity type: all of them together."""


class Claim(Record):
    """A figure of a card, and what became of it."""

    dataset: str
    split: str
    metric: str
    claimed: float | None = Field(description="fraction of 1; null: no number")
    measured: float | None = None
    status: Literal["reproduced", "differs", "not checked"]
    why: str = ""

    def __str__(self) -> str:
        claimed = "no number" if self.claimed is None else f"{self.claimed:.4f}"
        measured = "" if self.measured is None else f", measured {self.measured:.4f}"
        why = f" ({self.why})" if self.why else ""
        return f"{self.metric} on {self.dataset} {self.split}: the card says {claimed}{measured}: {self.status}{why}"


class LinkingCheck(Record):
    """What became of the linking scores of a result."""

    status: Literal["reproduced", "differs", "not checked"]
    why: str = ""
    accuracy: float | None = Field(default=None, description="of annotated mentions, by BELB's rule, measured again")

    def __str__(self) -> str:
        measured = "" if self.accuracy is None else f": {self.accuracy:.4f} of the annotated mentions by BELB's rule"
        return f"linking {self.status}{measured}{f' ({self.why})' if self.why else ''}"


class Verification(Record):
    """The outcome."""

    schema_version: Literal[1] = 1
    repo_id: str
    revision: str = Field(description="commit that was downloaded")
    kind: Literal["base", "checkpoint", "other"] = Field(description="other: not published by zoo")
    passed: bool
    problems: list[str] = Field(description="why it did not pass")
    notes: list[str] = Field(default_factory=list)
    content: str | None = Field(default=None, description="`content` of the manifest; null: other people's model")
    adapter: str | None = Field(default=None, description="sha256 of adapter_model.safetensors")
    base_repo_id: str | None = None
    base_revision: str | None = None
    corpus: str | None = None
    documents: int = Field(default=0, description="of the test split")
    expected: Counts | None = Field(default=None, description="of result.json, on test")
    measured: Counts | None = Field(default=None, description="on test")
    pipeline_documents: int = Field(default=0, description="given to the plain pipeline one by one")
    pipeline_differs: int = Field(default=0, description="of them, those with other entities than in the score")
    linking: LinkingCheck | None = Field(default=None, description="null: it links nothing")
    claims: list[Claim] = Field(default_factory=list, description="figures of the card's model-index")
    versions: dict[str, str] = Field(default_factory=dict)
    created: str = Field(description="UTC, ISO 8601")

    def sentence(self) -> str:
        """For the card."""
        counts = self.measured
        assert counts is not None
        linked = ", and linked with the same accuracy" * bool(self.linking and self.linking.status == "reproduced")
        return (
            f"on {self.created[:10]} a fresh process downloaded revision {self.revision[:12]} from the Hub and scored "
            f"the test split again: the same {counts.tp:,} mentions found, {counts.fp:,} wrong, {counts.fn:,} missed "
            f"as in the scores below{linked} (transformers {self.versions.get('transformers', '?')}, "
            f"peft {self.versions.get('peft', '?')}). To repeat it: zoo verify {self.repo_id}"
        )


def read_verification(content: bytes) -> Verification | None:
    """Parse a `verification.json`; None where it is none of ours."""
    try:
        return Verification.model_validate_json(content, extra="ignore")
    except ValidationError:
        return None


def is_verified(folder: Path, result: Result) -> bool:
    """Whether the Hub's copy of what lies in a checkpoint's folder has passed verification.

    Args:
        folder: With the `verification.json` that the last push left there.
        result: The folder's result.
    """
    path = folder / VERIFICATION_FILE
    found = read_verification(path.read_bytes()) if path.is_file() else None
    return bool(
        found
        and found.passed
        and found.adapter == result.fingerprints["adapter"]
        and found.measured == result.scores.test.counts
    )


@dataclass(frozen=True)
class CardFigure:
    """An entry of a `model-index`, read leniently: people write them by hand.

    Attributes:
        names: Type, name and config of the dataset, what there is of them.
        config: Config of the dataset; in our cards an entity type, or what else sets the entry apart.
        split: As the card calls it.
        metric: Type and name of the metric.
        value: The number as written.
    """

    names: tuple[str, ...]
    config: str
    split: str
    metric: str
    value: float | None

    @property
    def claimed(self) -> float | None:
        """As a fraction of 1: people write percent, too."""
        return self.value / 100 if self.value is not None and 1 < self.value <= 100 else self.value

    @property
    def kind(self) -> Literal["f1", "precision", "recall"] | None:
        """Which figure of span scoring it is; None: another one."""
        words = re.sub(r"[^a-z0-9]+", " ", self.metric.lower())
        if re.search(r"\b(macro|weighted|token|accuracy|loss|span only|auc)\b", words):
            return None
        if re.search(r"\b(f1|f score|f1 score|f measure)\b", words):
            return "f1"
        return "precision" if "precision" in words else "recall" if "recall" in words else None

    def judged(
        self, status: Literal["reproduced", "differs", "not checked"], why: str = "", measured: float | None = None
    ) -> Claim:
        """What became of it."""
        dataset = dict.fromkeys(name for name in (self.names[0] if self.names else "?", self.config) if name)
        return Claim(
            dataset=" ".join(dataset),
            split=self.split or "?",
            metric=self.metric,
            claimed=self.claimed,
            measured=measured,
            status=status,
            why=why,
        )


def read_figures(card: Path) -> list[CardFigure]:
    """The figures of a README.md; empty where there are none, or its metadata cannot be read."""
    import yaml
    from huggingface_hub import metadata_load

    try:
        metadata = metadata_load(card) or {}
    except (OSError, ValueError, yaml.YAMLError):
        return []
    found = []
    for model in _items(metadata.get("model-index")):
        for entry in _items(model.get("results")):
            dataset: dict[str, Any] = next(_items([entry.get("dataset")]), {})
            names = tuple(str(dataset[key]) for key in ("type", "name", "config") if dataset.get(key))
            config, split = (str(dataset.get(key) or "") for key in ("config", "split"))
            for metric in _items(entry.get("metrics")):
                name = " ".join(dict.fromkeys(str(metric[key]) for key in ("type", "name") if metric.get(key)))
                found.append(CardFigure(names, config, split, name, _number(metric.get("value"))))
    return found


def match_corpus(figure: CardFigure, registry: Registry) -> CorpusEntry | None:
    """The corpus of the registry that a dataset is, by its name alone."""
    names = {_plain(part) for name in figure.names for part in (name, name.rpartition("/")[2])}
    for entry in registry.corpora.values():
        own = {_plain(entry.id), _plain(entry.title)}
        own |= {_plain(source.dataset.rpartition("/")[2]) for source in entry.sources if isinstance(source, HubSource)}
        if names & own:
            return entry
    return None


def split_of(figure: CardFigure) -> Split | None:
    """Which split a figure is about; one that names none is about the test split."""
    return _SPLITS.get(figure.split.lower() or "test")


def check_figures(
    found: Iterable[CardFigure],
    corpus: CorpusEntry,
    scores: Mapping[Split, Mapping[str, Counts]],
    *,
    own: bool,
) -> list[Claim]:
    """Compare figures with a scoring.

    Args:
        found: Figures of one corpus.
        corpus: That corpus.
        scores: Split -> entity type, or `ANY` -> counts, of what was scored.
        own: The card is one of ours: a config is an entity type or something that is not scored here.
    """
    claims = []
    for figure in found:
        kind, split = figure.kind, split_of(figure)
        of_type = next((name for name in corpus.entity_types if name.lower() == figure.config.lower()), ANY)
        if figure.claimed is None:
            claims.append(figure.judged("not checked", "no number"))
        elif kind is None:
            claims.append(figure.judged("not checked", "no figure of strict span scoring"))
        elif split is None or split not in scores:
            claims.append(figure.judged("not checked", "this split is not scored again"))
        elif own and figure.config and of_type == ANY:
            claims.append(figure.judged("not checked", "only the test split as registered is scored again"))
        else:
            measured: float = getattr(scores[split].get(of_type, Counts()), kind)
            close = abs(measured - figure.claimed) <= (_OWN_TOLERANCE if own else _TOLERANCE)
            claims.append(figure.judged("reproduced" if close else "differs", measured=measured))
    return claims


def counts_by_type(gold: Sequence[Sequence[Key]], found: Sequence[Sequence[Key]]) -> dict[str, Counts]:
    """Counts by type, and of all under `ANY`."""
    return {**per_type(gold, found), ANY: total(count_documents(gold, found))}


def adapter_problems(adapter: Path, result: Result) -> list[str]:
    """What of an adapter is not as its result says: weights of every head, and that their LoRA is the same.

    Args:
        adapter: Its folder.
        result: Its record.
    """
    try:
        result.check_adapter(adapter)
        encoders = {encoder_digest(folder) for folder in head_folders(adapter)}
    except (ZooError, OSError) as error:
        return [error.what if isinstance(error, ZooError) else str(error)]
    return ["its heads stand on different LoRA weights"] if len(encoders) > 1 else []


def align_types(names: Sequence[str], wanted: Sequence[str]) -> dict[str, str]:
    """Types of somebody's model -> types of a corpus: by name, else the only one to the only one.

    Args:
        names: Types of the model.
        wanted: Types of the corpus.
    """
    by_name = {_plain(name): name for name in wanted}
    found = {name: by_name[_plain(name)] for name in names if _plain(name) in by_name}
    return found or ({names[0]: wanted[0]} if len(names) == len(wanted) == 1 else {})


def _items(value: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - YAML of strangers
    yield from (item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


def _number(value: Any) -> float | None:  # noqa: ANN401 - YAML of strangers
    if isinstance(value, str):
        text = value.strip().removesuffix("%").strip()
        return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else None
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0 else None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower())
