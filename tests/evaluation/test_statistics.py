"""Intervals, paired tests and tie groups against exhaustive or naive computations."""

from __future__ import annotations

import itertools
import random
import statistics as plain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import ZooError
from zoo.evaluation import statistics
from zoo.evaluation.spans import Counts, total
from zoo.evaluation.statistics import bootstrap_interval, holm, mean_and_spread, paired_test, tie_groups


def corpus(seed: int, documents: int = 200, skill: float = 0.8, mentions: int = 4) -> list[Counts]:
    """Counts of a model that finds each of `mentions` with probability `skill`; the gold is the same for every seed."""
    rng = random.Random(seed)
    counts = []
    for _ in range(documents):
        tp = sum(rng.random() < skill for _ in range(mentions))
        counts.append(Counts(tp, sum(rng.random() < 1 - skill for _ in range(mentions)), mentions - tp))
    return counts


def exact_p_value(a: list[Counts], b: list[Counts]) -> float:
    """All 2^n ways to swap documents between two models."""
    observed = abs(total(a).f1 - total(b).f1)
    reached = 0
    for swaps in itertools.product((False, True), repeat=len(a)):
        first = total(y if swap else x for x, y, swap in zip(a, b, swaps, strict=True))
        second = total(x if swap else y for x, y, swap in zip(a, b, swaps, strict=True))
        reached += abs(first.f1 - second.f1) >= observed - 1e-12
    return reached / 2 ** len(a)


@pytest.mark.parametrize("seed", range(4))
def test_paired_test_agrees_with_all_possible_swaps(seed: int) -> None:
    a, b = corpus(seed, documents=9, skill=0.8), corpus(seed + 100, documents=9, skill=0.5)
    assert paired_test(a, b, samples=20_000) == pytest.approx(exact_p_value(a, b), abs=0.015)


def test_paired_test_has_its_exact_extremes() -> None:
    perfect, blind = [Counts(3, 0, 0)] * 40, [Counts(0, 1, 3)] * 40
    assert paired_test(perfect, blind, samples=99) == 1 / 100  # no resample reaches it: (0 + 1) / (99 + 1)
    assert paired_test(perfect, perfect, samples=99) == 1.0
    assert paired_test([], [], samples=9) == 1.0


@given(st.integers(0, 10_000), st.floats(0.3, 1.0))
@settings(max_examples=25, deadline=None)
def test_paired_test_is_symmetric_and_repeatable(seed: int, skill: float) -> None:
    a, b = corpus(seed, 30), corpus(seed + 1, 30, skill)
    p = paired_test(a, b, samples=500, seed=seed)
    assert 1 / 501 <= p <= 1
    assert paired_test(b, a, samples=500, seed=seed) == p == paired_test(a, b, samples=500, seed=seed)


def test_paired_test_does_not_depend_on_how_resamples_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = corpus(1, 300), corpus(2, 300, 0.78)
    whole = paired_test(a, b, samples=4000)
    monkeypatch.setattr(statistics, "_CHUNK_CELLS", 50_000)
    assert paired_test(a, b, samples=4000) == pytest.approx(whole, abs=0.05)


def test_paired_test_holds_its_level() -> None:
    """Of 200 pairs of equal models about 5% may be called different at 5%."""
    called = sum(paired_test(corpus(s, 60), corpus(s + 5000, 60), samples=300) <= 0.05 for s in range(200))
    assert called <= 20  # P(more than 20 of 200 at 5%) is below 0.2%


def test_paired_test_refuses_other_documents() -> None:
    with pytest.raises(ZooError, match="different documents"):
        paired_test([Counts(1, 0, 0)], [])
    with pytest.raises(ZooError, match="different documents"):
        paired_test([Counts(1, 0, 0)], [Counts(1, 0, 1)])


def test_bootstrap_draws_documents_alike_whether_counts_repeat_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    counts = [Counts(*map(int, row)) for row in rng.integers(0, 30, (400, 3))]
    by_count = bootstrap_interval(counts, samples=4000)
    monkeypatch.setattr(statistics, "_FEW_DISTINCT", 0)
    by_document = bootstrap_interval(counts, samples=4000)
    assert by_document == pytest.approx(by_count, abs=0.003)
    assert bootstrap_interval(counts, samples=4000) == by_document
    assert by_document[0] < total(counts).f1 < by_document[1]


def test_bootstrap_agrees_with_a_naive_one() -> None:
    counts = corpus(5, 80)
    rng = random.Random(0)
    scores = sorted(total(rng.choices(counts, k=len(counts))).f1 for _ in range(3000))
    low, high = bootstrap_interval(counts, samples=3000)
    assert (low, high) == pytest.approx((scores[75], scores[2924]), abs=0.01)
    assert bootstrap_interval([]) == (0.0, 0.0)


def test_holm_on_a_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_tie_groups_share_a_place_and_the_next_group_counts_on() -> None:
    best, worst = corpus(1, 300, 0.9), corpus(2, 300, 0.5)
    twin = corpus(3, 300, 0.9)
    ranks = tie_groups({"worst": worst, "best": best, "twin": twin, "copy": best}, samples=2000)
    assert ranks == {"best": 1, "copy": 1, "twin": 1, "worst": 4}
    assert tie_groups({}) == {}
    assert tie_groups({"alone": best}) == {"alone": 1}


@given(st.lists(st.floats(0.5, 0.95), min_size=2, max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_tie_groups_never_contradict_f1_and_ignore_the_order_of_models(
    skills: list[float], shuffle: random.Random
) -> None:
    models = {f"m{i}": corpus(i, 60, skill) for i, skill in enumerate(skills)}
    ranks = tie_groups(models, samples=300)
    order = sorted(models, key=lambda name: (-total(models[name]).f1, name))
    assert [ranks[name] for name in order] == sorted(ranks.values())
    leaders = [name for place, name in enumerate(order, start=1) if ranks[name] == place]
    assert set(ranks.values()) == {ranks[name] for name in leaders}
    for upper, lower in itertools.pairwise(leaders):  # neighbouring groups are apart
        assert paired_test(models[upper], models[lower], samples=300) <= 0.05
    items = list(models.items())
    shuffle.shuffle(items)
    assert tie_groups(dict(items), samples=300) == ranks


def test_mean_and_spread() -> None:
    values = [0.80, 0.82, 0.87]
    spread = mean_and_spread(values)
    assert (spread.mean, spread.std) == pytest.approx((0.83, plain.stdev(values)))
    assert (spread.minimum, spread.maximum, spread.n) == (0.80, 0.87, 3)
    assert mean_and_spread([0.5]).std is None
    with pytest.raises(ValueError, match="at least one"):
        mean_and_spread([])
