"""Concept ids: kept as files have them, and one spelling of each for linking."""

from __future__ import annotations

import pytest

from zoo.corpora.concepts import normalise_concept, split_concepts


@pytest.mark.parametrize(
    ("cell", "ids"),
    [
        ("D003110|D009369", ("D003110", "D009369")),
        ("D1;D2,D3", ("D1", "D2", "D3")),
        (" D008661 ", ("D008661",)),
        ("OMIM:215600|D2|D2", ("OMIM:215600", "D2")),
        ("D004829+D003294", ("D004829+D003294",)),
        ("p|SUB|V|600|E", ("p|SUB|V|600|E",)),
        ("-1", ()),
        ("-1|D1", ("-1", "D1")),
        ("D1|-1", ("D1", "-1")),
        ("-1|-1", ()),
        ("MESH:D1;MeSH:D2", ("MESH:D1", "MeSH:D2")),
        ("5243(Tax:9606)", ("5243(Tax:9606)",)),
        ("-", ()),
        ("", ()),
    ],
)
def test_concept_ids(cell: str, ids: tuple[str, ...]) -> None:
    assert split_concepts(cell) == ids


@pytest.mark.parametrize(
    ("concept", "spelt"),
    [
        ("D003110", ("MESH:D003110",)),
        ("MeSH:D003110", ("MESH:D003110",)),
        ("C535662", ("MESH:C535662",)),
        ("omim:114480", ("OMIM:114480",)),
        ("5243(Tax:9606)", ("5243",)),
        ("NCBI:txid9606", ("NCBITaxon:9606",)),
        ("taxonomy:9606", ("NCBITaxon:9606",)),
        ("9606", ("9606",)),
        ("C0009402", ("UMLS:C0009402",)),
        ("C000600001", ("MESH:C000600001",)),
        ("chebi:15377", ("CHEBI:15377",)),
        ("D004829+D003294", ("MESH:D004829", "MESH:D003294")),
        ("D004829+-1", ("MESH:D004829",)),
        ("-1", ()),
    ],
)
def test_one_spelling_for_linking(concept: str, spelt: tuple[str, ...]) -> None:
    assert normalise_concept(concept) == spelt


def test_an_id_that_does_not_say_whose_it_is_gets_the_prefix_of_its_ontology() -> None:
    assert normalise_concept("9606", "NCBITaxon") == ("NCBITaxon:9606",)
    assert normalise_concept("9606+10090", "NCBITaxon") == ("NCBITaxon:9606", "NCBITaxon:10090")
    assert normalise_concept("613097", "OMIM") == ("OMIM:613097",)
    assert normalise_concept("D003110", "OMIM") == ("MESH:D003110",)
    assert normalise_concept("OMIM:215600", "MESH") == ("OMIM:215600",)
