"""What a format of output is.

A new one is a module beside this one with a `FORMAT`, and one line in the table `output.FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.corpora.document import text_of
from zoo.modeling.windows import Entity
from zoo.ontologies.link import Link
from zoo.tagging.texts import Tagged


@dataclass(frozen=True)
class Run:
    """What the answers of a run have in common.

    Attributes:
        models: Names of the models, in the order of their answers; where there are several, each entity says which.
        concept_name: Preferred name of a concept, from the ontology's id and its own; None: nothing is linked.
        fragments: Whether mentions may be discontinuous: a table has a column for their parts then.
        asserted: Whether entities have assertions.
    """

    models: Sequence[str]
    concept_name: Callable[[str, str], str] | None = None
    fragments: bool = False
    asserted: bool = False

    @property
    def linked(self) -> bool:
        """Whether mentions are linked to concepts."""
        return self.concept_name is not None

    def names(self, link: Link) -> list[str]:
        """Preferred names of a link's concepts, in their order."""
        return [self.concept_name(link.ontology, i) if self.concept_name else i for i in link.concept_ids]


@dataclass(frozen=True)
class FileFormat:
    """All documents in one file.

    Attributes:
        header: What the file begins with.
        document: What is appended for a document; empty for one that the format cannot hold.
        between: What stands between two documents.
        footer: What the file ends with.
        fragments: Whether it can hold discontinuous mentions; else they are written from their first to their last
            character.
        assertions: Whether it can hold what the text says of entities.
    """

    header: Callable[[Run], str]
    document: Callable[[Tagged, Run], str]
    between: str = ""
    footer: str = ""
    fragments: bool = True
    assertions: bool = True


@dataclass(frozen=True)
class FolderFormat:
    """Files of its own for each document, in a folder.

    Attributes:
        files: Names and contents of a document's files.
    """

    files: Callable[[Tagged, Run], Mapping[str, str]]


def entity_records(tagged: Tagged, run: Run) -> list[dict[str, Any]]:
    """What was found in a document, by model: start, end, type, parts, text, score, its concept, of several which."""
    return [
        {
            "start": entity.start,
            "end": entity.end,
            "type": entity.type,
            **({"fragments": [list(part) for part in entity.fragments]} if entity.fragments else {}),
            "text": text_of(tagged.text.text, entity.key),
            "score": round(entity.score, 4),
            **_concept(entity, run),
            **_assertion(entity),
            **({"model": model} if len(run.models) > 1 else {}),
        }
        for model, entities in zip(run.models, tagged.entities, strict=True)
        for entity in entities
    ]


def _assertion(entity: Entity) -> dict[str, Any]:
    """What the text says of an entity; nothing where that was not asked."""
    found = entity.assertion
    if found is None:
        return {}
    said = {"negation": found.negation, "temporality": found.temporality, "experiencer": found.experiencer}
    return {"assertion": {**said, "cues": list(found.cues)}, "section": found.section}


def _concept(entity: Entity, run: Run) -> dict[str, Any]:
    """What an entity is linked to; nothing where no ontology is for its type."""
    link = entity.link
    if link is None:
        return {}
    seen = [[c.concept_id, c.name, round(c.score, 4), c.step] for c in link.candidates]
    return {
        "concept_ids": list(link.concept_ids),
        "concept": "; ".join(run.names(link)),
        "link_score": round(link.score, 4),
        "candidates": seen,
    }
