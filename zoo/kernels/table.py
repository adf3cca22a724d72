"""Windows of all lengths as one table of tokens: only attention knows where each begins.

In training, tokens stand one after another: neither do short windows wait for the longest, nor does a batch hold
windows of one length alone. Tagging leaves room behind each window, so that attention takes its rows as they lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

_TOGETHER = 320
"""Tokens that attention works on at a time in training: its cost goes with the square of the longest window's."""
_STEP = 4
"""They are padded to a multiple of so many tokens: oneDNN compiles a kernel for each shape that it meets."""
_ALIGNED_STEP = 16
"""The same in tagging: attention to 368 tokens takes a third less time than to 366."""
_ROWS = 64
"""Tables have a multiple of so many rows, for the same reason."""


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
        padded: Row of the table for each of the M, one without token where there is none, shape [M]; None: the M are
            the first rows of the table.
        places: Which of the M each row of the table is, M where it has no token, shape [N]; or None.
    """

    groups: tuple[Group, ...]
    padded: torch.Tensor | None = None
    places: torch.Tensor | None = None

    @property
    def sizes(self) -> list[int]:
        """Rows of each group among the M."""
        return [group.windows * group.length for group in self.groups]

    @property
    def starts(self) -> list[int]:
        """First of the M rows of each window."""
        starts = [0]
        for group in self.groups:
            starts += [starts[-1] + (i + 1) * group.length for i in range(group.windows)]
        return starts[:-1]


def aligned_rows(tokens: int) -> int:
    """Rows that a window of so many tokens takes in an aligned table."""
    return tokens + -tokens % _ALIGNED_STEP


def table(
    sequences: Sequence[Sequence[int]], *, pad_id: int, first_position: int = 0, aligned: bool = False
) -> dict[str, Any]:
    """What a model takes for a table [1, N] of token sequences.

    Args:
        sequences: Token ids, in order of their length; the longest first unless aligned.
        pad_id: Token id where there is no token: unless aligned, in at least one row at the end.
        first_position: Position id of the first token of a sequence.
        aligned: Whether each takes `aligned_rows`; else tokens follow one another.
    """
    step = _ALIGNED_STEP if aligned else _STEP
    groups, real, first = [], [], 0
    while first < len(sequences):
        length = -(-len(sequences[first]) // step) * step
        stop = first + max(1, _TOGETHER // length)
        if aligned:
            alike = (i for i in range(first, len(sequences)) if aligned_rows(len(sequences[i])) != length)
            stop = next(alike, len(sequences))
        lengths = torch.tensor([len(sequence) for sequence in sequences[first:stop]])
        inside = torch.arange(length) < lengths[:, None]
        mask = torch.zeros(inside.shape).masked_fill_(~inside, float("-inf"))[:, None, None]
        groups.append(Group(len(inside), length, None if inside.all() else mask))
        real.append(inside.flatten())
        first = stop
    token = torch.cat(real)
    ids = torch.tensor([token_id for sequence in sequences for token_id in sequence])
    positions = torch.tensor([first_position + place for sequence in sequences for place in range(len(sequence))])
    if aligned:
        rows, layout = token.nonzero()[:, 0], Layout(tuple(groups))
        size = len(token) + -len(token) % _ROWS
    else:
        rows, size = torch.arange(len(ids)), len(ids) + _ROWS - len(ids) % _ROWS
        padded = torch.where(token, token.cumsum(0) - 1, len(ids))
        places = torch.cat([token.nonzero()[:, 0], torch.full((size - len(ids),), len(token))])
        layout = Layout(tuple(groups), padded, places)
    return {
        "input_ids": torch.full((size,), pad_id).index_copy_(0, rows, ids)[None],
        "position_ids": torch.full((size,), first_position).index_copy_(0, rows, positions)[None],
        "token_type_ids": torch.zeros((1, size), dtype=torch.int64),
        "layout": layout,
    }


def select(hidden: torch.Tensor, layout: Layout, kept: Sequence[bool]) -> tuple[torch.Tensor, Layout]:
    """Some of the windows of an aligned table [N, H], as an aligned table."""
    if all(kept):
        return hidden, layout
    chosen: list[Group] = []
    parts, start, number = [], 0, 0
    for group in layout.groups:
        inside = [i for i in range(group.windows) if kept[number + i]]
        number += group.windows
        if inside:
            parts += [hidden[start + i * group.length : start + (i + 1) * group.length] for i in inside]
            mask = None if group.mask is None else group.mask[inside]
            chosen.append(Group(len(inside), group.length, mask))
        start += group.windows * group.length
    rows = torch.cat(parts)
    return torch.nn.functional.pad(rows, (0, 0, 0, -len(rows) % _ROWS)), Layout(tuple(chosen))
