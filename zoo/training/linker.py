"""Training of a linker: names seen, an encoder of names, vectors of the ontologies, and how evidence is weighed.

What weighs evidence is fitted on the training split, each document with the names of others alone, as a new document
meets a trained linker; from which probability on to link is chosen on dev. Afterwards the names of both are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from zoo.corpora.concepts import normalise_concept
from zoo.corpora.document import Document, text_of
from zoo.errors import ZooError
from zoo.files import write_whole
from zoo.language.writing import flatten
from zoo.linking.abbreviations import expand, find_abbreviations
from zoo.linking.candidates import Evidence, Lexicon, embed_names
from zoo.linking.encoder import NameEncoder
from zoo.linking.index import Index
from zoo.linking.linker import (
    ADAPTER,
    ALL_STEPS,
    LINKER_FILE,
    VECTORS,
    Linker,
    LinkerInfo,
    Steps,
    read_linker,
    write_trained_vectors,
)
from zoo.linking.ranking import LEXICAL, Ranking, fit_ranking
from zoo.linking.trained_names import NAMES_FILE, ConceptIds, TrainedNames, count_names, write_names
from zoo.linking.vectors import Vectors
from zoo.modeling.backbones import read_base_info
from zoo.modeling.windows import Entity
from zoo.records import Record
from zoo.registry.link_recipe import LinkRecipe
from zoo.registry.schema import Family
from zoo.training.name_encoder import EncoderLog, Pair, synonym_pairs, train_encoder

if TYPE_CHECKING:
    from zoo.tagging.models import Base

_FEWEST_MENTIONS = 30
"""Linked mentions that a ranking is fitted on; with fewer, that without training is taken."""
_FOLDS = 5
Example = tuple[list[Evidence], list[bool]]
"""Candidates of a mention, and which of them are right."""
Progress = Callable[[int, int, str], None]


class LinkerRecord(Record):
    """What the training of a linker gave."""

    ontologies: dict[str, str] = Field(description="entity type -> registry id of the ontology")
    names: dict[str, int] = Field(description="entity type -> names seen in training and dev")
    rankings: dict[str, Ranking]
    encoder: EncoderLog | None = Field(default=None, description="None: without a reranker")
    notes: list[str] = Field(default_factory=list)


def train_linker(
    *,
    base: Path,
    family: Family,
    ontologies: Mapping[str, Index],
    train: Sequence[Document],
    dev: Sequence[Document],
    recipe: LinkRecipe,
    seed: int,
    destination: Path,
    fingerprints: Mapping[str, str] | None = None,
    snapshot_path: Path | None = None,
    progress: Progress = lambda done, steps, note: None,
) -> LinkerRecord:
    """Train a linker and write its folder.

    Args:
        base: Folder of the base that its adapter stands on.
        family: Names of the modules that LoRA adapts.
        ontologies: Entity type -> index of the ontology it is linked to.
        train: Documents with concept ids.
        dev: More of them, on which what decides is chosen.
        recipe: Hyper-parameters.
        seed: Seed.
        destination: The folder.
        fingerprints: Ontology -> sha256 of its concepts, where it is known.
        snapshot_path: File that the state of the encoder's training is kept in.
        progress: Called with the steps done, all steps, and at times a line of text.

    Raises:
        ZooError: No mention has a concept of the ontologies, or the training failed.
    """
    from zoo.tagging.models import Base

    own = {type: named_mentions(train, type, index) for type, index in ontologies.items()}
    if not any(own.values()):
        raise ZooError("no mention of the training split has a concept id", fix="link.enabled=false, or another corpus")
    seen = {type: TrainedNames(count_names(own[type]) if recipe.train_names else {}) for type in ontologies}
    destination.mkdir(parents=True, exist_ok=True)
    log, encoder = None, None
    if recipe.reranker:
        log = train_encoder(
            base,
            family,
            lambda epoch: _pairs(ontologies, seen, recipe, seed * 1_000 + epoch),
            recipe=recipe,
            seed=seed,
            destination=destination / ADAPTER,
            snapshot_path=snapshot_path,
            progress=progress,
        )
        encoder = NameEncoder(Base.load(base), destination / ADAPTER)
        write_vectors(destination, {index.info.ontology: index for index in ontologies.values()}, encoder, progress)
    rankings, notes = {}, []
    for type, index in ontologies.items():
        examples = held_out_examples(train, type, index, recipe, destination, encoder, seed)
        if sum(any(right) for _, right in examples) < _FEWEST_MENTIONS:
            rankings[type] = LEXICAL
            notes.append(f"{type}: fewer than {_FEWEST_MENTIONS} linked mentions: weights as without training")
            continue
        rankings[type] = fit_ranking(examples)
    if recipe.nil:
        chosen = assemble_linker(ontologies, seen, rankings, destination, encoder)
        rankings = {
            type: ranking.model_copy(update={"threshold": best_threshold(chosen, dev, type, ontologies[type])})
            for type, ranking in rankings.items()
        }
    kept = {
        type: count_names([*own[type], *named_mentions(dev, type, index)]) if recipe.train_names else {}
        for type, index in ontologies.items()
    }
    write_names(destination / NAMES_FILE, kept)
    if encoder:
        write_trained_vectors(
            destination, {type: TrainedNames(found) for type, found in kept.items() if found}, encoder
        )
    info = LinkerInfo(
        ontologies={type: index.info.ontology for type, index in ontologies.items()},
        fingerprints=dict(fingerprints or {}),
        rankings=rankings,
        base=str(read_base_info(base).get("fingerprint", "")),
    )
    write_whole(destination / LINKER_FILE, info.to_json())
    return LinkerRecord(
        ontologies=info.ontologies,
        names={type: len(found) for type, found in kept.items()},
        rankings=rankings,
        encoder=log,
        notes=notes,
    )


def without_dev(folder: Path, ontologies: Mapping[str, Index], train: Sequence[Document], base: Base) -> Linker:
    """A trained linker with the names of the training split alone: what is chosen on dev must not know dev by heart.

    Args:
        folder: The linker.
        ontologies: Entity type -> index of the ontology it is linked to.
        train: The training split.
        base: The base in memory that its adapter stands on.
    """
    seen = {type: TrainedNames(count_names(named_mentions(train, type, index))) for type, index in ontologies.items()}
    encoder = NameEncoder(base, folder / ADAPTER) if (folder / ADAPTER).is_dir() else None
    return assemble_linker(ontologies, seen, read_linker(folder).rankings, folder, encoder)


def write_vectors(
    linker: Path, indexes: Mapping[str, Index], encoder: NameEncoder, progress: Progress = lambda *_: None
) -> None:
    """Write the vectors of all names of ontologies into a linker's folder; also after it came without them."""
    for ontology, index in indexes.items():
        progress(0, 0, f"vectors of the {index.info.names:,} names of {ontology}")
        embed_names(index, encoder, linker / VECTORS / ontology)


def named_mentions(documents: Sequence[Document], type: str, index: Index) -> list[tuple[str, ConceptIds]]:
    """The mentions of a type, abbreviations written out, with the concepts that annotators gave them."""
    found = []
    for document in documents:
        spans = [span for span in document.spans if span.type == type]
        abbreviations = find_abbreviations(document.text, [span.key for span in spans])
        for span in spans:
            mention = " ".join(flatten(text_of(document.text, span.key)).split())
            found.append((expand(mention, abbreviations), gold_concepts(span.concept_ids, index)))
    return [(name, ids) for name, ids in found if ids]


def gold_concepts(concept_ids: Sequence[str], index: Index) -> ConceptIds:
    """Concepts that annotators gave a mention, as the ontology calls them; those it lacks stay as they are."""
    spelt = [id for given in concept_ids for id in normalise_concept(given)]
    return tuple(sorted({index.canonical(id) or id for id in spelt}))


def _pairs(
    ontologies: Mapping[str, Index], seen: Mapping[str, TrainedNames], recipe: LinkRecipe, seed: int
) -> list[Pair]:
    names: dict[str, list[str]] = {}
    for index in {index.info.ontology: index for index in ontologies.values()}.values():
        for concept_id, name in index.all_names():
            names.setdefault(concept_id, []).append(name.casefold())
    mentions: dict[str, list[str]] = {}
    for trained in seen.values():
        for name in trained.names:
            for ids in trained.exact(name):
                if len(ids) == 1:
                    mentions.setdefault(ids[0], []).append(name)
    distinct = {concept_id: list(dict.fromkeys(own)) for concept_id, own in names.items()}
    return synonym_pairs(distinct, mentions, recipe.pairs_max, seed)


def assemble_linker(
    ontologies: Mapping[str, Index],
    seen: Mapping[str, TrainedNames],
    rankings: Mapping[str, Ranking] | None,
    folder: Path,
    encoder: NameEncoder | None,
    steps: Steps = ALL_STEPS,
) -> Linker:
    """A linker of parts in memory, and of the vectors in its folder where it has an encoder."""
    lexicons = {}
    for type, index in ontologies.items():
        vectors = None if encoder is None else Vectors.open(folder / VECTORS / index.info.ontology)
        own = None if encoder is None else encoder.encode(seen[type].names)
        lexicons[type] = Lexicon(type, index, seen[type], vectors, own)
    return Linker(lexicons, rankings or dict.fromkeys(ontologies, LEXICAL), encoder, steps)


def held_out_examples(
    documents: Sequence[Document],
    type: str,
    index: Index,
    recipe: LinkRecipe,
    folder: Path,
    encoder: NameEncoder | None,
    seed: int = 0,
    steps: Steps = ALL_STEPS,
) -> list[Example]:
    """Evidence for the mentions of a training split, each with the names of other documents: folds of a fifth."""
    folds = np.random.default_rng(seed).integers(_FOLDS, size=len(documents))
    examples: list[Example] = []
    for fold in range(_FOLDS):
        others = [document for document, own in zip(documents, folds, strict=True) if own != fold]
        held_out = [document for document, own in zip(documents, folds, strict=True) if own == fold]
        names = count_names(named_mentions(others, type, index)) if recipe.train_names else {}
        linker = assemble_linker({type: index}, {type: TrainedNames(names)}, None, folder, encoder, steps)
        examples += examples_of(linker, held_out, type, index)
    return examples


def examples_of(linker: Linker, documents: Sequence[Document], type: str, index: Index) -> list[Example]:
    """Evidence for each mention, and which candidates are right."""
    examples: list[Example] = []
    for document in documents:
        spans = [span for span in document.spans if span.type == type]
        evidence = linker.evidence(document.text, [span.key for span in spans])
        for span, found in zip(spans, evidence, strict=True):
            gold = gold_concepts(span.concept_ids, index)
            examples.append((found, [each.concept_id in gold for each in found]))
    return examples


def best_threshold(linker: Linker, documents: Sequence[Document], type: str, index: Index) -> float:
    """The lowest probability of a link that gives the highest F1 of links on some documents.

    A mention that is linked wrongly counts as one too many and, if it has a concept, as one missed.
    """
    scores, right, with_concept = [], [], 0
    for document in documents:
        spans = [span for span in document.spans if span.type == type]
        entities = [Entity(span.start, span.end, type, 1.0, fragments=span.fragments) for span in spans]
        (linked,) = linker.link([document.text], [entities])
        for span, entity in zip(spans, linked, strict=True):
            gold = gold_concepts(span.concept_ids, index)
            with_concept += bool(gold)
            if entity.link and entity.link.concept_ids:
                scores.append(entity.link.score)
                right.append(entity.link.concept_ids[0] in gold)
    if not scores:
        return 0.0
    order = np.argsort(-np.array(scores), kind="stable")
    hits = np.cumsum(np.array(right)[order])
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + max(with_concept, 1))
    best = int(np.argmax(f1))
    return 0.0 if best == len(hits) - 1 else round(float(np.array(scores)[order][best]), 4)
