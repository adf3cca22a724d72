"""Order of training batches: windows of like length together, in an order that the seed alone decides."""

from __future__ import annotations

import random
from collections.abc import Sequence

_POOL_BATCHES = 50
"""Windows are sorted by length within pools of this many batches: little padding, yet other batches in every epoch."""


def epoch_batches(lengths: Sequence[int], batch_size: int, rng: random.Random) -> list[list[int]]:
    """Indices of the batches of one epoch.

    Args:
        lengths: Tokens of each window.
        batch_size: Windows in a batch.
        rng: Source of the order.
    """
    order = list(range(len(lengths)))
    rng.shuffle(order)
    pool = batch_size * _POOL_BATCHES
    batches: list[list[int]] = []
    for first in range(0, len(order), pool):
        members = sorted(order[first : first + pool], key=lambda index: lengths[index])
        batches += [members[i : i + batch_size] for i in range(0, len(members), batch_size)]
    rng.shuffle(batches)
    return batches
