"""Order of training batches: groups of windows of like length, put together in an order that the seed alone decides."""

from __future__ import annotations

import random
from collections.abc import Sequence

_POOL_BATCHES = 50
"""Windows are sorted by length within pools of this many batches: little padding, yet other groups in every epoch."""


def epoch_batches(
    lengths: Sequence[int],
    batch_size: int,
    rng: random.Random,
    *,
    weights: Sequence[float] | None = None,
    group_size: int | None = None,
) -> list[list[list[int]]]:
    """Indices of the batches of one epoch, each as groups of windows of like length.

    Args:
        lengths: Tokens of each window.
        batch_size: Documents in a batch.
        rng: Source of the order.
        weights: Documents that each window stands for; None: one each.
        group_size: Documents in a group; None: all windows of a batch are of like length.
    """
    weights = weights or [1.0] * len(lengths)
    order = list(range(len(lengths)))
    rng.shuffle(order)
    found: list[list[int]] = []
    for pool in _filled(order, weights, batch_size * _POOL_BATCHES):
        pool.sort(key=lambda index: lengths[index])
        found += _filled(pool, weights, min(group_size or batch_size, batch_size))
    rng.shuffle(found)
    if group_size is None:
        return [[group] for group in found]
    sizes = [sum(weights[index] for index in group) for group in found]
    return [[found[i] for i in batch] for batch in _filled(range(len(found)), sizes, batch_size)]


def _filled(order: Sequence[int], weights: Sequence[float], size: float) -> list[list[int]]:
    """Cut an order into groups that are closed as soon as their weights reach `size`."""
    groups: list[list[int]] = []
    weight = size
    for index in order:
        if weight >= size:
            groups.append([])
            weight = 0.0
        groups[-1].append(index)
        weight += weights[index]
    return groups
