"""Windows as padded batches, and the logits that a model gives for them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.modeling.classifier import classifier
from zoo.modeling.windows import Window

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_UNBOUNDED = 100_000
"""Tokenizers without a known limit report a `model_max_length` far above this."""


def longest_window(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Tokens that a tokenizer and a model's position embeddings allow, special tokens included."""
    positions: int = getattr(model.config, "max_position_embeddings", _UNBOUNDED)
    limit = min(tokenizer.model_max_length, positions - first_position(model))
    return limit if limit < _UNBOUNDED else 512


def first_position(model: PreTrainedModel | PeftModel) -> int:
    """Position id of the first token of a window: RoBERTa's positions start after the padding index."""
    config: Any = model.config
    return config.pad_token_id + 1 if config.model_type in ("roberta", "xlm-roberta") else 0


def token_batches(windows: Sequence[Window], batch_tokens: int) -> list[list[int]]:
    """Group window indices by length: a padded batch holds at most `batch_tokens` tokens, or a single window."""
    batches: list[list[int]] = []
    longest = 0
    for index in np.argsort([len(window) for window in windows], kind="stable").tolist():
        longest = max(longest, len(windows[index]))
        if not batches or longest * (len(batches[-1]) + 1) > batch_tokens:
            batches.append([])
            longest = len(windows[index])
        batches[-1].append(index)
    return batches


def pad(rows: Sequence[Sequence[int]], value: int, length: int | None = None) -> torch.Tensor:
    """Rows of different lengths as one int64 tensor [B, T]; T is that of the longest unless given."""
    import torch

    length = length or max(len(row) for row in rows)
    return torch.tensor([[*row, *[value] * (length - len(row))] for row in rows])


def forward_heads(
    model: Any,  # noqa: ANN401 - of transformers or PEFT
    heads: Sequence[tuple[str | None, slice]],
    windows: Sequence[Window],
    pad_id: int,
    *,
    bfloat16: bool = False,
) -> list[torch.Tensor]:
    """Logits of a padded batch by several heads on one encoder, which runs once; each of shape [B, T, labels].

    Args:
        model: The adapter of the first head is active.
        heads: PEFT's name of the adapter of each, or None, and its columns of the logits.
        windows: Windows of any texts.
        pad_id: Token id where there is no token.
        bfloat16: Compute in bfloat16.
    """
    from torch.nn.functional import linear

    given: list[torch.Tensor] = []
    first = heads[0][0]
    if all(adapter == first for adapter, _ in heads):
        logits = forward(model, windows, pad_id, bfloat16=bfloat16)
        return [logits[..., own] for _, own in heads]
    hook = classifier(model, first).register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    try:
        logits = forward(model, windows, pad_id, bfloat16=bfloat16)
    finally:
        hook.remove()
    with torch.autocast(logits.device.type, torch.bfloat16) if bfloat16 else nullcontext():
        layers = {adapter: classifier(model, adapter) for adapter, _ in heads}
        by_adapter = {name: linear(given[0], layer.weight, layer.bias) for name, layer in layers.items()}
    return [by_adapter[adapter][..., own] for adapter, own in heads]


def forward(model: torch.nn.Module, windows: Sequence[Window], pad_id: int, *, bfloat16: bool = False) -> torch.Tensor:
    """Logits of a padded batch, shape [B, T, labels]."""
    import torch

    device = next(model.parameters()).device
    ids = pad([window.input_ids for window in windows], pad_id).to(device)
    lengths = torch.tensor([len(window) for window in windows])
    mask = (torch.arange(ids.shape[1])[None, :] < lengths[:, None]).long().to(device)
    with torch.autocast(device.type, torch.bfloat16) if bfloat16 else nullcontext():
        logits: torch.Tensor = model(input_ids=ids, attention_mask=mask).logits
    return logits
