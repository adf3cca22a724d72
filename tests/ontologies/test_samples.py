"""The bundled vocabularies fit the bundled corpora: every mention has a concept, and is a name of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.corpora.concepts import normalise_concept
from zoo.corpora.load import open_corpus
from zoo.linking.index import Index
from zoo.ontologies.load import open_ontology
from zoo.registry.loader import load_registry
from zoo.settings import Settings


@pytest.mark.parametrize(
    ("corpus", "ontology"), [("sample-disease", "sample-diseases"), ("sample-chemical", "sample-chemicals")]
)
def test_every_mention_is_a_name_of_its_concept(corpus: str, ontology: str) -> None:
    registry, settings = load_registry(), Settings()
    concepts = open_ontology(registry.ontology(ontology), registry, settings, offline=True).concepts
    names = {concept.id: {name.casefold() for name in concept.names} for concept in concepts}
    data = open_corpus(registry.corpus(corpus), registry, settings, offline=True)
    assert data.verified
    mentions = 0
    for documents in data.splits.values():
        for document in documents:
            for span in document.spans:
                mentions += 1
                (concept_id,) = (item for raw in span.concept_ids for item in normalise_concept(raw))
                assert document.text[span.start : span.end].casefold() in names[concept_id]
    assert mentions > 300
    assert all(parent in names for concept in concepts for parent in concept.parents)


def test_an_entity_type_without_semantic_types_admits_every_concept(tmp_path: Path) -> None:
    registry = load_registry()
    ontology = open_ontology(registry.ontology("sample-diseases"), registry, Settings(), offline=True)
    assert ontology.entry.types == {"Disease": ()} and ontology.concepts[0].types == ("sample_disease",)
    given = {"ontology": ontology.entry.id, "version": ontology.version, "types": ontology.entry.types}
    Index.build(ontology.concepts, tmp_path, **given)
    assert Index.open(tmp_path).admits("Disease", ontology.concepts[0].id)
