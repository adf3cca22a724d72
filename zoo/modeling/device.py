"""Where models are computed, and in which number format."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel

Precision = Literal["auto", "float32", "bfloat16", "int8"]
"""bfloat16: autocast; int8: linear layers in integers, the rest in float32; auto: the entities of float32, by bfloat16
where that is much faster and certain to give them."""


def best_device() -> torch.device:
    """The current CUDA device where there is one, else the CPU."""
    import torch

    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


def has_bfloat16() -> bool:
    """Whether oneDNN computes in bfloat16 on this processor at all."""
    import torch

    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def has_fast_bfloat16() -> bool:
    """Whether bfloat16 products are so much faster that it pays to compute uncertain windows twice: x86 with AMX."""
    import torch

    return bool(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())


def use_bfloat16(wish: Literal["auto", "float32", "bfloat16"]) -> bool:
    """Whether to train in bfloat16 autocast.

    `auto` takes it where the hardware multiplies bfloat16 natively: CUDA devices that say so, x86 with AMX or
    AVX512-BF16.
    """
    import torch

    if wish != "auto":
        return wish == "bfloat16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    avx512 = bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
    return avx512 or has_fast_bfloat16()


@contextmanager
def plain_attention(model: PreTrainedModel | PeftModel) -> Iterator[None]:
    """Attention by plain matrix products on CPUs, until the block is left; elsewhere as it is.

    On CPUs the fused kernel's backward pass takes 5 to 8 times its forward pass, and PyTorch's own fallback looks for
    rows without any token at each step: plain products take half to a third of its time (bfloat16, 24 to 320 tokens),
    and forward alone two thirds of the fused kernel's. In float32, forward alone, the fused kernel is the faster one
    on abstracts. They need memory for the square of the length.
    """
    own = model.config._attn_implementation
    plain = model.device.type == "cpu" and own == "sdpa"
    if plain:
        model.set_attn_implementation("eager")
    try:
        yield
    finally:
        if plain:
            model.set_attn_implementation(own)
