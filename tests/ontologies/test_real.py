"""Real vocabularies are read as they are, in full, and name the gold ids of real corpora."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.corpora.concepts import normalise_concept
from zoo.corpora.readers.pubtator import read_pubtator
from zoo.ontologies.load import Ontology, read_ontology
from zoo.ontologies.sources import Located
from zoo.registry.loader import load_registry

TABLES = {
    "mesh2024-descriptors": ("mesh", 30_764),
    "medic-2012": ("medic", 11_915),
    "cl-craft": ("cl", 2_068),
    "cell-ontology-2022": ("cl", 2_535),
    "uberon-craft": ("uberon", 13_080),
    "so-craft": ("so", 2_179),
    "doid-current": ("doid", 12_246),
    "hpo": ("hpo", 19_932),
    "hpo-es": ("hpo", 19_932),
    "chebi-subset": ("chebi", 1_583),
    "ncbi-gene-human-2016": ("ncbi-gene-human", 56_425),
    "ncbitaxon-with-common-names-2024": ("ncbitaxon", 37_082),
}


def table(shared_data: Path, name: str) -> Ontology:
    path = shared_data / "ontologies" / f"{name}.tsv.gz"
    if not path.is_file():
        pytest.skip(f"{name} is not among the real vocabularies here")
    return read_ontology(load_registry().ontology(TABLES[name][0]), Located("a copy", (path,), own=True))


@pytest.mark.parametrize("name", TABLES)
def test_every_concept_is_read(shared_data: Path, name: str) -> None:
    ontology = table(shared_data, name)
    assert len(ontology.concepts) == TABLES[name][1]
    prefixes = {concept.id.partition(":")[0] for concept in ontology.concepts}
    assert prefixes == ({"MESH", "OMIM"} if name == "medic-2012" else {ontology.entry.id_prefix})


@pytest.mark.parametrize(
    ("name", "corpus", "least"),
    [
        ("medic-2012", "ncbi-disease/NCBI_test.PubTator.gz", 1.0),
        ("mesh2024-descriptors", "bc5cdr/BC5CDR_Test.PubTator.gz", 0.9),
        ("ncbitaxon-with-common-names-2024", "linnaeus/Linnaeus_Test.PubTator.gz", 0.75),
    ],
)
def test_gold_ids_are_spelt_as_the_ids_of_the_vocabulary(
    shared_data: Path, name: str, corpus: str, least: float
) -> None:
    path = shared_data / "standoff" / corpus
    ontology = table(shared_data, name)
    known = {item for concept in ontology.concepts for item in (concept.id, *concept.alternative_ids)}
    found = [
        any(item in known for raw in span.concept_ids for item in normalise_concept(raw, ontology.entry.id_prefix))
        for document in read_pubtator(path, repairs=None)
        for span in document.spans
        if span.concept_ids
    ]
    assert len(found) > 500 and sum(found) / len(found) >= least
