"""The bundled vocabularies fit the bundled corpora: every mention has a concept, and is a name of it."""

from __future__ import annotations

import pytest

from zoo.corpora.concepts import normalise_concept
from zoo.corpora.load import open_corpus
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
