"""Abbreviations that a document defines."""

from __future__ import annotations

import pytest

from zoo.corpora.document import Key, text_of
from zoo.linking.abbreviations import expand, find_abbreviations, long_form


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Patients with diabetes mellitus (DM) and", {"DM": "diabetes mellitus"}),
        ("levels of testosterone (T) rose", {"T": "testosterone"}),
        ("PB (phenobarbital) was given", {"PB": "phenobarbital"}),
        ("adenomatous polyposis coli (APC; familial) gene", {"APC": "adenomatous polyposis coli"}),
        ("in vitro fertilisation [IVF]", {"IVF": "in vitro fertilisation"}),
        ("It rained. Wilson disease (WD)", {"WD": "Wilson disease"}),
        ("He slept well (see Table 2).", {}),
        ("unbalanced (brackets and ) more ) of (DM", {}),
        ("", {}),
    ],
)
def test_definitions(text: str, found: dict[str, str]) -> None:
    assert find_abbreviations(text) == found


def test_of_two_mentions_the_one_in_brackets_stands_for_the_other() -> None:
    text = "treated with cisplatin (CDDP) or aspirin (twice)"
    mentions: list[Key] = [(13, 22, "X"), (24, 28, "X"), (33, 40, "X")]
    assert [text_of(text, key) for key in mentions] == ["cisplatin", "CDDP", "aspirin"]
    assert find_abbreviations(text, mentions) == {"CDDP": "cisplatin"}
    assert find_abbreviations(text) == {}
    turned, mentions = "PB (oral phenobarbital) was given", [(0, 2, "X"), (4, 22, "X")]
    assert find_abbreviations(turned, mentions) == {"PB": "oral phenobarbital"}
    assert find_abbreviations(turned) == {}


def test_of_nested_mentions_each_may_have_a_short_form() -> None:
    text = "the human retinoid X receptor (RXR) binds"
    mentions: list[Key] = [(4, 29, "X"), (10, 29, "X"), (10, 20, "X"), (31, 34, "X")]
    assert find_abbreviations(text, mentions) == {"RXR": "human retinoid X receptor"}
    assert find_abbreviations(text, mentions[1:]) == {"RXR": "retinoid X receptor"}
    broken: list[Key] = [(4, 29, "X", ((4, 9), (21, 29))), (31, 34, "X")]
    assert find_abbreviations("the human " + "x" * 10 + text[20:], broken) == {}


def test_letters_must_come_in_order_from_the_start_of_a_word() -> None:
    assert long_form("HD", "patients with Huntington disease") == "Huntington disease"
    assert long_form("HD", "patients with disease of Huntington") is None
    assert long_form("D", "fond") is None


def test_short_forms_are_written_out_also_within_names() -> None:
    known = {"HPT": "hyperparathyroidism", "DM": "diabetes mellitus"}
    assert expand("primary HPT", known) == "primary hyperparathyroidism"
    assert expand("DMs", known) == "diabetes mellitus"
    assert expand("HPT-related tumors", known) == "hyperparathyroidism-related tumors"
    assert expand("DMD", known) == "DMD"
