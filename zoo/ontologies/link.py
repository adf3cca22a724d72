"""What linking gives for a mention: a concept, several for a composite mention, or none, with the candidates seen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """A concept that a mention may stand for.

    Attributes:
        concept_id: Its identifier.
        name: The name of it that is nearest to the mention.
        score: Estimated probability that it is the concept, from 0 to 1.
        step: What found it: a step of the cascade, such as `exact` or `ngrams`.
    """

    concept_id: str
    name: str
    score: float
    step: str


@dataclass(frozen=True, slots=True)
class Link:
    """What a mention was linked to.

    Attributes:
        concept_ids: Identifiers: one, of a composite mention one for each part, empty where no concept is sure enough.
        score: Estimated probability that the first of them is right; of none, that of the best candidate.
        candidates: Concepts that were looked at, best first, those of a composite mention's parts one after another.
        ontology: Registry id of the ontology.
    """

    concept_ids: tuple[str, ...]
    score: float
    candidates: tuple[Candidate, ...] = ()
    ontology: str = ""
