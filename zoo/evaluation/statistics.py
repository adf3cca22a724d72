"""How sure a score is: bootstrap intervals over documents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from zoo.evaluation.spans import Counts


def bootstrap_interval(
    counts: Sequence[Counts], *, samples: int = 10_000, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Percentile interval of micro-F1 under resampling of documents (Efron and Tibshirani 1993, chapter 13).

    Documents with the same counts are interchangeable, so a resample is one multinomial draw over the distinct counts.

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
    table, repeats = np.unique(np.array([(c.tp, c.fp, c.fn) for c in counts]), axis=0, return_counts=True)
    draws = np.random.default_rng(seed).multinomial(len(counts), repeats / len(counts), size=samples)
    scores = f1(draws @ table)
    tail = (1 - level) / 2
    low, high = np.quantile(scores, [tail, 1 - tail])
    return (float(low), float(high))


def f1(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """F1 of rows of `(tp, fp, fn)`, shape [N, 3] -> [N]; 0 where all three are 0."""
    tp2 = 2.0 * counts[:, 0]
    whole = tp2 + counts[:, 1] + counts[:, 2]
    return np.divide(tp2, whole, out=np.zeros_like(tp2), where=whole > 0)
