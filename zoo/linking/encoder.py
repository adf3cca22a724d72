"""Names as vectors: the base with the linker's LoRA adapter, mean over the tokens, length 1."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zoo.modeling.batches import first_position, pad

if TYPE_CHECKING:
    import torch

    from zoo.tagging.models import Base

LONGEST_TOKENS = 25
"""Tokens of a name, special tokens included, as in SapBERT (Liu et al. 2021, arXiv 2010.11784)."""
_BATCH = 1024
_PASS_TOKENS = 2048
"""Tokens of one forward pass, padding included."""
_MANY = 1024
"""From so many names on, our kernels are worth arranging the weights for."""


class NameEncoder:
    """Turns names into vectors; many threads may use it at once.

    Args:
        base: The base in memory.
        adapter: Folder of the linker's adapter; None: the base as it is.
    """

    def __init__(self, base: Base, adapter: Path | None) -> None:
        self._base, self._adapter = base, None if adapter is None else str(adapter)

    def encode(self, names: Sequence[str]) -> npt.NDArray[np.float32]:
        """Vectors of length 1, one row a name.

        Args:
            names: Names; case does not count where the tokenizer is uncased.
        """
        import torch

        from zoo.kernels.train import training_kernels

        order = sorted(range(len(names)), key=lambda place: len(names[place]))
        vectors = np.zeros((len(names), int(self._base.model.config.hidden_size)), np.float32)
        with self._base.using(self._adapter) as (model, _), torch.inference_mode():
            many = len(names) >= _MANY and model.device.type == "cpu"
            with training_kernels(model, bfloat16=False) if many else nullcontext(False) as packs:
                for at in range(0, len(order), _BATCH):
                    places = order[at : at + _BATCH]
                    batch = [names[place] for place in places]
                    with self._base.tokenizing:
                        vectors[places] = embed(model, self._base.tokenizer, batch, packs=packs).cpu().numpy()
        return vectors


def embed(model: Any, tokenizer: Any, names: Sequence[str], *, packs: bool) -> torch.Tensor:  # noqa: ANN401
    """Vectors of names, one row each: the mean of the last hidden states, made length 1.

    Args:
        model: The base, with or without PEFT.
        tokenizer: Its tokenizer.
        names: Names.
        packs: Whether all layers take tables of tokens (`training_kernels`).
    """
    import torch

    from zoo.kernels.table import table

    ids = tokenizer(list(names), truncation=True, max_length=LONGEST_TOKENS)["input_ids"]
    order = sorted(range(len(ids)), key=lambda place: -len(ids[place]))
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    device, pad_id = whole.device, int(tokenizer.pad_token_id or 0)
    rows = []
    for part in _passes([ids[place] for place in order]):
        lengths = torch.tensor([len(each) for each in part], device=device)
        if packs:
            inputs = table(part, pad_id=pad_id, first_position=first_position(whole))
            states = whole.base_model(**inputs).last_hidden_state[0]
            owner = torch.repeat_interleave(torch.arange(len(part)), lengths)
            sums = torch.zeros(len(part), states.shape[-1]).index_add(0, owner, states[: len(owner)])
        else:
            tokens = pad(part, pad_id).to(device)
            mask = (torch.arange(tokens.shape[1], device=device) < lengths[:, None]).long()
            states = whole.base_model(input_ids=tokens, attention_mask=mask).last_hidden_state
            sums = (states * mask.unsqueeze(-1)).sum(1)
        rows.append(torch.nn.functional.normalize(sums / lengths.unsqueeze(-1), dim=-1))
    places = torch.empty(len(order), dtype=torch.long, device=device)
    places[torch.tensor(order, device=device)] = torch.arange(len(order), device=device)
    return torch.cat(rows)[places]


def _passes(sequences: Sequence[list[int]]) -> list[Sequence[list[int]]]:
    """Sequences, the longest first, in passes of about `_PASS_TOKENS` tokens."""
    passes, start = [], 0
    while start < len(sequences):
        stop = start + max(1, _PASS_TOKENS // max(len(sequences[start]), 1))
        passes.append(sequences[start:stop])
        start = stop
    return passes
