"""The figures of a card's `model-index`, and which of them a new scoring reproduces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from zoo.evaluation.spans import Counts
from zoo.hub.verification import Claim
from zoo.registry.loader import Registry
from zoo.registry.schema import CorpusEntry, HubSource

Figure = Literal["f1", "precision", "recall"]
Split = Literal["dev", "test"]
_SPLITS: dict[str, Split] = {
    "test": "test",
    "dev": "dev",
    "validation": "dev",
    "valid": "dev",
    "val": "dev",
    "eval": "dev",
}
_OWN_TOLERANCE = 0.5e-4 + 1e-9
"""Our cards have four decimals."""
_TOLERANCE = 5e-4
"""Other cards are rounded as they are, and their figures may come from other hardware."""
ANY = ""
"""Instead of an entity type: all of them together."""


@dataclass(frozen=True)
class Figures:
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
    def figure(self) -> Figure | None:
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
        return Claim(
            dataset=" ".join(
                dict.fromkeys(name for name in (self.names[0] if self.names else "?", self.config) if name)
            ),
            split=self.split or "?",
            metric=self.metric,
            claimed=self.claimed,
            measured=measured,
            status=status,
            why=why,
        )


def read_figures(card: Path) -> list[Figures]:
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
            for metric in _items(entry.get("metrics")):
                found.append(
                    Figures(
                        names,
                        str(dataset.get("config") or ""),
                        str(dataset.get("split") or ""),
                        " ".join(dict.fromkeys(str(metric[key]) for key in ("type", "name") if metric.get(key))),
                        _number(metric.get("value")),
                    )
                )
    return found


def match_corpus(figures: Figures, registry: Registry) -> CorpusEntry | None:
    """The corpus of the registry that a dataset is, by its name alone."""
    names = {_plain(name.rpartition("/")[2]) for name in figures.names} | {_plain(name) for name in figures.names}
    for entry in registry.corpora.values():
        own = {_plain(entry.id), _plain(entry.title)}
        own |= {_plain(source.dataset.rpartition("/")[2]) for source in entry.sources if isinstance(source, HubSource)}
        if names & own:
            return entry
    return None


def split_of(figures: Figures) -> Split | None:
    """Which split a figure is about; one that names none is about the test split."""
    return _SPLITS.get(figures.split.lower() or "test")


def check_figures(
    found: Iterable[Figures],
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
    for figures in found:
        figure, split = figures.figure, split_of(figures)
        of_type = next((name for name in corpus.entity_types if name.lower() == figures.config.lower()), ANY)
        if figures.claimed is None:
            claims.append(figures.judged("not checked", "no number"))
        elif figure is None:
            claims.append(figures.judged("not checked", "no figure of strict span scoring"))
        elif split is None or split not in scores:
            claims.append(figures.judged("not checked", "this split is not scored again"))
        elif own and figures.config and of_type == ANY:
            claims.append(figures.judged("not checked", "only the test split as registered is scored again"))
        else:
            measured: float = getattr(scores[split].get(of_type, Counts()), figure)
            close = abs(measured - figures.claimed) <= (_OWN_TOLERANCE if own else _TOLERANCE)
            claims.append(figures.judged("reproduced" if close else "differs", measured=measured))
    return claims


def align_types(predicted: Iterable[str], wanted: tuple[str, ...]) -> dict[str, str]:
    """Types of somebody's model -> types of a corpus: by name, else the only one to the only one.

    Args:
        predicted: Types of the model.
        wanted: Types of the corpus.
    """
    names = list(dict.fromkeys(predicted))
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
