"""OBO graphs JSON says what OBO says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.ontologies.reading import read
from zoo.errors import ZooError
from zoo.ontologies.concept import Concept, Synonym
from zoo.ontologies.readers.obographs import curie

OBO = "http://purl.obolibrary.org/obo/"
IN_OWL = "http://www.geneontology.org/formats/oboInOwl#"


def graph(*nodes: dict[str, Any], edges: list[dict[str, str]] | None = None) -> str:
    meta = {"version": f"{OBO}cl/releases/2022-12-15/cl.owl"}
    return json.dumps({"graphs": [{"id": OBO + "cl.owl", "meta": meta, "nodes": nodes, "edges": edges or []}]})


def test_a_class(tmp_path: Path) -> None:
    meta = {
        "definition": {"val": "A unit of life."},
        "synonyms": [{"pred": "hasExactSynonym", "val": "living unit"}, {"pred": "hasBroadSynonym", "val": "tissue"}],
        "xrefs": [{"val": "MESH:D002477"}, {"val": "FMA:68646"}],
        "basicPropertyValues": [
            {"pred": f"{IN_OWL}hasOBONamespace", "val": "cell"},
            {"pred": f"{IN_OWL}hasAlternativeId", "val": "CL:0000001"},
        ],
    }
    gone = {"deprecated": True, "basicPropertyValues": [{"pred": f"{OBO}IAO_0100001", "val": f"{OBO}CL_0000000"}]}
    path = tmp_path / "cl.json"
    path.write_text(
        graph(
            {"id": f"{OBO}CL_0000000", "lbl": "cell", "type": "CLASS", "meta": meta},
            {"id": f"{OBO}CL_0000003", "lbl": "native cell", "type": "CLASS"},
            {"id": f"{OBO}CL_0000009", "lbl": "obsolete thing", "type": "CLASS", "meta": gone},
            {"id": f"{OBO}BFO_0000050", "lbl": "part of", "type": "PROPERTY"},
            edges=[{"sub": f"{OBO}CL_0000003", "pred": "is_a", "obj": f"{OBO}CL_0000000"}],
        )
    )
    ontology = read(path, same_as=["MESH"])
    assert ontology.version == "2022-12-15"
    assert ontology.concepts == (
        Concept(
            id="CL:0000000",
            name="cell",
            synonyms=(Synonym("living unit"), Synonym("tissue", "broad")),
            alternative_ids=("CL:0000001", "MESH:D002477", "CL:0000009"),
            types=("cell",),
            definition="A unit of life.",
        ),
        Concept(id="CL:0000003", name="native cell", parents=("CL:0000000",)),
    )


def test_the_same_terms_in_obo_have_the_same_fingerprint(tmp_path: Path) -> None:
    path, other = tmp_path / "cl.json", tmp_path / "cl.obo"
    path.write_text(graph({"id": f"{OBO}CL_0000000", "lbl": "cell", "meta": {"definition": {"val": "A unit."}}}))
    other.write_text('[Term]\nid: CL:0000000\nname: cell\ndef: "A unit." []\n')
    assert read(path).fingerprint == read(other).fingerprint


@pytest.mark.parametrize(
    ("iri", "short"),
    [
        (f"{OBO}CL_0000000", "CL:0000000"),
        ("http://example.org/codes#A01", "A01"),
        ("http://example.org/codes/A_01/", "A_01"),
        ("MESH:D002477", "MESH:D002477"),
    ],
)
def test_short_forms(iri: str, short: str) -> None:
    assert curie(iri) == short


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"graphs": []}', "no graphs"),
        ('{"graphs": [{"nodes": [{"lbl": "a"}]}]}', "not an OBO graph: KeyError 'id'"),
        ('{"graphs": [{"nodes": [{"id": "X:1", "lbl": 7}]}]}', "not an OBO graph: TypeError 7 is not a text"),
        ('{"graphs": [{"nodes": 7}]}', "not an OBO graph"),
        ('{"graphs": [{"nodes": ', "not valid JSON"),
    ],
)
def test_what_is_no_graph_is_one_message(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ZooError, match=said):
        read(path)
