"""Repairs that no reader makes: ids given twice, cycles, alternative ids that are taken."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from zoo.ontologies.concept import Concept, Synonym
from zoo.ontologies.readers.reading import Reading
from zoo.ontologies.tidy import LONGEST_NAME, tidy


def tidied(*concepts: Concept, prefix: str = "") -> tuple[dict[str, Concept], Reading]:
    reading = Reading()
    return {concept.id: concept for concept in tidy(concepts, reading, id_prefix=prefix)}, reading


def test_ids_are_spelt_as_gold_ids_are() -> None:
    found, _ = tidied(
        Concept("9606", "Homo sapiens", alternative_ids=("63221",), parents=("9605",)), prefix="NCBITaxon"
    )
    (concept,) = found.values()
    assert (concept.id, concept.alternative_ids, concept.parents) == (
        "NCBITaxon:9606",
        ("NCBITaxon:63221",),
        ("NCBITaxon:9605",),
    )


def test_concepts_of_one_id_are_merged_under_the_first_name() -> None:
    found, reading = tidied(
        Concept("X:1", "flu", (Synonym("grippe"),), definition="", types=("a",)),
        Concept("X:1", "influenza", (Synonym("Flu"),), ("X:9",), ("X:2",), ("b",), "A fever."),
        Concept("X:2", "infection"),
        Concept("X:2", "fracture"),
    )
    assert found["X:1"] == Concept(
        "X:1",
        "flu",
        (Synonym("grippe"), Synonym("Flu"), Synonym("influenza")),
        ("X:9",),
        ("X:2",),
        ("a", "b"),
        "A fever.",
    )
    assert found["X:2"].names == ("infection", "fracture")
    assert reading.repairs == {
        "ids given more than once, merged": 1,
        "ids with wholly different names, merged under the first name": 1,
    }
    assert reading.places["ids with wholly different names, merged under the first name"] == "X:2"


def test_names_are_tidied() -> None:
    found, reading = tidied(
        Concept(
            "X:1",
            " a \n name ",
            (
                Synonym("a name"),
                Synonym("b", "narrow"),
                Synonym("b"),
                Synonym("c" * LONGEST_NAME),
                Synonym("d" * 10_000),
            ),
        ),
        Concept("X:2", "\t"),
    )
    assert found["X:1"].name == "a name"
    assert found["X:1"].synonyms == (Synonym("b", "narrow"), Synonym("c" * LONGEST_NAME))
    assert "X:2" not in found
    assert reading.repairs == {
        "names of more than 1,000 characters left out": 1,
        "empty names left out": 1,
        "concepts without a name left out": 1,
    }


def test_an_alternative_id_that_is_a_concept_of_its_own_is_dropped() -> None:
    found, reading = tidied(Concept("X:1", "a", alternative_ids=("X:2", "X:3")), Concept("X:2", "b"))
    assert found["X:1"].alternative_ids == ("X:3",)
    assert reading.repairs == {"alternative ids that are concepts of their own dropped": 1}


def test_the_link_that_closes_a_cycle_is_dropped() -> None:
    found, reading = tidied(
        Concept("X:1", "a", parents=("X:2",)),
        Concept("X:2", "b", parents=("X:3", "X:9")),
        Concept("X:3", "c", parents=("X:1", "X:4")),
        Concept("X:4", "d", parents=("X:4",)),
    )
    assert {name: concept.parents for name, concept in found.items()} == {
        "X:1": ("X:2",),
        "X:2": ("X:3", "X:9"),
        "X:3": ("X:4",),
        "X:4": (),
    }
    assert reading.repairs == {"links to a parent that close a cycle dropped": 2}
    assert reading.places["links to a parent that close a cycle dropped"] == "X:3 -> X:1"


@given(st.integers(0, 2**32), st.integers(2, 12))
def test_no_way_up_ever_returns(seed: int, size: int) -> None:
    draw = random.Random(seed)
    ids = [f"X:{number}" for number in range(size)]
    concepts = [
        Concept(name, name, parents=tuple(draw.sample(ids, draw.randint(0, 3 if size > 3 else 1)))) for name in ids
    ]
    found, reading = tidied(*concepts)
    dropped = reading.repairs["links to a parent that close a cycle dropped"]
    assert sum(len(c.parents) for c in concepts) - sum(len(c.parents) for c in found.values()) == dropped
    height: dict[str, int] = {}

    def climb(name: str, way: tuple[str, ...]) -> int:
        assert name not in way
        if name not in height:
            height[name] = 1 + max((climb(parent, (*way, name)) for parent in found[name].parents), default=0)
        return height[name]

    for name in ids:
        climb(name, ())


def test_a_hierarchy_of_a_hundred_thousand_levels_does_not_exhaust_the_stack() -> None:
    chain = [Concept(f"X:{level}", str(level), parents=(f"X:{level + 1}",)) for level in range(100_000)]
    found, reading = tidied(*chain, Concept("X:100000", "top", parents=("X:0",)))
    assert found["X:100000"].parents == () and sum(reading.repairs.values()) == 1
