"""Several linkers as one: the first that knows a mention's type links it."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.linking.chain import Chain
from zoo.linking.index import Index
from zoo.linking.linker import Linker
from zoo.modeling.windows import Entity
from zoo.ontologies.concept import Concept

TEXT = "asthma and aspirin"


def index(folder: Path, ontology: str, *names: str) -> Index:
    concepts = [Concept(f"{ontology.upper()}:{number}", name) for number, name in enumerate(names)]
    Index.build(concepts, folder / ontology, ontology=ontology, version="1")
    return Index.open(folder / ontology)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """Diseases by one vocabulary, all else by another, which has asthma, too."""
    folder = tmp_path_factory.mktemp("indexes")
    special = Linker.lexical({"Disease": index(folder, "special", "asthma", "gout")})
    return Chain([special, Linker.lexical({"*": index(folder, "general", "aspirin", "asthma")})])


def test_each_links_what_those_before_it_left(chain: Chain) -> None:
    entities = [Entity(0, 6, "Disease", 0.9), Entity(11, 18, "Chemical", 0.8)]
    (linked,) = chain.link([TEXT], [entities])
    assert [entity.concept_ids for entity in linked] == [("SPECIAL:0",), ("GENERAL:0",)]
    assert [entity.key for entity in linked] == [entity.key for entity in entities]
    assert chain.link([], []) == [] and chain.link([TEXT], [[]]) == [[]]


def test_it_links_what_its_linkers_link(chain: Chain) -> None:
    ontologies = {type: index.info.ontology for type, index in chain.ontologies.items()}
    assert ontologies == {"*": "general", "Disease": "special"}
    assert not chain.knows_names
    (alone,) = Chain(chain.linkers[:1]).link([TEXT], [[Entity(11, 18, "Chemical", 0.8)]])
    assert alone[0].link is None
