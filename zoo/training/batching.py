"""Order of training batches, which the seed alone decides: at random, or windows of like length together."""

from __future__ import annotations

import random
from collections.abc import Sequence

_POOL_BATCHES = 50
"""Windows are sorted by length within pools of this many batches: little padding, yet other batches in every epoch."""


def mixed_batches(weights: Sequence[float], batch_size: int, rng: random.Random) -> list[list[int]]:
    """Indices of the batches of one epoch, whatever the lengths.

    Args:
        weights: Documents that each window stands for.
        batch_size: Documents in a batch.
        rng: Source of the order.
    """
    order = list(range(len(weights)))
    rng.shuffle(order)
    return _filled(order, weights, batch_size)


def epoch_batches(
    lengths: Sequence[int], batch_size: int, rng: random.Random, *, weights: Sequence[float] | None = None
) -> list[list[int]]:
    """Indices of the batches of one epoch, windows of like length together.

    Args:
        lengths: Tokens of each window.
        batch_size: Documents in a batch.
        rng: Source of the order.
        weights: Documents that each window stands for; None: one each.
    """
    weights = weights or [1.0] * len(lengths)
    order = list(range(len(lengths)))
    rng.shuffle(order)
    pools: list[list[int]] = _filled(order, weights, batch_size * _POOL_BATCHES)
    batches = [
        batch
        for pool in pools
        for batch in _filled(sorted(pool, key=lambda index: lengths[index]), weights, batch_size)
    ]
    rng.shuffle(batches)
    return batches


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
