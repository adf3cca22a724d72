"""Strict span scores, against seqeval where both apply."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from zoo.corpora.readers.conll import parse_tags, tags_to_spans
from zoo.evaluation.spans import (
    Counts,
    count,
    count_documents,
    count_documents_untyped,
    macro_f1,
    per_type,
    span_only_f1,
    total,
)

LENGTH = 8
TYPES = ("Gene", "Disease")


@st.composite
def iob2(draw: st.DrawFn) -> list[str]:
    """A valid IOB2 sequence."""
    tags: list[str] = []
    for _ in range(LENGTH):
        options = ["O", *(f"B-{name}" for name in TYPES)]
        if tags and tags[-1] != "O":
            options.append(f"I-{tags[-1][2:]}")
        tags.append(draw(st.sampled_from(options)))
    return tags


def spans(tags: list[str]) -> set[tuple[int, int, str]]:
    tokens = [(3 * i, 3 * i + 2) for i in range(LENGTH)]
    return {span.key for span in tags_to_spans(parse_tags(tags), tokens)}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(iob2(), iob2()), min_size=1, max_size=8))
def test_equals_seqeval_strict_iob2(pairs: list[tuple[list[str], list[str]]]) -> None:
    gold, predicted = [list(p) for p in zip(*pairs, strict=True)]
    ours = total(count_documents([spans(t) for t in gold], [spans(t) for t in predicted]))
    arguments = {"mode": "strict", "scheme": IOB2, "zero_division": 0}
    assert abs(ours.f1 - f1_score(gold, predicted, **arguments)) < 1e-12
    assert abs(ours.precision - precision_score(gold, predicted, **arguments)) < 1e-12
    assert abs(ours.recall - recall_score(gold, predicted, **arguments)) < 1e-12


def test_start_end_and_type_must_all_agree() -> None:
    gold = [(0, 4, "Gene"), (10, 14, "Gene"), (20, 24, "Gene"), (30, 34, "Gene")]
    predicted = [(0, 4, "Gene"), (10, 15, "Gene"), (20, 24, "Disease")]
    assert count(gold, predicted) == Counts(tp=1, fp=2, fn=3)
    assert count(gold, predicted).f1 == 2 / 7


def test_empty_is_zero_not_an_error() -> None:
    assert Counts().f1 == Counts().precision == Counts().recall == 0.0


@settings(deadline=None)
@given(st.lists(st.tuples(iob2(), iob2()), min_size=1, max_size=5))
def test_types_add_up(pairs: list[tuple[list[str], list[str]]]) -> None:
    gold, predicted = [spans(g) for g, _ in pairs], [spans(p) for _, p in pairs]
    assert total(per_type(gold, predicted).values()) == total(count_documents(gold, predicted))


GOLD = [[(0, 6, "Disease"), (10, 17, "Chemical")], [(0, 4, "Gene")], []]
PREDICTED = [[(0, 6, "Disease"), (10, 17, "Disease")], [(0, 5, "Gene")], [(3, 4, "Gene")]]


def test_span_only_ignores_the_type_and_merges_two_types_on_one_span() -> None:
    assert count_documents_untyped(GOLD, PREDICTED) == [Counts(2, 0, 0), Counts(0, 1, 1), Counts(0, 1, 0)]
    assert span_only_f1(GOLD, PREDICTED) == pytest.approx(4 / 7)
    twice = [(0, 6, "Disease"), (0, 6, "Cancer")]
    assert count_documents_untyped([twice], [[(0, 6, "Organ")]]) == [Counts(1, 0, 0)]


def test_macro_f1_is_the_plain_mean_over_types() -> None:
    by_type = per_type(GOLD, PREDICTED)
    assert {name: c.f1 for name, c in by_type.items()} == {
        "Chemical": 0.0,
        "Disease": pytest.approx(2 / 3),
        "Gene": 0.0,
    }
    assert macro_f1(by_type) == pytest.approx(2 / 9)
    assert macro_f1({}) == 0.0


def test_macro_f1_counts_a_type_that_is_only_predicted() -> None:
    by_type = per_type([[(0, 1, "A")]], [[(0, 1, "A"), (2, 3, "B")]])
    assert macro_f1(by_type) == pytest.approx(0.5)
