"""Batches as tensors: padded, or as one table of tokens for encoders of which all layers are fused.

In a table only attention knows of windows: sentences of all lengths can stand in it without padding. Batches of like
length alone would need no padding either, but cost F1: on NCBI-Disease, 3 epochs, half a point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from zoo.modeling.packed import Run
from zoo.modeling.windows import IGNORED, Window

_STEP = 4
"""Windows take a multiple of so many rows: oneDNN compiles a kernel for each shape that it meets."""
_ROWS = 64
"""Tables have a multiple of so many rows, for the same reason."""


Groups = Sequence[Sequence[tuple[Window, Sequence[int]]]]
"""Windows of like length, each with its label ids."""


@dataclass(frozen=True)
class Batch:
    """A batch.

    Attributes:
        inputs: What the model takes, B x T = N or 1 x N tokens.
        gold: Label ids, `IGNORED` where there is no token, shape [N].
    """

    inputs: dict[str, Any]
    gold: torch.Tensor

    def inputs_on(self, device: torch.device) -> dict[str, Any]:
        """The inputs, tensors moved to a device."""
        return {k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in self.inputs.items()}


def pad_batch(groups: Groups, *, pad_id: int, step: int, most: int) -> Batch:
    """Pad windows to the longest of all.

    Args:
        groups: Windows with their label ids.
        pad_id: Token id where there is no token.
        step: The length is a multiple of it, where that is not more than `most`.
        most: Tokens that a window may have.
    """
    pairs = [pair for group in groups for pair in group]
    longest = max(len(window) for window, _ in pairs)
    length = max(longest, min(-(-longest // step) * step, most))
    inputs = {
        "input_ids": _padded([window.input_ids for window, _ in pairs], length, pad_id),
        "attention_mask": _padded([[1] * len(window) for window, _ in pairs], length, 0),
    }
    return Batch(inputs, _padded([target for _, target in pairs], length, IGNORED).flatten())


def _padded(rows: Sequence[Sequence[int]], length: int, value: int) -> torch.Tensor:
    """Rows of different lengths as one int64 tensor [B, length]."""
    return torch.tensor([[*row, *[value] * (length - len(row))] for row in rows])


def first_position(model: Any) -> int:  # noqa: ANN401 - of transformers
    """Position id of the first token of a window."""
    return model.config.pad_token_id + 1 if model.config.model_type in ("roberta", "xlm-roberta") else 0


def pack_batch(groups: Groups, *, pad_id: int, first_position: int = 0) -> Batch:
    """Lay windows one after another, for layers that take `runs`.

    Args:
        groups: Windows with their label ids; those of a group are padded to its longest.
        pad_id: Token id where there is no token.
        first_position: Position id of the first token of a window.
    """
    ids: list[int] = []
    positions: list[int] = []
    gold: list[int] = []
    runs: list[Run] = []
    for group in groups:
        length = -(-max(len(window) for window, _ in group) // _STEP) * _STEP
        lengths = torch.tensor([len(window) for window, _ in group])
        beyond = torch.arange(length) >= lengths[:, None]
        mask = torch.zeros(beyond.shape).masked_fill_(beyond, float("-inf"))[:, None, None]
        runs.append(Run(len(ids), len(group), length, mask if bool(beyond.any()) else None))
        for window, target in group:
            rest = length - len(window)
            ids += [*window.input_ids, *[pad_id] * rest]
            # no position is beyond the window's own: it may be the last one that the model has
            positions += [*range(first_position, first_position + len(window)), *[first_position] * rest]
            gold += [*target, *[IGNORED] * rest]
    rest = -len(ids) % _ROWS
    tokens = torch.tensor([[*ids, *[pad_id] * rest]])
    inputs = {
        "input_ids": tokens,
        "position_ids": torch.tensor([[*positions, *[first_position] * rest]]),
        "token_type_ids": torch.zeros_like(tokens),
        "runs": runs,
    }
    return Batch(inputs, torch.tensor([*gold, *[IGNORED] * rest]))
