"""How sure a score is: bootstrap intervals and paired tests over documents, tie groups, spread over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zoo.errors import ZooError
from zoo.evaluation.spans import Counts, total

_FEW_DISTINCT = 500
"""Up to here a multinomial draw over distinct counts is faster than drawing every document."""
_CHUNK_CELLS = 1 << 21
"""Cells (resamples x documents) drawn at once, so that memory stays at some ten MB."""
_ROUNDING = 1e-12
"""Two differences of F1 that are nearer than this are the same fraction."""


@dataclass(frozen=True)
class Spread:
    """Figures of several seeds: mean, standard deviation with n - 1 (None for a single value), extremes, n."""

    mean: float
    std: float | None
    minimum: float
    maximum: float
    n: int


def bootstrap_interval(
    counts: Sequence[Counts], *, samples: int = 10_000, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Percentile interval of micro-F1 under resampling of documents (Efron and Tibshirani 1993, chapter 13).

    Documents with the same counts are interchangeable, so where few counts are distinct a resample is one multinomial
    draw over them; else its documents are drawn one by one.

    Args:
        counts: Counts of each document.
        samples: Number of resamples.
        seed: Seed of the resampling.
        level: Coverage.

    Returns:
        Lower and upper bound of F1, as fractions.
    """
    if not counts:
        return (0.0, 0.0)
    rng = np.random.default_rng(seed)
    table, repeats = np.unique(_table(counts), axis=0, return_counts=True)
    if len(table) <= _FEW_DISTINCT:
        scores = f1(rng.multinomial(len(counts), repeats / len(counts), size=samples) @ table)
    else:
        scores = _draw_documents(_table(counts), samples, rng)
    tail = (1 - level) / 2
    low, high = np.quantile(scores, [tail, 1 - tail])
    return (float(low), float(high))


def paired_test(
    counts_a: Sequence[Counts], counts_b: Sequence[Counts], *, samples: int = 10_000, seed: int = 0
) -> float:
    """Two-sided p-value of the difference in micro-F1 between two models, by approximate randomisation.

    If the models do not differ, swapping their outputs on a document changes nothing: each resample swaps every
    document with probability 1/2, and r counts the resamples whose absolute difference in F1 is at least the observed
    one. The p-value is (r + 1) / (samples + 1) (Noreen 1989, Computer-Intensive Methods for Testing Hypotheses; for F1
    Yeh 2000, More accurate tests for the statistical significance of result differences, COLING). Exchanging the two
    models gives exactly the same p-value.

    Args:
        counts_a: Counts of the first model on each document.
        counts_b: Counts of the second model on the same documents, in the same order.
        samples: Number of resamples.
        seed: Seed of the swaps.

    Raises:
        ZooError: The two were not scored on the same documents.
    """
    if len(counts_a) != len(counts_b) or any(
        a.tp + a.fn != b.tp + b.fn for a, b in zip(counts_a, counts_b, strict=True)
    ):
        raise ZooError(
            "the two models were scored on different documents",
            fix="compare predictions on the same split of the same corpus, in the same order",
        )
    a, b = _f1_parts(_table(counts_a)), _f1_parts(_table(counts_b))
    observed = abs(_ratio(a.sum(0)[None]) - _ratio(b.sum(0)[None]))[0]
    differ = (a != b).any(axis=1)
    # The order within a pair carries no information: sorted pairs make the test symmetric to the last bit.
    first_smaller = (a[:, 0] < b[:, 0]) | ((a[:, 0] == b[:, 0]) & (a[:, 1] < b[:, 1]))
    low = np.where(first_smaller[:, None], a, b)
    high = np.where(first_smaller[:, None], b, a)
    step = (high - low)[differ].astype(np.float64)  # float64 holds these integers exactly, and multiplies fast
    low_total, high_total = low.sum(0), high.sum(0)
    rng = np.random.default_rng(seed)
    reached = 0
    for rows in _chunks(samples, len(step)):
        octets = rng.integers(0, 256, size=(rows, (len(step) + 7) // 8), dtype=np.uint8)
        swaps = np.unpackbits(octets, axis=1)[:, : len(step)].astype(np.float64)
        moved = swaps @ step
        difference = np.abs(_ratio(low_total + moved) - _ratio(high_total - moved))
        reached += int((difference >= observed - _ROUNDING).sum())
    return (reached + 1) / (samples + 1)


def tie_groups(
    models: Mapping[str, Sequence[Counts]], *, alpha: float = 0.05, samples: int = 10_000, seed: int = 0
) -> dict[str, int]:
    """Ranks in which models that cannot be told apart share a place.

    Models are put in order of micro-F1 (equal ones by name). The first leads the first group. A leader is compared by
    `paired_test` with every model below it, and the p-values of these comparisons are adjusted together (Holm 1979).
    The group reaches down to the first model whose adjusted p-value is at most `alpha`; that model leads the next
    group. So groups are runs of the order, no rank contradicts F1, every member is inseparable from its leader (two
    other members may differ), and the result depends on counts, names and seed alone.

    Holm, because a leader is the best of many: with a dozen comparisons at 5% each, one of equal models would often be
    called worse by luck. With it, the chance that a leader is set above any model that is its equal is at most `alpha`.

    Args:
        models: Name of each model -> its counts on each document; the same documents for all.
        alpha: Level of the test, 0.05 for 95%.
        samples: Resamples of each test.
        seed: Seed of each test.

    Returns:
        Name -> rank from 1, best first. Members of a group have the place of its leader (1, 1, 3: two share the first).

    Raises:
        ZooError: The models were not scored on the same documents.
    """
    order = sorted(models, key=lambda name: (-total(models[name]).f1, name))
    ranks: dict[str, int] = {}
    start = 0
    while start < len(order):
        leader, below = order[start], order[start + 1 :]
        adjusted = holm([paired_test(models[leader], models[name], samples=samples, seed=seed) for name in below])
        size = 1 + next((index for index, p in enumerate(adjusted) if p <= alpha), len(below))
        ranks.update(dict.fromkeys(order[start : start + size], start + 1))
        start += size
    return ranks


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values in input order (Holm 1979, A simple sequentially rejective multiple test procedure)."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def mean_and_spread(values: Sequence[float]) -> Spread:
    """Mean and spread of a figure over seeds.

    Raises:
        ValueError: There is no value.
    """
    if not values:
        raise ValueError("mean_and_spread needs at least one value")
    std = statistics.stdev(values) if len(values) > 1 else None
    return Spread(statistics.fmean(values), std, min(values), max(values), len(values))


def f1(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """F1 of rows of `(tp, fp, fn)`, shape [N, 3] -> [N]; 0 where all three are 0."""
    return _ratio(_f1_parts(counts))


def _table(counts: Sequence[Counts]) -> npt.NDArray[np.int64]:
    """Rows of `(tp, fp, fn)`, shape [documents, 3]."""
    return np.array([(c.tp, c.fp, c.fn) for c in counts], dtype=np.int64).reshape(-1, 3)


def _f1_parts(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Numerator `2 tp` and denominator `2 tp + fp + fn` of F1, which add up over documents; [N, 3] -> [N, 2]."""
    tp2 = 2 * counts[:, 0]
    return np.stack([tp2, tp2 + counts[:, 1] + counts[:, 2]], axis=1)


def _ratio(parts: npt.NDArray[np.int64] | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """F1 from its two parts, shape [N, 2] -> [N]; 0 where there is nothing."""
    top, whole = parts[:, 0].astype(np.float64), parts[:, 1].astype(np.float64)
    return np.divide(top, whole, out=np.zeros_like(top), where=whole > 0)


def _draw_documents(table: npt.NDArray[np.int64], samples: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """F1 of resamples whose documents are drawn one by one, shape [samples]."""
    parts = _f1_parts(table)
    packed = (parts[:, 0] << 32) | parts[:, 1]  # one look-up and one sum instead of two; both sums stay below 2^31
    sums = np.concatenate(
        [packed[rng.integers(0, len(table), size=(rows, len(table)))].sum(1) for rows in _chunks(samples, len(table))]
    )
    return _ratio(np.stack([sums >> 32, sums & 0xFFFFFFFF], axis=1))


def _chunks(samples: int, width: int) -> Iterator[int]:
    """Cut `samples` rows of `width` cells into pieces that fit the memory."""
    rows = max(1, _CHUNK_CELLS // max(1, width))
    for start in range(0, samples, rows):
        yield min(rows, samples - start)
