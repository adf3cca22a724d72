"""Which number format a machine computes fastest in."""

from __future__ import annotations

from typing import Literal


def use_bfloat16(wish: Literal["auto", "float32", "bfloat16"]) -> bool:
    """Decide whether to train in bfloat16 autocast.

    `auto` takes it where the hardware multiplies bfloat16 natively: CUDA devices that say so, x86 with AMX or
    AVX512-BF16.
    """
    import torch

    if wish != "auto":
        return wish == "bfloat16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return any(
        bool(getattr(torch.cpu, name, lambda: False)())
        for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    )
