"""`predictions.jsonl`: gold and predicted spans of every test document, from which two models can be compared.

The text is not in it: a licence may forbid copying it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from zoo.corpora.document import Document
from zoo.evaluation.spans import Counts, Key, count
from zoo.modeling.windows import Entity
from zoo.records import Record, read_bytes

PREDICTIONS_FILE = "predictions.jsonl"
_FIX = "build the checkpoint again"


class Mention(Record):
    """An annotated or predicted span `[start, end)`."""

    start: int
    end: int
    type: str
    score: float | None = Field(default=None, description="confidence of a predicted one")
    concept_ids: tuple[str, ...] = Field(default=(), description="identifiers in an ontology, where it has them")

    @property
    def key(self) -> Key:
        """What strict scoring compares."""
        return (self.start, self.end, self.type)


class DocumentPredictions(Record):
    """One line: a test document."""

    id: str
    gold: tuple[Mention, ...]
    predicted: tuple[Mention, ...]

    @property
    def entities(self) -> list[Entity]:
        """What was found, as a tagger gives it."""
        return [Entity(*mention.key, mention.score or 0.0) for mention in self.predicted]

    @property
    def counts(self) -> Counts:
        """Strict counts."""
        return count([mention.key for mention in self.gold], [mention.key for mention in self.predicted])


def write_predictions(path: Path, documents: Sequence[Document], predictions: Sequence[Sequence[Entity]]) -> None:
    """Write gold and predicted spans of each document, a line each.

    Args:
        path: The file.
        documents: Documents with gold spans.
        predictions: Entities per document.
    """
    with path.open("w", encoding="utf-8") as file:
        for document, entities in zip(documents, predictions, strict=True):
            line = DocumentPredictions(
                id=document.id,
                gold=tuple(
                    Mention(start=s.start, end=s.end, type=s.type, concept_ids=s.concept_ids) for s in document.spans
                ),
                predicted=tuple(
                    Mention(start=e.start, end=e.end, type=e.type, score=round(e.score, 4), concept_ids=e.concept_ids)
                    for e in entities
                ),
            )
            file.write(json.dumps(line.model_dump(mode="json", exclude_defaults=True)) + "\n")


def read_predictions(folder: Path) -> list[DocumentPredictions]:
    """The predictions of a checkpoint, in the order of the test split.

    Args:
        folder: The checkpoint's folder.

    Raises:
        ZooError: The file is missing or a line is malformed; names file and line.
    """
    path = folder / PREDICTIONS_FILE
    lines = enumerate(read_bytes(path, fix=_FIX).splitlines(), start=1)
    return [
        DocumentPredictions.from_json(text, what="not a line of predictions", where=f"{path}:{number}", fix=_FIX)
        for number, text in lines
    ]
