"""LoRA's linear layers with fewer kernels: PEFT's own spend more time on casts and small steps than on products.

PEFT computes `W x + s B A x` as seven operations that autograd each records, and under autocast turns the input of
every layer into float32 and back. Here each layer is one function with the gradient written out; the frozen weights
are turned into bfloat16 once and not in every step. Values are PEFT's up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from zoo.kernels.fast_dropout import dropout_mask
from zoo.kernels.fused_layers import fused_layer, fusible_layers
from zoo.modeling.lora import plain_lora_layers


class _LoraLinear(torch.autograd.Function):
    """`x W' + bias + s d(x) A' B'` for a frozen W and bias, d being dropout."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - of autograd
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        scale: float,
        dropout: float,
    ) -> torch.Tensor:
        rows = x.reshape(-1, x.shape[-1])
        y = rows @ weight.t() if bias is None else torch.addmm(bias, rows, weight.t())
        kept = dropout_mask(rows, dropout) if dropout else None
        rows = rows if kept is None else rows * kept
        a, b = a.to(x.dtype), (b.t() * scale).to(x.dtype).contiguous()  # few rows: see `fused_layers`
        inner = rows @ a.t()
        y.addmm_(inner, b)
        ctx.save_for_backward(rows, weight, a, b, inner, kept)
        ctx.scale, ctx.shape = scale, x.shape
        return y.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # noqa: ANN401
        rows, weight, a, b, inner, kept = ctx.saved_tensors
        gradient = gradients[0].reshape(-1, weight.shape[0])
        through_b = gradient @ b.t()
        of_a = (through_b.t() @ rows).float()
        of_b = (inner.t() @ gradient).t().float() * ctx.scale
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = gradient @ weight
            of_x = of_x.addmm_(through_b, a) if kept is None else of_x.addcmul_(through_b @ a, kept)
            of_x = of_x.view(ctx.shape)
        return of_x, None, None, of_a, of_b, None, None


@contextmanager
def fused_lora(model: torch.nn.Module, *, bfloat16: bool, whole_layers: bool = False) -> Iterator[int]:
    """Compute the LoRA layers of a model in one function each, until the block is left.

    Layers that are anything but a frozen `Linear` with one plain adapter (DoRA, merged) stay PEFT's.

    Args:
        model: A PEFT model.
        bfloat16: Whether it is trained in bfloat16 autocast: the frozen weights are kept in that format as well.
        whole_layers: Whether layers of the encoder are one function each as well, where `fusible_layers` takes them.

    Yields:
        Number of LoRA layers that are computed this way.
    """
    fused, dtype = plain_lora_layers(model), torch.bfloat16 if bfloat16 else torch.float32
    whole = fusible_layers(model) if whole_layers else []
    for layer in fused:
        layer.forward = _forward(layer, dtype)
    for layer in whole:
        layer.forward = fused_layer(layer, dtype)
    try:
        yield len(fused)
    finally:
        for layer in [*fused, *whole]:
            del layer.forward


def _forward(layer: Any, dtype: torch.dtype) -> Callable[[torch.Tensor], torch.Tensor]:  # noqa: ANN401
    (name,) = layer.active_adapters
    weight, bias = (p if p is None else p.detach().to(dtype) for p in (layer.base_layer.weight, layer.base_layer.bias))
    a, b, scale = layer.lora_A[name].weight, layer.lora_B[name].weight, layer.scaling[name]
    dropout = layer.lora_dropout[name]

    def forward(x: torch.Tensor) -> torch.Tensor:
        share = getattr(dropout, "p", 0.0) if dropout.training else 0.0
        result: torch.Tensor = _LoraLinear.apply(x.to(dtype), weight, bias, a, b, scale, share)  # type: ignore[no-untyped-call]
        return result

    return forward
