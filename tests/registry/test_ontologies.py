"""Entries of ontologies: what the packaged ones say, and an overlay."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ontologies.reading import entry
from zoo.errors import ZooError
from zoo.registry.loader import load_registry


def test_the_packaged_ones() -> None:
    ontologies = load_registry().ontologies
    assert {
        "mesh",
        "mesh-supplementary",
        "medic",
        "doid",
        "cl",
        "uberon",
        "so",
        "chebi",
        "hpo",
        "ncbitaxon",
        "umls",
    } <= set(ontologies)
    for item in ontologies.values():
        assert item.license.source and item.id_prefix
        assert item.sources or item.homepage
        assert not item.sources or item.version or "replaces the file" in item.note or item.fingerprint


@pytest.mark.parametrize(
    ("name", "concept", "page"),
    [
        ("mesh", "MESH:D003110", "https://meshb.nlm.nih.gov/record/ui?ui=D003110"),
        ("medic", "OMIM:613097", "https://ctdbase.org/detail.go?type=disease&acc=OMIM:613097"),
        ("sample-diseases", "ZOOD:0001", ""),
    ],
)
def test_pages(name: str, concept: str, page: str) -> None:
    assert load_registry().ontology(name).page_of(concept) == page


def test_an_overlay_replaces_and_adds(tmp_path: Path) -> None:
    (tmp_path / "ontologies").mkdir()
    path = tmp_path / "ontologies" / "codes.yaml"
    text = "id: codes\ntitle: Codes\ndescription: Mine.\nformat: table\n"
    license_line = "license: {spdx: CC0-1.0, source: mine, publishable: true}\n"
    path.write_text(text + license_line)
    found = load_registry(tmp_path)
    assert found.ontology("codes").title == "Codes" and "mesh" in found.ontologies
    assert found.folders["ontologies/codes"] == tmp_path
    path.write_text(text + license_line + "types: {Sickness: []}\n")
    with pytest.raises(ZooError, match="'Sickness' is not in the label space") as error:
        load_registry(tmp_path)
    assert "ontologies/codes.yaml: types" in str(error.value)
    path.write_text(text.replace("table", "xls") + license_line)
    with pytest.raises(ZooError, match="format"):
        load_registry(tmp_path)
    with pytest.raises(ZooError, match="unknown ontology 'mash'") as error:
        load_registry().ontology("mash")
    assert "did you mean mesh?" in str(error.value)


def test_an_overlay_cannot_free_what_is_never_published(tmp_path: Path) -> None:
    (tmp_path / "ontologies").mkdir()
    (tmp_path / "ontologies" / "medic.yaml").write_text(
        "id: medic\ntitle: Mine\ndescription: Mine.\nformat: table\n"
        "license: {spdx: CC0-1.0, source: mine, publishable: true}\n"
    )
    with pytest.raises(ZooError, match="publishable must be false: the terms of CTD"):
        load_registry(tmp_path)
    assert entry(id="my-medic").license.publishable
