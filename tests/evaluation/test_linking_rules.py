"""What is right by BELB's rule and by BioSyn's, worked by hand."""

from __future__ import annotations

import pytest

from tests.evaluation.linking import ATAXIA, BREAST, DISEASES, FAMILIAL, HUMAN, OVARIAN, SPECIES, document, link, linked
from zoo.evaluation.judged_links import judge
from zoo.evaluation.linking_rules import Vocabulary, biosyn_ids, biosyn_place, count_parts, first_right, ranking
from zoo.ontologies.link import Link

COMPOSITE = "breast and ovarian cancer"


def places(text: str, cell: str, given: Link | None) -> tuple[int | None, int | None, bool]:
    """By BELB's rule, by BioSyn's, and whether BioSyn scores the mention."""
    one = document((text, cell))
    (judged,) = judge([one], [linked(one, given)], {"Disease": DISEASES})
    return judged.place, judged.biosyn_place, judged.in_biosyn


@pytest.mark.parametrize("cell", ["D001943|D010051", "D001943+D010051", "MESH:D010051|MESH:D001943"])
def test_belb_wants_any_id_of_a_composite_mention_and_biosyn_all(cell: str) -> None:
    """As BELB stores composites: a set of ids, whatever the sign between them."""
    assert places(COMPOSITE, cell, link(BREAST)) == (1, None, True)
    assert places(COMPOSITE, cell, link(OVARIAN)) == (1, None, True)
    assert places(COMPOSITE, cell, link(BREAST, OVARIAN)) == (1, 1, True)
    assert places(COMPOSITE, cell, link(BREAST, FAMILIAL)) == (1, None, True)
    assert places(COMPOSITE, cell, link(FAMILIAL, BREAST)) == (2, None, True), "one prediction a mention: the first"
    assert places(COMPOSITE, cell, link(FAMILIAL)) == (None, None, True)
    assert places(COMPOSITE, cell, link(BREAST, others=[OVARIAN])) == (1, None, True), "a candidate is no part"


def test_biosyn_takes_any_id_where_its_patterns_split_nothing() -> None:
    assert places("tumour syndrome of the breast", "D001943|D010051", link(OVARIAN)) == (1, 1, True)
    assert places("tumour syndrome of the breast", "D001943|D010051", link(FAMILIAL, others=[OVARIAN])) == (2, 2, True)


def test_biosyn_leaves_out_omim_beside_mesh_and_what_the_vocabulary_lacks() -> None:
    assert biosyn_ids(("OMIM:114480", "D001943")) == ["D001943"]
    assert biosyn_ids(("OMIM:114480+OMIM:208900",)) == ["OMIM:114480", "OMIM:208900"]
    assert places("breast cancer", "OMIM:114480|D001943", link(FAMILIAL)) == (1, None, True)
    assert places("breast cancer", "OMIM:114480|D001943", link(BREAST)) == (1, 1, True)
    assert places("breast cancer", "D999999", link(BREAST)) == (None, None, False)
    assert places(COMPOSITE, "D001943|D999999", link(BREAST)) == (1, None, False)
    assert places(COMPOSITE, "D001943|-1", link(BREAST))[2] is False
    assert places("breast cancer", "-1", link(BREAST)) == (None, None, False)


def test_ids_that_stand_for_one_concept_are_one() -> None:
    assert places("A-T", "OMIM:208900", link(ATAXIA)) == (1, 1, True)
    assert places("A-T", "D001260", link("OMIM:208900")) == (1, 1, True)
    assert places("A-T", "D001260+OMIM:208900", link(ATAXIA)) == (1, 1, True)


def test_ids_without_a_prefix_get_that_of_the_vocabulary() -> None:
    assert SPECIES.resolve(["9606"]) == SPECIES.resolve([HUMAN]) == (HUMAN,)
    assert SPECIES.resolve(["10090"]) == ("10090",), "one that is not there stays as it is"
    assert not SPECIES.knows("10090") and not DISEASES.knows("9606") and not DISEASES.knows("-1")


def test_a_concept_is_looked_up_once() -> None:
    asked: list[str] = []
    vocabulary = Vocabulary("x", "1", "f", lambda name: asked.append(name))
    assert vocabulary.resolve(["1", "1"]) == vocabulary.resolve(["1"]) == ("1",)
    assert asked == ["1"]


def test_a_ranking_has_links_first_and_each_id_once() -> None:
    given = link(BREAST, OVARIAN, others=[BREAST, "OMIM:208900", ATAXIA])
    assert ranking(given, DISEASES) == (BREAST, OVARIAN, ATAXIA)
    assert ranking(link(others=[FAMILIAL]), DISEASES) == (FAMILIAL,), "an abstention is scored by its candidates"
    assert ranking(None, DISEASES) == ()
    assert first_right({ATAXIA}, (BREAST, OVARIAN, ATAXIA)) == 3
    assert first_right(set(), (BREAST,)) is None


@pytest.mark.parametrize(
    ("text", "ids", "parts"),
    [
        (COMPOSITE, 2, 2),
        ("colorectal, endometrial, and ovarian cancers", 3, 3),
        ("cancer of the breast and ovary", 2, 2),
        ("head and neck and lung cancer", 2, 2),
        ("Emery-Dreifuss and limb girdle and Duchenne muscular dystrophy", 3, 1),
        ("BRCA1/2 abnormalities", 2, 2),
        ("breast and/or ovarian cancer", 2, 2),
        ("adenomas, carcinomas", 2, 2),
        ("hereditary breast cancer", 2, 1),
        ("DMD", 2, 1),
        ("a " * 5000, 2, 1),
    ],
)
def test_parts_are_those_of_biosyns_preprocessing(text: str, ids: int, parts: int) -> None:
    """Expected values by `composite_resolve` of BioSyn, whose result counts where it has as many parts as ids."""
    assert (count_parts(text, ids) == ids) == (parts == ids)


def test_a_split_mention_needs_a_link_for_each_part() -> None:
    gold = (BREAST, OVARIAN)
    assert biosyn_place(COMPOSITE, gold, [OVARIAN, BREAST], [OVARIAN, BREAST]) == 1
    assert biosyn_place(COMPOSITE, gold, [BREAST], [BREAST, OVARIAN]) is None
