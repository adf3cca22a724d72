"""`verification.json`: what a fresh process found when it downloaded a model and scored it again."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from zoo.evaluation.result import Result
from zoo.evaluation.spans import Counts
from zoo.hub.manifest import VERIFICATION_FILE
from zoo.records import Record


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
    claims: list[Claim] = Field(default_factory=list, description="figures of the card's model-index")
    versions: dict[str, str] = Field(default_factory=dict)
    created: str = Field(description="UTC, ISO 8601")

    def sentence(self) -> str:
        """For the card."""
        counts = self.measured
        assert counts is not None
        return (
            f"on {self.created[:10]} a fresh process downloaded revision {self.revision[:12]} from the Hub and scored "
            f"the test split again: the same {counts.tp:,} mentions found, {counts.fp:,} wrong, {counts.fn:,} missed "
            f"as in the scores below (transformers {self.versions.get('transformers', '?')}, "
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
