"""`predictions.jsonl`: gold and predicted spans of every test document, from which two models can be compared.

The text is not in it: a licence may forbid copying it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from zoo.corpora.document import Document, Fragments, Key, key_of
from zoo.evaluation.spans import Counts, count
from zoo.modeling.windows import Entity
from zoo.ontologies.link import Candidate, Link
from zoo.records import Record, read_bytes

PREDICTIONS_FILE = "predictions.jsonl"
_FIX = "build the checkpoint again"


class LinkCandidate(Record):
    """A concept that a mention may stand for; without its name, which a vocabulary's licence may keep to itself."""

    concept_id: str
    score: float
    step: str


class Mention(Record):
    """An annotated or predicted span `[start, end)`."""

    start: int
    end: int
    type: str
    fragments: Fragments = Field(default=(), description="parts `[start, end)` of a discontinuous one")
    score: float | None = Field(default=None, description="confidence of a predicted one")
    concept_ids: tuple[str, ...] = Field(default=(), description="identifiers in an ontology, where it has them")
    ontology: str = Field(default="", description="what a predicted one was linked to; empty: it was not")
    link_score: float | None = Field(default=None, description="probability that its first concept is right")
    candidates: tuple[LinkCandidate, ...] = Field(default=(), description="concepts that were looked at, best first")

    @property
    def key(self) -> Key:
        """What strict scoring compares."""
        return key_of(self.start, self.end, self.type, self.fragments)

    @property
    def entity(self) -> Entity:
        """A predicted one as a tagger found it, with its link."""
        link = None
        if self.link_score is not None:
            candidates = tuple(Candidate(c.concept_id, "", c.score, c.step) for c in self.candidates)
            link = Link(self.concept_ids, self.link_score, candidates, self.ontology)
        return Entity(self.start, self.end, self.type, self.score or 0.0, link, self.fragments)


class DocumentPredictions(Record):
    """One line: a test document."""

    id: str
    gold: tuple[Mention, ...]
    predicted: tuple[Mention, ...]

    @property
    def entities(self) -> list[Entity]:
        """What was predicted, as a tagger found it."""
        return [mention.entity for mention in self.predicted]

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
                    Mention(start=s.start, end=s.end, type=s.type, fragments=s.fragments, concept_ids=s.concept_ids)
                    for s in document.spans
                ),
                predicted=tuple(map(_predicted, entities)),
            )
            file.write(json.dumps(line.model_dump(mode="json", exclude_defaults=True)) + "\n")


def _predicted(entity: Entity) -> Mention:
    place = {"start": entity.start, "end": entity.end, "type": entity.type, "fragments": entity.fragments}
    mention = Mention(**place, score=round(entity.score, 4))
    if (link := entity.link) is None:
        return mention
    return mention.model_copy(
        update={
            "concept_ids": link.concept_ids,
            "ontology": link.ontology,
            "link_score": round(link.score, 4),
            "candidates": tuple(
                LinkCandidate(concept_id=c.concept_id, score=round(c.score, 4), step=c.step) for c in link.candidates
            ),
        }
    )


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
