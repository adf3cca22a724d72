"""Concepts that a name may stand for, with what speaks for each: the steps of the cascade.

A name that an ontology or the training data has is looked up; any other goes through a search by trigrams and, where a
linker has an encoder, by vectors. What is found is evidence, which `ranking.py` weighs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from zoo.linking.encoder import NameEncoder
from zoo.linking.index import Index, Name
from zoo.linking.spelling import bag, plain, words
from zoo.linking.trained_names import ConceptIds, TrainedNames
from zoo.linking.vectors import Vectors

MOST_NAMES = 30
"""Names that a search takes into account."""
FEATURES = (
    "exact",
    "preferred",
    "trained",
    "alike",
    "trained_alike",
    "ngrams",
    "trained_ngrams",
    "vectors",
    "trained_vectors",
    "votes",
    "trained_votes",
    "frequency",
    "covered",
    "covering",
    "last_word",
    "numbers_differ",
    "in_document",
)
"""What speaks for a concept, or against it: numbers from 0 to 1.

exact, alike: it has the name, or one of the same words; preferred: as its own name. trained, trained_alike: share of
the training mentions of that name, or of those words, that meant it. ngrams, vectors: highest cosine of one of its
names, and with `trained_` of a training mention of it. votes, trained_votes: its share of the nearest names, the nearer
the more. frequency: log of its training mentions. covered, covering: share of the name's words in its nearest name, and
the other way round. last_word: they end alike. numbers_differ: both have numbers, and others. in_document: another
mention of the document certainly means it.
"""
_STEPS = ("trained", "exact", "trained_alike", "alike", "trained_vectors", "vectors", "trained_ngrams", "ngrams")
"""What a candidate may be known by, surest first."""
_FREQUENT = np.log1p(1_000)
_VOTE_WIDTH = 0.05
"""Difference of cosines at which the weight of a vote falls to 1/e."""

Vector: TypeAlias = npt.NDArray[np.float32]


@dataclass(slots=True)
class Evidence:
    """What speaks for one concept.

    Attributes:
        concept_id: The concept.
        name: The name of it that is nearest.
        values: By feature; what is missing is 0.
    """

    concept_id: str
    name: str = ""
    values: dict[str, float] = field(default_factory=dict)

    def raise_to(self, feature: str, value: float, name: str) -> None:
        """Note a value if it is the highest so far; the name of the highest of all is kept."""
        if value > self.values.get(feature, 0.0):
            if not self.name or value >= max(self.values.values(), default=0.0):
                self.name = name
            self.values[feature] = value

    @property
    def step(self) -> str:
        """The surest step that found it."""
        return next((step for step in _STEPS if self.values.get(step)), "document")

    def features(self) -> list[float]:
        """Its values in the order of `FEATURES`."""
        return [self.values.get(name, 0.0) for name in FEATURES]


@dataclass(frozen=True)
class Lexicon:
    """The names that mentions of one entity type are compared with.

    Attributes:
        entity_type: The type.
        index: Names of the ontology.
        trained: Names seen in training.
        vectors: Vectors of the ontology's names, where there is an encoder.
        trained_vectors: Those of the training names, one row a name.
    """

    entity_type: str
    index: Index
    trained: TrainedNames
    vectors: Vectors | None = None
    trained_vectors: Vector | None = None

    def look_up(self, name: str, *, alike: bool = True) -> dict[str, Evidence]:
        """Concepts that have a name, in the ontology or in the training data; `alike`: or one of the same words."""
        found: dict[str, Evidence] = {}
        for feature, names in (("exact", self.index.exact(name)), ("alike", self.index.alike(name) if alike else ())):
            for each in self._admitted(names):
                evidence = found.setdefault(each.concept_id, Evidence(each.concept_id))
                evidence.raise_to(feature, 1.0, each.text)
                if each.preferred and feature == "exact":
                    evidence.raise_to("preferred", 1.0, each.text)
        no_counts: Counter[ConceptIds] = Counter()
        trained_alike = self.trained.alike(name) if alike else no_counts
        for feature, counts in (("trained", self.trained.exact(name)), ("trained_alike", trained_alike)):
            total = counts.total()
            for ids, number in counts.items():
                if len(ids) == 1:
                    evidence = found.setdefault(ids[0], Evidence(ids[0]))
                    evidence.raise_to(feature, number / (total + 0.5), name)
        return found

    def search(self, name: str, vector: Vector | None, found: dict[str, Evidence]) -> dict[str, Evidence]:
        """Add the concepts whose names look like a name, or mean something near it, to those found by `look_up`."""
        for hits, feature in self._hits(name, vector):
            admitted = [(each, score) for each, score in hits if self.index.admits(self.entity_type, each.concept_id)]
            for each, score in admitted:
                found.setdefault(each.concept_id, Evidence(each.concept_id)).raise_to(feature, score, each.text)
            _vote(found, "votes", [(each.concept_id, score) for each, score in admitted])
        for feature, trained in self._trained_hits(name, vector):
            votes = []
            for near, score in trained:
                for ids in self.trained.exact(near):
                    if len(ids) == 1:
                        found.setdefault(ids[0], Evidence(ids[0])).raise_to(feature, score, near)
                        votes.append((ids[0], score))
            _vote(found, "trained_votes", votes)
        if vector is not None and self.vectors is not None and found:
            self._complete(vector, found)
        return found

    def _complete(self, vector: Vector, found: Mapping[str, Evidence]) -> None:
        """Compare all names of the concepts found, also those that the search by vectors did not come upon."""
        names = self.index.names_of(list(found))
        assert self.vectors is not None
        for each, score in zip(names, self.vectors.cosines(vector, [name.row for name in names]), strict=True):
            if each.concept_id in found:
                found[each.concept_id].raise_to("vectors", float(score), each.text)

    def _hits(self, name: str, vector: Vector | None) -> Iterable[tuple[list[tuple[Name, float]], str]]:
        yield self.index.similar(name, MOST_NAMES), "ngrams"
        if vector is not None and self.vectors is not None:
            scores = dict(self.vectors.search(vector, MOST_NAMES))
            yield [(each, scores[each.row]) for each in self.index.names(list(scores))], "vectors"

    def _trained_hits(self, name: str, vector: Vector | None) -> Iterable[tuple[str, list[tuple[str, float]]]]:
        yield "trained_ngrams", self.trained.similar(name, MOST_NAMES)
        if vector is not None and self.trained_vectors is not None and len(self.trained_vectors):
            scores = self.trained_vectors @ vector
            best = np.argsort(-scores)[:MOST_NAMES]
            yield "trained_vectors", [(self.trained.names[row], float(scores[row])) for row in best]

    def _admitted(self, names: Iterable[Name]) -> list[Name]:
        return [each for each in names if self.index.admits(self.entity_type, each.concept_id)]

    def describe(self, name: str, found: Mapping[str, Evidence]) -> None:
        """Add what is known of each concept beside names: how frequent it is, and how its nearest name differs."""
        own, own_numbers = words(name), _numbers(name)
        for evidence in found.values():
            other, numbers = words(evidence.name), _numbers(evidence.name)
            common = set(own) & set(other)
            values = evidence.values
            values["frequency"] = float(np.log1p(self.trained.concepts[evidence.concept_id]) / _FREQUENT)
            values["covered"] = len(common) / max(len(set(own)), 1)
            values["covering"] = len(common) / max(len(set(other)), 1)
            values["last_word"] = float(own[-1:] == other[-1:])
            values["numbers_differ"] = float(bool(own_numbers and numbers and own_numbers != numbers))


class Vectoriser:
    """Vectors of names that come again and again, each computed once."""

    def __init__(self, encoder: NameEncoder, most: int = 50_000) -> None:
        self._encoder, self._most = encoder, most
        self._known: dict[str, Vector] = {}

    def vectors(self, names: Sequence[str]) -> list[Vector]:
        """One vector a name."""
        missing = [name for name in dict.fromkeys(names) if name not in self._known]
        found = dict(zip(missing, self._encoder.encode(missing), strict=True)) if missing else {}
        known = {name: self._known.get(name, found.get(name)) for name in names}
        if len(self._known) + len(found) > self._most:
            self._known = {}
        self._known.update(found)
        return [vector for name in names if (vector := known[name]) is not None]


def embed_names(index: Index, encoder: NameEncoder, destination: Path) -> None:
    """Write the vectors of all names of an index into a folder.

    Names of one concept that are of the same words (most of MeSH's) share the vector of the first.
    """
    places: dict[tuple[str, str], int] = {}
    texts: list[str] = []
    share: list[int] = []
    for concept_id, text in index.all_names():
        key = concept_id, bag(text) or text
        if key not in places:
            places[key] = len(texts)
            texts.append(text)
        share.append(places[key])
    Vectors.of(encoder.encode(texts), np.array(share, np.int64)).save(destination)


def _vote(found: Mapping[str, Evidence], feature: str, votes: Sequence[tuple[str, float]]) -> None:
    """Give each concept its share of the votes of near names; of two searches, the higher one counts."""
    if not votes:
        return
    best = max(score for _, score in votes)
    weights = [float(np.exp((score - best) / _VOTE_WIDTH)) for _, score in votes]
    shares: Counter[str] = Counter()
    for (concept_id, _), weight in zip(votes, weights, strict=True):
        shares[concept_id] += weight / sum(weights)  # type: ignore[assignment]
    for concept_id, share in shares.items():
        values = found[concept_id].values
        values[feature] = max(values.get(feature, 0.0), share)


def _numbers(name: str) -> frozenset[str]:
    return frozenset(word for word in plain(name).split() if word.isdigit())
