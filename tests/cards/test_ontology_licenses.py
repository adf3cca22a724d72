"""The licence gate of ontologies: content of UMLS and MEDIC never reaches a push."""

from __future__ import annotations

import pytest

from tests.ontologies.reading import entry
from zoo.cards.ontology_licenses import (
    check_ontology_publication,
    may_publish_ontology,
    ontology_attribution,
    ontology_obstacles,
)
from zoo.errors import ZooError
from zoo.registry.loader import load_registry
from zoo.registry.schema import LicenseInfo


def test_what_of_the_registry_may_be_published() -> None:
    allowed = {name for name, item in load_registry().ontologies.items() if may_publish_ontology(item)}
    assert allowed == {
        *("chebi", "cl", "doid", "mesh", "mesh-supplementary", "ncbi-gene-human", "ncbitaxon"),
        *("sample-chemicals", "sample-diseases", "so", "uberon"),
    }


@pytest.mark.parametrize("name", ["umls", "medic"])
@pytest.mark.parametrize("changes", [{}, {"id": "renamed"}, {"format": "table"}])
def test_umls_and_medic_never_may_whatever_an_entry_says(name: str, changes: dict[str, str]) -> None:
    freed = LicenseInfo(spdx="CC0-1.0", source="somebody said so", publishable=True)
    item = load_registry().ontology(name).model_copy(update={"license": freed, **changes})
    assert not may_publish_ontology(item)
    with pytest.raises(ZooError, match="may not be pushed"):
        check_ontology_publication(item)


@pytest.mark.parametrize(
    ("spdx", "publishable", "why"),
    [
        ("NOASSERTION", True, "no licence is known"),
        ("CC-BY-NC-4.0", True, "non-commercial"),
        ("CC-BY-ND-4.0", True, "may not be shared"),
        ("CC-BY-4.0", False, "marked as not publishable"),
    ],
)
def test_obstacles(spdx: str, publishable: bool, why: str) -> None:
    item = entry(license={"spdx": spdx, "source": "a test", "publishable": publishable})
    (obstacle,) = ontology_obstacles(item)
    assert why in obstacle and obstacle.startswith("ontology demo: ")


def test_whom_to_name() -> None:
    named = ontology_attribution(load_registry().ontology("mesh"), "2026")
    assert "MeSH descriptors, version 2026" in named and "Courtesy of the U.S. National Library of Medicine" in named
    assert "https://spdx.org/licenses/CC-BY-4.0.html" in ontology_attribution(load_registry().ontology("cl"), "1")
