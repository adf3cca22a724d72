"""Each gold mention beside its link: what both rules, groups and abstention count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from zoo.corpora.document import Document, Key, text_of
from zoo.corpora.similarity import normalise
from zoo.evaluation.abstention import Answer
from zoo.evaluation.linking_rules import Vocabulary, biosyn_ids, biosyn_place, first_right, ranking
from zoo.modeling.windows import Entity
from zoo.ontologies.concept import Concept

Form = tuple[str, str]
"""Text of a mention in its normal form, and its type."""
_OTHERS = "*"
"""The type that stands for all others, as in `Linker.ontologies`."""


@dataclass(frozen=True)
class Judged:
    """A gold mention that was linked; a place is that of the first right id, from 1."""

    document: int
    type: str
    form: Form
    gold: tuple[str, ...]
    concepts: tuple[Concept, ...]
    place: int | None
    biosyn_place: int | None
    in_biosyn: bool
    score: float
    answered: bool


def judge(
    documents: Sequence[Document], links: Sequence[Sequence[Entity]], vocabularies: Mapping[str, Vocabulary]
) -> list[Judged]:
    """Judge the gold mentions of types that have a vocabulary.

    Args:
        documents: Documents whose spans have concept ids.
        links: Of each document its gold mentions, linked, in the order of its spans.
        vocabularies: Entity type (`*`: any other) -> what it is linked to.
    """
    judged = []
    for number, (document, entities) in enumerate(zip(documents, links, strict=True)):
        for span, entity in zip(document.spans, entities, strict=True):
            if (vocabulary := vocabulary_of(span.type, vocabularies)) is None:
                continue
            gold, ranked = vocabulary.resolve(span.concept_ids), ranking(entity.link, vocabulary)
            concepts = tuple(concept for one in gold if (concept := vocabulary.find(one)))
            counted = biosyn_ids(span.concept_ids)
            text, linked = text_of(document.text, span.key), vocabulary.resolve(entity.concept_ids)
            judged.append(
                Judged(
                    document=number,
                    type=span.type,
                    form=form_of(document, span.key),
                    gold=gold,
                    concepts=concepts,
                    place=first_right(gold, ranked),
                    biosyn_place=biosyn_place(text, vocabulary.resolve(counted), linked, ranked),
                    in_biosyn=bool(counted) and all(map(vocabulary.knows, counted)),
                    score=entity.link.score if entity.link else 0.0,
                    answered=bool(linked),
                )
            )
    return judged


def vocabulary_of(name: str, vocabularies: Mapping[str, Vocabulary]) -> Vocabulary | None:
    """What a type is linked to; None: it is not."""
    return vocabularies.get(name) or vocabularies.get(_OTHERS)


def form_of(document: Document, key: Key) -> Form:
    """What tells whether a mention was seen."""
    return normalise(text_of(document.text, key)), key[2]


def answers_of(judged: Iterable[Judged]) -> list[Answer]:
    """Score and rightness of mentions with an id."""
    return [(mention.score, mention.place == 1) for mention in judged if mention.gold]
