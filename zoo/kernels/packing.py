"""Batches as tensors: padded, or as one table of tokens for encoders of which all layers are fused.

In a table only attention knows of windows, so that sentences of all lengths stand in a batch without padding: neither
do short ones wait for the longest, nor does a batch hold sentences of one length alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from zoo.modeling.batches import pad
from zoo.modeling.windows import IGNORED, Window

_TOGETHER = 320
"""Tokens that attention works on at a time: its cost goes with the square of the longest window's."""
_STEP = 4
"""They are padded to a multiple of so many tokens: oneDNN compiles a kernel for each shape that it meets."""
_ROWS = 64
"""Tables have a multiple of so many rows, for the same reason."""
Pairs = Sequence[tuple[Window, Sequence[int]]]
"""Windows, each with its label ids."""


@dataclass(frozen=True, slots=True)
class Group:
    """Windows that attention works on at a time.

    Attributes:
        windows: Number of windows.
        length: Tokens to which they are padded.
        mask: What is added to attention, -inf where there is no token, shape [windows, 1, 1 or length, length]; None:
            there is a token everywhere.
    """

    windows: int
    length: int
    mask: torch.Tensor | None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the windows of a table stand.

    Attributes:
        groups: All windows; padded, they follow one another as M rows.
        padded: Row of the table for each of the M, one without token where there is none, shape [M]; None: the table
            is [windows, length] as it is.
        places: Which of the M each row of the table is, M where it has no token, shape [N]; or None.
    """

    groups: tuple[Group, ...]
    padded: torch.Tensor | None = None
    places: torch.Tensor | None = None

    @property
    def sizes(self) -> list[int]:
        """Rows of each group among the M."""
        return [group.windows * group.length for group in self.groups]


@dataclass(frozen=True)
class Batch:
    """A batch.

    Attributes:
        inputs: What the model takes, B x T = N or 1 x N tokens.
        gold: Label ids, `IGNORED` where there is no token, shape [N].
    """

    inputs: dict[str, Any]
    gold: torch.Tensor

    @property
    def labelled(self) -> int:
        """Number of tokens with a label."""
        return int((self.gold != IGNORED).sum())

    def inputs_on(self, device: torch.device) -> dict[str, Any]:
        """The inputs, tensors moved to a device."""
        return {k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in self.inputs.items()}


def pad_batch(pairs: Pairs, *, pad_id: int, step: int, most: int) -> Batch:
    """Pad windows to the longest of all.

    Args:
        pairs: Windows with their label ids.
        pad_id: Token id where there is no token.
        step: The length is a multiple of it, where that is not more than `most`.
        most: Tokens that a window may have.
    """
    longest = max(len(window) for window, _ in pairs)
    length = max(longest, min(-(-longest // step) * step, most))
    inputs = {
        "input_ids": pad([window.input_ids for window, _ in pairs], pad_id, length),
        "attention_mask": pad([[1] * len(window) for window, _ in pairs], 0, length),
    }
    return Batch(inputs, pad([target for _, target in pairs], IGNORED, length).flatten())


def pack_batch(pairs: Pairs, *, pad_id: int, first_position: int = 0) -> Batch:
    """Lay windows one after another, for layers that take a `layout`.

    Args:
        pairs: Windows with their label ids.
        pad_id: Token id where there is no token.
        first_position: Position id of the first token of a window.
    """
    pairs = sorted(pairs, key=lambda pair: -len(pair[0]))
    inputs = table([window.input_ids for window, _ in pairs], pad_id=pad_id, first_position=first_position)
    gold = torch.full((inputs["input_ids"].numel(),), IGNORED)
    labels = [label for _, target in pairs for label in target]
    gold[: len(labels)] = torch.tensor(labels)
    return Batch(inputs, gold)


def table(sequences: Sequence[Sequence[int]], *, pad_id: int, first_position: int = 0) -> dict[str, Any]:
    """What a model takes for a table [1, N] of token sequences, which stand one after another.

    Args:
        sequences: Token ids, the longest first.
        pad_id: Token id where there is no token: in at least one row at the end.
        first_position: Position id of the first token of a sequence.
    """
    ids = [token for sequence in sequences for token in sequence]
    positions = [first_position + place for sequence in sequences for place in range(len(sequence))]
    rest = _ROWS - len(ids) % _ROWS
    groups, real, first = [], [], 0
    while first < len(sequences):
        length = -(-len(sequences[first]) // _STEP) * _STEP
        together = sequences[first : first + max(1, _TOGETHER // length)]
        lengths = torch.tensor([len(sequence) for sequence in together])
        inside = torch.arange(length) < lengths[:, None]
        mask = torch.zeros(inside.shape).masked_fill_(~inside, float("-inf"))[:, None, None]
        groups.append(Group(len(together), length, None if inside.all() else mask))
        real.append(inside.flatten())
        first += len(together)
    token = torch.cat(real)
    padded = torch.where(token, token.cumsum(0) - 1, len(ids))
    places = torch.cat([token.nonzero()[:, 0], torch.full((rest,), len(token))])
    tokens = torch.tensor([[*ids, *[pad_id] * rest]])
    return {
        "input_ids": tokens,
        "position_ids": torch.tensor([[*positions, *[first_position] * rest]]),
        "token_type_ids": torch.zeros_like(tokens),
        "layout": Layout(tuple(groups), padded, places),
    }
