"""Which documents to annotate next: those that models are unsure of, and that are unlike each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_BLOCK = 4096
_NOTHING = 1e-6
"""Scores below it are rounding: a copy of a chosen document, or one without a likely entity."""


def suggest(
    uncertainty: npt.NDArray[np.float64],
    embeddings: npt.NDArray[np.float32],
    count: int,
    *,
    annotated: npt.NDArray[np.float32] | None = None,
) -> list[tuple[int, float]]:
    """Choose documents one after another, each time the highest uncertainty times distance.

    The distance is that to the nearest document that is chosen or annotated already (1 - cosine of their embeddings):
    k-center's greedy choice, weighted.

    Args:
        uncertainty: Of each document (`Unsure.uncertainty`), shape [N].
        embeddings: Of length 1, shape [N, H].
        count: How many to choose.
        annotated: Embeddings of the annotated documents, shape [A, H].

    Returns:
        At most `count` documents by their index, with the score that each was chosen by, in the order of choice.
    """
    distance = np.ones(len(uncertainty))
    if annotated is not None:
        for start in range(0, len(annotated), _BLOCK):
            distance = np.minimum(distance, 1 - (embeddings @ annotated[start : start + _BLOCK].T).max(axis=1))
    chosen: list[tuple[int, float]] = []
    for _ in range(min(count, len(uncertainty))):
        scores = uncertainty * distance
        best = int(scores.argmax())
        if scores[best] < _NOTHING:
            break
        chosen.append((best, float(scores[best])))
        distance = np.minimum(distance, 1 - embeddings @ embeddings[best])
        distance[best] = 0.0
    return chosen
