"""From a mention to its concept: names of a document, evidence for concepts, a decision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, ValidationError

from zoo.corpora.document import Key, text_of
from zoo.errors import ZooError
from zoo.language.writing import flatten
from zoo.linking.abbreviations import expand, find_abbreviations
from zoo.linking.candidates import Evidence, Lexicon, Vector, Vectoriser
from zoo.linking.composites import split_composite
from zoo.linking.encoder import NameEncoder
from zoo.linking.index import Index
from zoo.linking.ranking import LEXICAL, Ranking
from zoo.linking.trained_names import NAMES_FILE, TrainedNames, read_names
from zoo.linking.vectors import Vectors
from zoo.modeling.windows import Entity
from zoo.ontologies.link import Candidate, Link
from zoo.records import Record

if TYPE_CHECKING:
    from zoo.tagging.models import Base

LINKER_FILE = "linker.json"
_VERSION = 1
ADAPTER, VECTORS, TRAINED_VECTORS = "adapter", "vectors", "trained_vectors.npy"
OTHER_TYPES = "*"
_KEPT = 20
"""Candidates that a link keeps."""
_CERTAIN = 0.9
"""Probability from which on a link speaks for the same concept elsewhere in the document."""
_MOST_REMEMBERED = 50_000
_NO_NAMES = TrainedNames({})
_Known = dict[tuple[str, str, str], dict[str, Evidence]]
"""Type, name and text of a mention -> concept -> what speaks for it."""


class LinkerInfo(Record):
    """`linker.json`: what a trained linker links to, and how it decides."""

    format_version: int = _VERSION
    ontologies: dict[str, str] = Field(description="entity type -> registry id of the ontology")
    fingerprints: dict[str, str] = Field(default_factory=dict, description="ontology -> sha256 of its concepts")
    rankings: dict[str, Ranking] = Field(description="entity type -> how evidence is weighed")
    base: str = Field(default="", description="fingerprint of the base that the adapter stands on")


@dataclass(frozen=True)
class Steps:
    """Steps of the cascade that may be left out, to measure what each brings; exact names are always looked up."""

    abbreviations: bool = True
    alike: bool = True
    search: bool = True
    composites: bool = True
    document: bool = True


@dataclass(frozen=True)
class _Mention:
    """A mention to be linked: its type, its text, and the same with abbreviations written out."""

    type: str
    text: str
    name: str


ALL_STEPS = Steps()


class Linker:
    """Links mentions to the concepts of one or several ontologies; many threads may use it at once.

    Attributes:
        ontologies: Entity type -> index of the ontology it is linked to; the type `*` stands for all others.
    """

    def __init__(
        self,
        lexicons: Mapping[str, Lexicon],
        rankings: Mapping[str, Ranking],
        encoder: NameEncoder | None = None,
        steps: Steps = ALL_STEPS,
    ) -> None:
        self.ontologies: Mapping[str, Index] = {type: lexicon.index for type, lexicon in lexicons.items()}
        self._lexicons, self._rankings, self._steps = lexicons, rankings, steps
        self._vectoriser = None if encoder is None else Vectoriser(encoder)
        self._evidence: _Known = {}

    @classmethod
    def lexical(cls, ontologies: Mapping[str, Index]) -> Linker:
        """A linker without training: by names alone."""
        lexicons = {type: Lexicon(type, index, _NO_NAMES) for type, index in ontologies.items()}
        return cls(lexicons, dict.fromkeys(ontologies, LEXICAL))

    @classmethod
    def load(cls, folder: Path, indexes: Mapping[str, Index], *, base: Base | None = None) -> Linker:
        """Load a trained linker.

        Args:
            folder: Its folder: `linker.json`, names seen in training, `adapter/`, `vectors/<ontology>/`.
            indexes: Ontology id -> its index; types of other ontologies are not linked.
            base: The base in memory that its adapter stands on; None: it is loaded.

        Raises:
            ZooError: It is not one, none of its ontologies is given, or one is another than it was trained with.
        """
        info = read_linker(folder)
        names = read_names(folder / NAMES_FILE)
        encoder = None
        if (folder / ADAPTER).is_dir():
            encoder = NameEncoder(base or _base_of(folder / ADAPTER), folder / ADAPTER)
        own = read_trained_vectors(folder, names, encoder) if encoder else {}
        lexicons = {}
        for type, ontology in info.ontologies.items():
            if ontology not in indexes:
                continue
            index, place = indexes[ontology], folder / VECTORS / ontology
            vectors = Vectors.open(place) if encoder and place.is_dir() else None
            if vectors is not None and len(vectors.places) != index.info.names:
                raise ZooError(
                    f"the linker was trained with another version of {ontology!r}: "
                    f"{len(vectors.places):,} names, not {index.info.names:,}",
                    where=folder,
                )
            trained = names.get(type, _NO_NAMES)
            lexicons[type] = Lexicon(type, index, trained, vectors, own.get(type))
        if not lexicons:
            raise ZooError(f"the linker needs {' or '.join(sorted(set(info.ontologies.values())))}", where=folder)
        return cls(lexicons, info.rankings, encoder)

    @property
    def knows_names(self) -> bool:
        """Whether it has names of training."""
        return any(lexicon.trained.names for lexicon in self._lexicons.values())

    def link(self, texts: Sequence[str], entities: Sequence[Sequence[Entity]]) -> list[list[Entity]]:
        """The same entities, each with its link; those of types without an ontology stay as they are.

        Args:
            texts: Documents: abbreviations are resolved in them, and mentions of one document agree.
            entities: Of each document, in order of their start.
        """
        documents = [
            self._mentions(text, [entity.key for entity in found]) for text, found in zip(texts, entities, strict=True)
        ]
        linked = self._link(documents)
        return [
            [replace(entity, link=links[place]) if place in links else entity for place, entity in enumerate(found)]
            for found, links in zip(entities, linked, strict=True)
        ]

    def link_names(self, names: Sequence[str], type: str = OTHER_TYPES) -> list[Link]:
        """Link names that stand alone, such as a column of a table.

        Raises:
            ZooError: The linker has no ontology for the type.
        """
        if (known := self._type(type)) is None:
            raise ZooError(f"the linker has no ontology for {type!r}", fix=f"types: {', '.join(self.ontologies)}")
        linked = self._link([{0: _Mention(known, name, name)} for name in names])
        return [links[0] for links in linked]

    def evidence(self, text: str, mentions: Sequence[Key]) -> list[list[Evidence]]:
        """What speaks for which concept, of each mention of a document; for training."""
        document = self._mentions(text, mentions)
        ranked = self._rank(document, self._prepare(document.values()))
        return [ranked[document[place]][0] if place in document else [] for place in range(len(mentions))]

    def _type(self, type: str) -> str | None:
        return type if type in self._lexicons else OTHER_TYPES if OTHER_TYPES in self._lexicons else None

    def _mentions(self, text: str, keys: Sequence[Key]) -> dict[int, _Mention]:
        """Mentions of types with an ontology, by their place."""
        abbreviations = {}
        if self._steps.abbreviations:
            abbreviations = find_abbreviations(text, keys)
        found = {}
        for place, key in enumerate(keys):
            if (known := self._type(key[2])) is not None:
                mention = " ".join(flatten(text_of(text, key)).split())
                found[place] = _Mention(known, mention, expand(mention, abbreviations))
        return found

    def _link(self, documents: Sequence[Mapping[int, _Mention]]) -> list[dict[int, Link]]:
        known = self._prepare(mention for document in documents for mention in document.values())
        linked = []
        for document in documents:
            links = {mention: self._decide(mention, *ranked) for mention, ranked in self._rank(document, known).items()}
            linked.append({place: links[mention] for place, mention in document.items()})
        return linked

    def _prepare(self, mentions: Iterable[_Mention]) -> _Known:
        """Collect the evidence for mentions that are not known yet; names without an entry are encoded together."""
        if len(self._evidence) > _MOST_REMEMBERED:
            self._evidence = {}  # another one: threads that work with the old one go on with it
        known = self._evidence
        wanted = {(m.type, m.name, m.text) for m in mentions} - known.keys()
        searched = {}
        for type, name, text in sorted(wanted):
            lexicon = self._lexicons[type]
            found = lexicon.look_up(name, alike=self._steps.alike)
            if name != text and not _is_known(found):
                for concept_id, evidence in lexicon.look_up(text, alike=self._steps.alike).items():
                    found.setdefault(concept_id, evidence)
            if _is_known(found) or not self._steps.search:
                lexicon.describe(name, found)
                known[type, name, text] = found
            else:
                searched[type, name, text] = found
        vectors: list[Vector | None] = [None] * len(searched)
        if self._vectoriser is not None and searched:
            vectors = list(self._vectoriser.vectors([name for _, name, _ in searched]))
        for (key, found), vector in zip(searched.items(), vectors, strict=True):
            lexicon = self._lexicons[key[0]]
            found = lexicon.search(key[1], vector, found)
            lexicon.describe(key[1], found)
            known[key] = found
        return known

    def _rank(
        self, document: Mapping[int, _Mention], known: _Known
    ) -> dict[_Mention, tuple[list[Evidence], list[float]]]:
        """Candidates of each mention with their probabilities, best first; first alone, then in their document."""
        alone = {mention: self._weigh(mention, known, frozenset()) for mention in dict.fromkeys(document.values())}
        certain: dict[str, set[str]] = {}
        for mention, (candidates, shares) in alone.items():
            if candidates and shares[0] >= _CERTAIN:
                certain.setdefault(candidates[0].concept_id, set()).add(mention.name)
        if not certain or not self._steps.document:
            return alone
        ranked = {}
        for mention in alone:
            own = known[mention.type, mention.name, mention.text]
            others = frozenset(id for id in own if id in certain and certain[id] != {mention.name})
            ranked[mention] = self._weigh(mention, known, others) if others else alone[mention]
        return ranked

    def _weigh(self, mention: _Mention, known: _Known, elsewhere: frozenset[str]) -> tuple[list[Evidence], list[float]]:
        candidates = []
        for evidence in known[mention.type, mention.name, mention.text].values():
            if evidence.concept_id in elsewhere:
                evidence = copy(evidence)
                evidence.values = {**evidence.values, "in_document": 1.0}
            candidates.append(evidence)
        shares = self._rankings[mention.type].probabilities(candidates)
        order = sorted(range(len(candidates)), key=lambda place: (-shares[place], candidates[place].concept_id))
        return [candidates[place] for place in order], [shares[place] for place in order]

    def _decide(self, mention: _Mention, candidates: Sequence[Evidence], shares: Sequence[float]) -> Link:
        lexicon, ranking = self._lexicons[mention.type], self._rankings[mention.type]
        ontology = lexicon.index.info.ontology
        kept = tuple(
            Candidate(evidence.concept_id, evidence.name, round(share, 4), evidence.step)
            for evidence, share in list(zip(candidates, shares, strict=True))[:_KEPT]
        )
        if (parts := self._parts(lexicon, mention, candidates)) is not None:
            chosen = tuple(dict.fromkeys(part.concept_id for part in parts))
            return Link(chosen, min(part.score for part in parts), (*parts, *kept)[:_KEPT], ontology)
        if not kept or kept[0].score < ranking.threshold:
            return Link((), kept[0].score if kept else 0.0, kept, ontology)
        return Link((kept[0].concept_id,), kept[0].score, kept, ontology)

    def _parts(self, lexicon: Lexicon, mention: _Mention, candidates: Sequence[Evidence]) -> list[Candidate] | None:
        """The concepts of a composite mention; None where it is none, or stands for one concept as a whole."""
        counts = lexicon.trained.exact(mention.name)
        if counts:
            ids, number = counts.most_common(1)[0]
            if len(ids) == 1:
                return None
            share = number / (counts.total() + 0.5)
            return [Candidate(id, mention.name, round(share, 4), "trained") for id in ids]
        if candidates and candidates[0].values.get("exact"):
            return None
        for reading in split_composite(mention.name) if self._steps.composites else ():
            parts = [self._known_part(lexicon, part) for part in reading]
            found = [part for part in parts if part is not None]
            if len(found) == len(parts) and len({part.concept_id for part in found}) > 1:
                return found
        return None

    def _known_part(self, lexicon: Lexicon, name: str) -> Candidate | None:
        """The concept of a part that is in the ontology or the training data under its very words."""
        found = lexicon.look_up(name)
        if not found:
            return None
        lexicon.describe(name, found)
        candidates = list(found.values())
        shares = self._rankings[lexicon.entity_type].probabilities(candidates)
        best = max(range(len(candidates)), key=lambda place: shares[place])
        return Candidate(candidates[best].concept_id, candidates[best].name, round(shares[best], 4), "composite")


def write_trained_vectors(folder: Path, names: Mapping[str, TrainedNames], encoder: NameEncoder) -> None:
    """Write the vectors of names seen in training, those of one type after another's."""
    vectors = [encoder.encode(names[type].names) for type in sorted(names)]
    np.save(folder / TRAINED_VECTORS, np.concatenate(vectors).astype(np.float16), allow_pickle=False)


def read_trained_vectors(folder: Path, names: Mapping[str, TrainedNames], encoder: NameEncoder) -> dict[str, Vector]:
    """Vectors of the names of each type, as they were written, or computed where they were not."""
    types, counts = sorted(names), [len(names[type].names) for type in sorted(names)]
    path = folder / TRAINED_VECTORS
    if path.is_file() and len(stored := np.load(path, allow_pickle=False)) == sum(counts):
        parts = np.split(stored.astype(np.float32), np.cumsum(counts)[:-1])
        return dict(zip(types, parts, strict=True)) if types else {}
    return {type: encoder.encode(names[type].names) for type in types}


def read_linker(folder: Path) -> LinkerInfo:
    """The description of a trained linker.

    Raises:
        ZooError: It is missing or damaged.
    """
    try:
        info = LinkerInfo.model_validate_json((folder / LINKER_FILE).read_bytes())
    except (OSError, ValidationError) as error:
        raise ZooError(f"it is not a linker: {str(error).splitlines()[0]}", where=folder) from None
    if info.format_version != _VERSION:
        raise ZooError(
            f"the linker has format {info.format_version}, not {_VERSION}", where=folder, fix="build it again"
        )
    return info


def _is_known(found: Mapping[str, Evidence]) -> bool:
    return any(evidence.values.get("exact") or evidence.values.get("trained") for evidence in found.values())


def _base_of(adapter: Path) -> Base:
    from zoo.tagging.models import Base, locate

    return Base.load(locate(adapter).base)
