"""Training batches: their order, which the seed alone decides, and their tensors."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.modeling.batches import pad
from zoo.modeling.windows import IGNORED, Window

if TYPE_CHECKING:
    import torch

_POOL_BATCHES = 50
"""Windows are sorted by length within pools of this many batches: little padding, yet other batches in every epoch."""


_TABLE_TOKENS = 2048
"""Tensors of larger tables go back to the system at every operator, which takes longer than a second pass does."""
Targets = Sequence[Sequence[int]]
"""Of a window's tokens, per head: place of the label among the head's own, or `IGNORED`; shape [K, T]."""
Pairs = Sequence[tuple[Window, Targets]]
"""Windows, each with its targets."""


@dataclass(frozen=True)
class Batch:
    """A batch.

    Attributes:
        inputs: What the model takes, B x T = N or 1 x N tokens.
        gold: Targets, `IGNORED` where there is no token, shape [K, N].
    """

    inputs: dict[str, Any]
    gold: torch.Tensor

    @property
    def labelled(self) -> int:
        """Number of tokens with a label."""
        return int((self.gold[0] != IGNORED).sum())

    def inputs_on(self, device: torch.device) -> dict[str, Any]:
        """The inputs, tensors moved to a device."""
        return {k: v.to(device) if hasattr(v, "to") else v for k, v in self.inputs.items()}


def pad_batch(pairs: Pairs, *, pad_id: int, step: int, most: int) -> Batch:
    """Pad windows to the longest of all.

    Args:
        pairs: Windows with their targets.
        pad_id: Token id where there is no token.
        step: The length is a multiple of it, where that is not more than `most`.
        most: Tokens that a window may have.
    """
    import torch

    longest = max(len(window) for window, _ in pairs)
    length = max(longest, min(-(-longest // step) * step, most))
    inputs = {
        "input_ids": pad([window.input_ids for window, _ in pairs], pad_id, length),
        "attention_mask": pad([[1] * len(window) for window, _ in pairs], 0, length),
    }
    gold = [pad(targets, IGNORED, length).flatten() for targets in zip(*(each for _, each in pairs), strict=True)]
    return Batch(inputs, torch.stack(gold))


def pack_batch(pairs: Pairs, *, pad_id: int, first_position: int = 0) -> Batch:
    """Lay windows out as a table of tokens, for models of which all layers are fused.

    Args:
        pairs: Windows with their targets.
        pad_id: Token id where there is no token.
        first_position: Position id of the first token of a window.
    """
    import torch

    from zoo.kernels.table import table

    pairs = sorted(pairs, key=lambda pair: -len(pair[0]))
    inputs = table([window.input_ids for window, _ in pairs], pad_id=pad_id, first_position=first_position)
    targets = torch.cat([torch.tensor(each) for _, each in pairs], dim=1)
    gold = torch.full((len(targets), inputs["input_ids"].numel()), IGNORED)
    gold[:, : targets.shape[1]] = targets
    return Batch(inputs, gold)


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


def pass_starts(lengths: Sequence[int], size: int, *, packs: bool) -> list[int]:
    """First sequence of each forward pass of a batch.

    Args:
        lengths: Tokens of each sequence.
        size: Most sequences of a pass.
        packs: Whether passes are tables: these have at most `_TABLE_TOKENS`, or a single sequence.
    """
    starts, tokens = [0], 0
    for index, length in enumerate(lengths):
        if index - starts[-1] == size or (packs and index > starts[-1] and tokens + length > _TABLE_TOKENS):
            starts.append(index)
            tokens = 0
        tokens += length
    return starts


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
