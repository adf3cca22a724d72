"""SKOS in Turtle and RDF/XML."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.ontologies.reading import read
from zoo.errors import ZooError
from zoo.ontologies.concept import Concept, Synonym

TURTLE = """
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix dct: <http://purl.org/dc/terms/> .
@prefix c: <http://example.org/codes#> .
<http://example.org/codes> a owl:Ontology ; owl:versionInfo "3.1" .
c:A01 a skos:Concept ; skos:prefLabel "typhoid fever"@en, "Typhus"@de ; skos:altLabel "enteric fever"@en ;
  skos:hiddenLabel "thyphoid" ; skos:broader c:A ; skos:definition "A fever."@en ;
  skos:exactMatch <http://purl.obolibrary.org/obo/DOID_13258>, <http://example.org/other#7> .
c:A a skos:Concept ; skos:prefLabel "infection"@en .
c:A02 a skos:Concept ; skos:prefLabel "old"@en ; owl:deprecated true ; dct:isReplacedBy c:A01 .
"""
TYPHOID = Concept(
    id="ICD:A01",
    name="typhoid fever",
    synonyms=(Synonym("enteric fever"), Synonym("thyphoid", "related")),
    alternative_ids=("DOID:13258", "ICD:A02"),
    parents=("ICD:A",),
    definition="A fever.",
)


def test_turtle_and_rdf_xml(tmp_path: Path) -> None:
    rdflib = pytest.importorskip("rdflib")
    turtle, xml = tmp_path / "codes.ttl", tmp_path / "codes.rdf"
    turtle.write_text(TURTLE)
    xml.write_text(rdflib.Graph().parse(turtle).serialize(format="xml"))
    for path in (turtle, xml):
        ontology = read(path, id_prefix="ICD", same_as=["DOID"])
        assert ontology.concepts == (Concept("ICD:A", "infection"), TYPHOID)
        assert ontology.version == "3.1"
    assert read(turtle, languages=["de"]).concepts[-1].name == "Typhus"


def test_damage_is_one_message(tmp_path: Path) -> None:
    pytest.importorskip("rdflib")
    path = tmp_path / "codes.ttl"
    path.write_text(TURTLE + "c:A03 a")
    with pytest.raises(ZooError, match="not valid RDF"):
        read(path)
    path.write_text("@prefix skos: <http://www.w3.org/2004/02/skos/core#> .\n")
    with pytest.raises(ZooError, match="no skos:Concept"):
        read(path)


def test_without_the_library_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rdflib", None)
    (tmp_path / "codes.ttl").write_text(TURTLE)
    with pytest.raises(ZooError, match="rdflib, which is not installed") as error:
        read(tmp_path / "codes.ttl")
    assert "biomedical-ner-zoo[skos]" in str(error.value)
