"""Masked language modelling: batches, their loss, perplexity on held-out text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.modeling.backbones import reading_weights
from zoo.modeling.batches import first_position, pad
from zoo.modeling.windows import IGNORED
from zoo.registry.recipes import DaptRecipe
from zoo.registry.schema import Family
from zoo.training.batching import Batch

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_HELDOUT_MASK_SEED = 20_000


def load_masked_language_model(folder: Path, family: Family) -> tuple[PreTrainedModel, bool]:
    """A backbone with its language-modelling head, and whether that head is new (random).

    Raises:
        ZooError: The weights are damaged, or a pickle with more than tensors.
    """
    import torch
    from transformers import AutoModelForMaskedLM

    with reading_weights(folder):
        model, info = AutoModelForMaskedLM.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True, weights_only=True
        )
    return model, any(key.startswith(f"{family.mlm_head}.") for key in info["missing_keys"])


def head_parameters(model: PreTrainedModel) -> list[torch.nn.Parameter]:
    """Parameters outside the encoder; a decoder tied to the embeddings belongs to the encoder."""
    encoder = {id(p) for p in model.base_model.parameters()}
    return [p for p in model.parameters() if id(p) not in encoder]


def encode_passages(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], length_tokens: int
) -> list[list[list[int]]]:
    """Token ids of each text, in sequences of at most `length_tokens`: longer texts are cut, nothing is left out."""
    if not texts:
        return []
    encoded = tokenizer(list(texts), truncation=True, max_length=length_tokens, return_overflowing_tokens=True)
    found: list[list[list[int]]] = [[] for _ in texts]
    for text, sequence in zip(encoded["overflow_to_sample_mapping"], encoded["input_ids"], strict=True):
        found[text].append(sequence)
    return found


def masked_batch(
    tokenizer: PreTrainedTokenizerBase,
    sequences: Sequence[list[int]],
    share: float,
    seed: int,
    *,
    table_for: PreTrainedModel | PeftModel | None = None,
) -> Batch:
    """Token sequences masked 80/10/10 (arXiv 1810.04805); labels are the ids of the tokens to be told.

    Args:
        tokenizer: Its mask token and vocabulary are taken.
        sequences: Token ids, special ones included, which are never masked.
        share: Share of the tokens to be told.
        seed: It decides which.
        table_for: Make a table for this model, the layers of which take one; None: pad to the longest.
    """
    import torch
    from transformers import DataCollatorForLanguageModeling

    from zoo.kernels.table import table

    collator = DataCollatorForLanguageModeling(tokenizer, mlm_probability=share)
    collator.generator = torch.Generator().manual_seed(seed)
    pad_id = int(tokenizer.pad_token_id or 0)
    if table_for is not None:
        inputs = table(
            sorted(sequences, key=len, reverse=True), pad_id=pad_id, first_position=first_position(table_for)
        )
    else:
        inputs = {"input_ids": pad(sequences, pad_id)}
        inputs["attention_mask"] = inputs["input_ids"].ne(pad_id).long()
    masked, labels = collator.torch_mask_tokens(inputs["input_ids"])
    return Batch({**inputs, "input_ids": masked}, labels.flatten()[None])


def masked_loss(model: torch.nn.Module, family: Family, batch: Batch, *, bfloat16: bool) -> torch.Tensor:
    """Cross-entropy of the masked tokens, summed."""
    import torch

    device = next(model.parameters()).device
    inputs, gold = batch.inputs_on(device), batch.gold[0].to(device)
    told = gold != IGNORED
    autocast = torch.autocast(device.type, torch.bfloat16) if bfloat16 else nullcontext()
    with autocast, _head_sees(model, family, told.view(inputs["input_ids"].shape)):
        logits = model(**inputs).logits
    # flattened: the gradient of `logits[0]` would be written into zeros of its size
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), gold[told], reduction="sum")


@contextmanager
def _head_sees(model: torch.nn.Module, family: Family, chosen: torch.Tensor) -> Iterator[None]:
    """Let the head compute logits of chosen positions alone, [1, chosen, V]: 15% of the work on a large vocabulary."""
    plain: Any = getattr(model, "get_base_model", lambda: model)()
    handle = plain.get_submodule(family.mlm_head).register_forward_pre_hook(
        lambda module, args: (args[0][chosen][None], *args[1:])
    )
    try:
        yield
    finally:
        handle.remove()


def perplexity(
    model: torch.nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    sequences: Sequence[list[int]],
    recipe: DaptRecipe,
    family: Family,
) -> tuple[float, int]:
    """Exponential of the mean negative log-likelihood of masked tokens, under masks that do not change from run to run.

    Returns:
        Perplexity, and the number of masked tokens.
    """
    import torch

    model.eval()
    order = sorted(range(len(sequences)), key=lambda index: len(sequences[index]))
    total, count = 0.0, 0
    with torch.inference_mode():
        for number, start in enumerate(range(0, len(order), recipe.micro_batch_size)):
            chosen = [sequences[i] for i in order[start : start + recipe.micro_batch_size]]
            batch = masked_batch(tokenizer, chosen, recipe.masked_share, _HELDOUT_MASK_SEED + number)
            total += float(masked_loss(model, family, batch, bfloat16=False))
            count += batch.labelled
    return math.exp(min(total / max(count, 1), 700.0)), count
