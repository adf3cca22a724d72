"""Names as vectors: the base with the linker's LoRA adapter, mean over the tokens, length 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

    from zoo.tagging.models import Base

LONGEST_TOKENS = 25
"""Tokens of a name, special tokens included, as in SapBERT (Liu et al. 2021, arXiv 2010.11784)."""
_BATCH = 128


class NameEncoder:
    """Turns names into vectors; many threads may use it at once.

    Args:
        base: The base in memory.
        adapter: Folder of the linker's adapter; None: the base as it is.
    """

    def __init__(self, base: Base, adapter: Path | None) -> None:
        self._base, self._adapter = base, None if adapter is None else str(adapter)

    def encode(self, names: Sequence[str], progress: Callable[[int], None] | None = None) -> npt.NDArray[np.float32]:
        """Vectors of length 1, one row a name.

        Args:
            names: Names; case does not count where the tokenizer is uncased.
            progress: Called with the number of names done after each batch.
        """
        import torch

        order = sorted(range(len(names)), key=lambda place: len(names[place]))
        rows: list[npt.NDArray[np.float32]] = []
        for at in range(0, len(order), _BATCH):
            batch = [names[place] for place in order[at : at + _BATCH]]
            with self._base.tokenizing:
                tokens = tokenize(self._base.tokenizer, batch)
            with self._base.using(self._adapter) as (model, _), torch.inference_mode():
                rows.append(embed(model, tokens).cpu().numpy())
            if progress:
                progress(len(batch))
        if not rows:
            return np.zeros((0, int(self._base.model.config.hidden_size)), np.float32)
        vectors = np.empty((len(names), rows[0].shape[1]), np.float32)
        vectors[order] = np.concatenate(rows)
        return vectors


def tokenize(tokenizer: Any, names: Sequence[str]) -> dict[str, torch.Tensor]:  # noqa: ANN401 - of transformers
    """Names as a padded batch of at most `LONGEST_TOKENS` tokens each."""
    batch = tokenizer(list(names), padding=True, truncation=True, max_length=LONGEST_TOKENS, return_tensors="pt")
    return {name: batch[name] for name in ("input_ids", "attention_mask")}


def embed(model: Any, tokens: dict[str, torch.Tensor]) -> torch.Tensor:  # noqa: ANN401 - with or without PEFT
    """Vectors of a batch: the mean of its last hidden states, made length 1."""
    import torch

    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    inputs = {name: tensor.to(whole.device) for name, tensor in tokens.items()}
    states = whole.base_model(**inputs).last_hidden_state
    mask = inputs["attention_mask"].unsqueeze(-1).to(states.dtype)
    return torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)
