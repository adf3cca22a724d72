"""One row of the board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

HUB = "https://huggingface.co"
SIZES: dict[str, tuple[float, float]] = {
    "up to 30 M": (0, 30e6),
    "30 to 150 M": (30e6, 150e6),
    "150 to 500 M": (150e6, 500e6),
    "over 500 M": (500e6, float("inf")),
}
"""Parameters that a pipeline loads, base and adapter."""


@dataclass(frozen=True)
class Entry:
    """One row: a checkpoint on its corpus, one of its entity types, or the mean of a backbone over several corpora.

    `languages` are BCP 47 tags of its corpora. Scores are fractions of 1, with F1 strict over character spans; None:
    not measured. `processor` is that of `ms_per_1000_words`, with the number of threads. Of several seeds, `f1` is the
    mean, `first_f1` the F1 of the adapter that is published.
    """

    key: str
    name: str
    backbone: str
    corpora: tuple[str, ...]
    types: tuple[str, ...]
    f1: float
    languages: tuple[str, ...] = ()
    repo_id: str = ""
    base_repo_id: str = ""
    low: float | None = None
    high: float | None = None
    std: float | None = None
    first_f1: float | None = None
    n_seeds: int = 1
    precision: float | None = None
    recall: float | None = None
    dev_f1: float | None = None
    unseen_f1: float | None = None
    seen_f1: float | None = None
    raw_f1: float | None = None
    inner_recall: float | None = None
    discontinuous_recall: float | None = None
    linked_f1: float | None = None
    linking_accuracy: float | None = None
    linked_to: str = ""
    robustness: float | None = None
    trained_parameters: int | None = None
    parameters: int | None = None
    adapter_bytes: int | None = None
    ms_per_1000_words: float | None = None
    processor: str = ""
    energy_wh: float | None = None
    emissions_g: float | None = None
    country: str = ""
    license: str = ""
    verified: bool | None = None
    created: str = ""
    rank: int | None = None
    shared: bool = False
    test: str = ""
    recipe: str = ""
    strategy: str = "simple"
    stride: int = 128
    mentions: int | None = None
    heads: int = 1
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def corpus(self) -> str:
        """The corpus, or all of a mean."""
        return ", ".join(self.corpora)

    @property
    def size(self) -> str:
        """Which of `SIZES` it falls in; empty where the size is unknown."""
        if self.parameters is None:
            return ""
        return next(name for name, (low, high) in SIZES.items() if low <= self.parameters <= high)

    @property
    def card_url(self) -> str:
        """Its model card on the Hub."""
        return f"{HUB}/{self.repo_id}" if self.repo_id else ""

    @property
    def rebuild_command(self) -> str:
        """The command that builds it again."""
        return self.details.get("result", {}).get("rebuild_command") or f"zoo build {self.name}"

    @property
    def pipeline_line(self) -> str:
        """The line that loads it with transformers and peft."""
        return (
            f'pipeline("token-classification", "{self.repo_id}", aggregation_strategy="{self.strategy}", '
            f"stride={self.stride})"
        )

    @cached_property
    def haystack(self) -> str:
        """What the search looks in, lower-case."""
        return " ".join((self.name, self.repo_id, *self.corpora, *self.types, self.license)).lower()
