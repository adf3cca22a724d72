"""A vocabulary of five concepts, documents with ids as files write them, and a linker that looks names up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from zoo.corpora.document import Document, Span
from zoo.evaluation.linking_rules import Vocabulary
from zoo.modeling.windows import Entity
from zoo.ontologies.concept import Concept
from zoo.ontologies.link import Candidate, Link

CONCEPTS = (
    Concept("MESH:D001943", "Breast Neoplasms", types=("C04.588.180", "C17.800")),
    Concept("MESH:D010051", "Ovarian Neoplasms", types=("C04.588.322", "C13.351")),
    Concept("MESH:D001260", "Ataxia Telangiectasia", alternative_ids=("OMIM:208900",), types=("C10.228",)),
    Concept("OMIM:114480", "Breast cancer, familial"),
    Concept("NCBITaxon:9606", "Homo sapiens", types=("species",)),
)
BY_ID = {name: concept for concept in CONCEPTS for name in (concept.id, *concept.alternative_ids)}
DISEASES = Vocabulary("medic", "2012", "d" * 64, BY_ID.get)
SPECIES = Vocabulary("ncbitaxon", "2024", "e" * 64, BY_ID.get, "NCBITaxon")
VOCABULARIES: Mapping[str, Vocabulary] = {"Disease": DISEASES, "Species": SPECIES}
BREAST, OVARIAN, ATAXIA, FAMILIAL, HUMAN = (concept.id for concept in CONCEPTS)


def document(*mentions: tuple[str, str] | tuple[str, str, str], name: str = "1") -> Document:
    """A text that consists of mentions: text, ids as a cell of PubTator writes them, type (Disease)."""
    from zoo.corpora.concepts import split_concepts

    text, spans = "", []
    for mention, cell, *kind in mentions:
        spans.append(Span(len(text), len(text) + len(mention), *(kind or ["Disease"]), split_concepts(cell)))
        text += f"{mention}; "
    return Document(name, text, tuple(spans))


def link(*linked: str, others: Sequence[str] = (), score: float = 0.9) -> Link:
    """Linked to ids, with these and others as candidates."""
    candidates = tuple(Candidate(name, "", score, "exact") for name in (*linked, *others))
    return Link(linked, score, candidates, "medic")


def linked(document: Document, *links: Link | None) -> list[Entity]:
    """The gold mentions of a document with links."""
    return [Entity(*span.key, 1.0, given) for span, given in zip(document.spans, links, strict=True)]


class NameLinker:
    """Links the texts of its list, in any case; what it does not know is linked to none."""

    def __init__(self, names: Mapping[str, Link]) -> None:
        self.names = {name.lower(): given for name, given in names.items()}

    def link(self, texts: Sequence[str], entities: Sequence[Sequence[Entity]]) -> list[list[Entity]]:
        """As `Linker.link`."""
        return [
            [replace(e, link=self.names.get(text[e.start : e.end].lower(), Link((), 0.0))) for e in found]
            for text, found in zip(texts, entities, strict=True)
        ]
