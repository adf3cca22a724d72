"""Where the time of zoo's training goes, by PyTorch's profiler."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from zoo.kernels import attention, products, train

_REST = "the rest, Python included"
_KINDS = {
    "attention": ("bmm", "softmax", "softmax_backward_data"),
    "activations, norms, sums": (
        *("gelu", "gelu_backward", "add", "mul", "div", "native_layer_norm", "native_layer_norm_backward"),
        *("addcmul",),
    ),
    "copies and casts": ("copy", "to_copy", "clone", "contiguous", "index_select", "cat", "fill"),
    "dropout masks": ("dropout_mask", "random", "clamp", "sub"),
    "optimizer": ("fused_adamw", "Optimizer.step#AdamW.step", "linalg_vector_norm", "foreach_norm", "foreach_mul"),
}


@contextmanager
def profiler() -> Iterator[profile]:
    """A profiler, not yet started, that sees dropout masks too: NumPy draws them, which no operator shows."""
    modules: list[Any] = [attention, products, train]
    own = train.dropout_mask

    def drawn(like: torch.Tensor, share: float) -> torch.Tensor:
        with record_function("dropout_mask"):
            return own(like, share)

    for module in modules:
        module.dropout_mask = drawn
    try:
        yield profile(activities=[ProfilerActivity.CPU], record_shapes=True)
    finally:
        for module in modules:
            module.dropout_mask = own


def time_shares(profiled: profile, ranks: Collection[int], vocabulary: int = -1) -> dict[str, float]:
    """Share of each kind of work in the time of operators.

    Args:
        profiled: A profiler that has run.
        ranks: Ranks of adapters, and of those that are one product: what tells LoRA's matrices from others.
        vocabulary: Tokens that a language-modelling head tells apart; -1: there is none.
    """
    times: dict[str, float] = defaultdict(float)
    for event in profiled.key_averages(group_by_input_shape=True):
        shapes = [shape for shape in event.input_shapes if shape]
        name = event.key.removeprefix("aten::").strip("_")
        if any(vocabulary in shape for shape in shapes):
            kind = "language-modelling head"
        elif name == "mkldnn::_linear_pointwise":
            kind = "products with frozen weights"
        elif name in ("mm", "addmm"):
            inner = any(not {*ranks}.isdisjoint(shape) for shape in shapes)
            kind = "products with LoRA's matrices" if inner else "products with frozen weights"
        else:
            kind = next((kind for kind, names in _KINDS.items() if name in names), _REST)
        times[kind] += event.self_cpu_time_total
    return {kind: each / sum(times.values()) for kind, each in sorted(times.items(), key=lambda item: -item[1])}
