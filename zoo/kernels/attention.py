"""Attention within each window of a table of tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from zoo.kernels.dropout import dropout_mask
from zoo.kernels.table import Layout

Saved = tuple[torch.Tensor, torch.Tensor, torch.Tensor | None, torch.Tensor]
"""Of a group: query, key and value, attention before dropout, the factors of dropout, attention after it."""


def attend(joined: torch.Tensor, layout: Layout, heads: int, scale: float) -> torch.Tensor:
    """Attention [N, H] from query, key and value [N, 3 H] of an aligned table; no gradient, no dropout."""
    width = joined.shape[1] // 3
    found = joined.new_zeros(len(joined), width)
    start = 0
    for group in layout.groups:
        stop = start + group.windows * group.length
        parts = joined[start:stop].view(group.windows, group.length, 3, heads, width // heads)
        query, key, value = parts.transpose(1, 3).unbind(2)
        mask = None if group.mask is None else group.mask.to(joined.dtype)
        mixed = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale)
        found[start:stop] = mixed.transpose(1, 2).reshape(-1, width)
        start = stop
    return found


def attend_forward(
    joined: torch.Tensor, layout: Layout, heads: int, dropout: float
) -> tuple[torch.Tensor, list[Saved]]:
    """Attention [N, H] from query (scaled), key and value [N, 3 H], and what its gradient needs."""
    rows = joined if layout.padded is None else joined.index_select(0, layout.padded)
    found = rows.new_empty(len(rows) + 1, rows.shape[1] // 3)
    saved = []
    parts, places = rows.split_with_sizes(layout.sizes), found[:-1].split_with_sizes(layout.sizes)
    for group, own, place in zip(layout.groups, parts, places, strict=True):
        windows, length = group.windows, group.length
        three = own.view(windows, length, 3, heads, -1).permute(2, 0, 3, 1, 4)
        three = three.reshape(3, windows * heads, length, -1)
        query, key, value = three.unbind()
        scores = query @ key.transpose(1, 2)
        if group.mask is not None:
            scores.view(windows, heads, length, length).add_(group.mask)
        odds = scores.softmax(-1)
        mask = dropout_mask(odds, dropout) if dropout else None
        used = odds if mask is None else odds * mask
        mixed = (used @ value).view(windows, heads, length, -1).transpose(1, 2)
        place.view(mixed.shape).copy_(mixed)
        saved.append((three, odds, mask, used))
    return _in_places(found, layout), saved


def attend_backward(of_mixed: torch.Tensor, saved: Sequence[Saved], layout: Layout, heads: int) -> torch.Tensor:
    """Gradient of query, key and value [N, 3 H], from that of the attention [N, H]."""
    rows = of_mixed if layout.padded is None else of_mixed.index_select(0, layout.padded)
    found = rows.new_empty(len(rows) + 1, 3 * rows.shape[1])
    parts = zip(
        layout.groups,
        saved,
        rows.split_with_sizes(layout.sizes),
        found[:-1].split_with_sizes(layout.sizes),
        strict=True,
    )
    for group, (three, odds, mask, used), own, place in parts:
        windows, length = group.windows, group.length
        query, key, value = three.unbind()
        gradient = own.view(windows, length, heads, -1).transpose(1, 2).reshape(windows * heads, length, -1)
        of_odds = gradient @ value.transpose(1, 2)
        if mask is not None:
            of_odds.mul_(mask)
        of_scores = torch.ops.aten._softmax_backward_data(of_odds, odds, -1, odds.dtype)
        of_three = torch.empty_like(three)
        torch.bmm(of_scores, key, out=of_three[0])
        torch.bmm(of_scores.transpose(1, 2), query, out=of_three[1])
        torch.bmm(used.transpose(1, 2), gradient, out=of_three[2])
        of_three = of_three.view(3, windows, heads, length, -1).permute(1, 3, 0, 2, 4)
        place.view(of_three.shape).copy_(of_three)
    return _in_places(found, layout)


def _in_places(found: torch.Tensor, layout: Layout) -> torch.Tensor:
    """Rows of padded windows in their places; 0 where no token is, for which `found` has one row more than they."""
    if layout.places is None:
        return found[:-1]
    found[-1] = 0
    return found.index_select(0, layout.places)
