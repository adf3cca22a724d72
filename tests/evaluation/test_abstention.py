"""Thresholds and curves of abstaining, worked by hand and in general."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.evaluation.abstention import choose_threshold, curve, score_abstention, score_nil

ANSWERS = [(0.9, True), (0.8, True), (0.8, False), (0.6, True), (0.5, False)]


def test_a_curve_answers_equal_scores_together() -> None:
    assert [(p.threshold, p.answered_share, p.precision) for p in curve(ANSWERS)] == [
        (0.9, pytest.approx(1 / 5), 1),
        (0.8, pytest.approx(3 / 5), pytest.approx(2 / 3)),
        (0.6, pytest.approx(4 / 5), pytest.approx(3 / 4)),
        (0.5, 1, pytest.approx(3 / 5)),
    ]
    assert curve([]) == []


def test_the_threshold_is_the_lowest_that_is_right_often_enough() -> None:
    """At 0.7 it goes down to 0.6, although 0.8 on its way is not good enough."""
    assert choose_threshold(ANSWERS, 0.95) == 0.9
    assert choose_threshold(ANSWERS, 0.7) == 0.6
    assert choose_threshold(ANSWERS, 0.1) == 0.5
    assert choose_threshold([(0.9, False)], 0.95) is None
    assert choose_threshold([], 0.95) is None


def test_a_threshold_of_dev_is_applied_as_it_is() -> None:
    found = score_abstention(ANSWERS, 0.85)
    assert (found.answered_share, found.precision, found.target_precision) == (pytest.approx(1 / 5), 1, 0.95)
    none = score_abstention(ANSWERS, None)
    assert (none.threshold, none.answered_share, none.precision) == (None, 0, 0)
    assert len(none.curve) == 4 and score_abstention([], 0.5).curve == []


def test_mentions_without_a_concept() -> None:
    score = score_nil([True, True, False, False], [True, False, True, True])
    assert (score.gold_mentions, score.predicted_mentions) == (2, 3)
    assert (score.precision, score.recall) == (pytest.approx(1 / 3), 1 / 2)
    assert score_nil([False], [False]).precision == 0


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60), st.floats(0.01, 1))
def test_the_chosen_threshold_keeps_its_promise_where_it_was_chosen(
    answers: list[tuple[float, bool]], precision: float
) -> None:
    threshold = choose_threshold(answers, precision)
    if threshold is None:
        assert all(point.precision < precision for point in curve(answers))
    else:
        scored = score_abstention(answers, threshold, precision)
        assert scored.precision >= precision and scored.answered_share > 0
        lower = [point for point in curve(answers) if point.answered_share > scored.answered_share]
        assert all(point.precision < precision for point in lower)
    assert len(score_abstention(answers, threshold).curve) <= 20
