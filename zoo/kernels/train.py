"""Training with LoRA on CPUs: linear layers, or whole layers of BERT's shape, as one function each.

PEFT computes `W x + s B A x` as seven operations that autograd each records, and under autocast turns the input of
every layer into float32 and back. Batches of sentences are so small that products with the frozen weights take a sixth
of the time that autograd, casts and elementwise kernels take around them. Here forward and backward pass are written
out: query, key and value are one product with one gradient of their input, frozen weights are arranged once and for
both directions, what LoRA adds is the summand of that product, and between kernels nothing leaves the number format
that products are computed in. Values are those of transformers and PEFT up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch

from zoo.kernels import enabled
from zoo.kernels.attention import attend_backward, attend_forward
from zoo.kernels.dropout import dropout_mask, fast_dropout
from zoo.kernels.products import JoinedLinear
from zoo.kernels.support import (
    adapter_of,
    dropout_of,
    has_bert_shape,
    linear_parts,
    norms,
    plain_lora_layers,
)
from zoo.kernels.table import Group, Layout
from zoo.modeling.device import plain_attention


@contextmanager
def training_kernels(model: Any, *, bfloat16: bool) -> Iterator[bool]:  # noqa: ANN401 - of transformers or PEFT
    """Train by these kernels as far as they know the model, until the block is left.

    Args:
        model: A model, with or without adapters.
        bfloat16: Whether it is trained in bfloat16 autocast.

    Yields:
        Whether batches can be tables of tokens: all layers of the encoder are computed here.
    """
    if not enabled():
        yield False
        return
    layers = whole_layers(model)
    takes_tables = bool(layers) and len(layers) == model.config.num_hidden_layers
    with ExitStack() as stack:
        if not takes_tables:
            stack.enter_context(plain_attention(model))
        stack.enter_context(fused_lora(model, bfloat16=bfloat16))
        stack.enter_context(fast_dropout(model))
        yield takes_tables


@contextmanager
def fused_lora(model: torch.nn.Module, *, bfloat16: bool, whole: bool = True) -> Iterator[int]:
    """Compute what plain adapters stand on in one function each, until the block is left.

    Other adapters (DoRA, merged, on weights that are trained) stay PEFT's.

    Args:
        model: A PEFT model.
        bfloat16: Whether it is trained in bfloat16 autocast: the frozen weights are kept in that format as well.
        whole: Whether layers are taken whole where they can be, or only their linear layers.

    Yields:
        Number of adapters that are computed this way.
    """
    dtype = torch.bfloat16 if bfloat16 else torch.float32
    adapted, layers = plain_lora_layers(model), whole_layers(model) if whole else []
    inside = {id(part) for layer in layers for part in linear_parts(layer)}
    linear = [layer for layer in adapted if id(layer) not in inside]
    for layer in linear:
        layer.forward = _linear_forward(layer, dtype)
    for layer in layers:
        layer.forward = _layer_forward(layer, dtype)
    try:
        yield len(adapted)
    finally:
        for layer in [*linear, *layers]:
            del layer.forward


def whole_layers(model: Any) -> list[Any]:  # noqa: ANN401 - of transformers or PEFT
    """Layers of BERT's shape all weights of which are frozen but those of plain adapters."""
    if not hasattr(model, "peft_config") or not has_bert_shape(model):
        return []
    plain = {id(layer) for layer in plain_lora_layers(model)}
    return [layer for layer in model.base_model.model.base_model.encoder.layer if _is_whole(layer, plain)]


def _is_whole(layer: Any, plain: set[int]) -> bool:  # noqa: ANN401
    parts = linear_parts(layer)
    frozen = [layer.attention.output.LayerNorm, layer.output.LayerNorm]
    frozen += [getattr(part, "base_layer", part) for part in parts]
    return (
        all(id(part) in plain or type(part) is torch.nn.Linear for part in parts)
        and all(getattr(part, "base_layer", part).bias is not None for part in parts)
        and len({dropout.p for dropout in dropout_of([each for each in map(adapter_of, parts) if each])}) <= 1
        and not any(p.requires_grad for module in frozen for p in module.parameters())
        and layer.chunk_size_feed_forward == 0
    )


class _Linear(torch.autograd.Function):
    """A linear layer with an adapter."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - of autograd
        x: torch.Tensor,
        layer: JoinedLinear,
        dropout: float,
        *adapters: torch.Tensor,
    ) -> torch.Tensor:
        rows = x.reshape(-1, x.shape[-1])
        y, ctx.saved = layer.forward(rows, adapters, dropout)
        ctx.save_for_backward(rows)
        ctx.layer, ctx.shape = layer, x.shape
        return y.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # noqa: ANN401
        (rows,) = ctx.saved_tensors
        gradient = gradients[0].reshape(len(rows), -1)
        of_x, adapters = ctx.layer.backward(gradient, rows, ctx.saved, of_input=ctx.needs_input_grad[0])
        return (None if of_x is None else of_x.view(ctx.shape), None, None, *adapters)


def _linear_forward(layer: Any, dtype: torch.dtype) -> Callable[[torch.Tensor], torch.Tensor]:  # noqa: ANN401
    joined = JoinedLinear.of([layer], dtype)
    dropout = layer.lora_dropout[layer.active_adapters[0]]

    def forward(x: torch.Tensor) -> torch.Tensor:
        share = getattr(dropout, "p", 0.0) if dropout.training else 0.0
        result: torch.Tensor = _Linear.apply(x.to(dtype), joined, share, *joined.matrices)  # type: ignore[no-untyped-call]
        return result

    return forward


@dataclass(frozen=True)
class _Frozen:
    """What no step changes: weights, norms (as arguments of `native_layer_norm`) and number of heads."""

    parts: tuple[JoinedLinear, JoinedLinear, JoinedLinear, JoinedLinear]
    norms: list[tuple[Any, ...]]
    heads: int


class _Layer(torch.autograd.Function):
    """Attention and feed-forward network, each with dropout, the sum with what it was given, and the norm of that."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - of autograd
        hidden: torch.Tensor,
        layout: Layout,
        layer: _Frozen,
        shares: tuple[float, float, float],
        *adapters: torch.Tensor,
    ) -> torch.Tensor:
        x = hidden.reshape(-1, hidden.shape[-1])
        in_attention, in_sums, in_adapters = shares
        matrices = iter(adapters)
        own = [list(islice(matrices, len(part.matrices))) for part in layer.parts]

        three, of_three = layer.parts[0].forward(x, own[0], in_adapters)
        mixed, attended = attend_forward(three, layout, layer.heads, in_attention)

        out, of_out = layer.parts[1].forward(mixed, own[1], in_adapters)
        first, kept_first = _added(x, out, in_sums)
        middle, *of_norm = torch.native_layer_norm(first, *layer.norms[0])
        up, of_up = layer.parts[2].forward(middle, own[2], in_adapters)
        active = torch.nn.functional.gelu(up)
        down, of_down = layer.parts[3].forward(active, own[3], in_adapters)
        second, kept_second = _added(middle, down, in_sums)
        result, *of_last = torch.native_layer_norm(second, *layer.norms[1])

        ctx.save_for_backward(x, mixed, first, kept_first, *of_norm, middle, up, active)
        ctx.rest = (second, kept_second, *of_last)
        ctx.layout, ctx.attended = layout, attended
        ctx.products = (of_three, of_out, of_up, of_down)
        ctx.layer, ctx.shape = layer, hidden.shape
        return result.view(hidden.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # noqa: ANN401
        x, mixed, first, kept_first, mean, rstd, middle, up, active = ctx.saved_tensors
        second, kept_second, *of_last = ctx.rest
        layer, products = ctx.layer, ctx.products
        backward_norm = torch.ops.aten.native_layer_norm_backward

        shape, *norm, _ = layer.norms[1]
        given = gradients[0].reshape(x.shape)
        of_second, *_ = backward_norm(given, second, shape, *of_last, *norm, [True, False, False])
        of_down = of_second if kept_second is None else of_second * kept_second
        of_active, down = layer.parts[3].backward(of_down, active, products[3])
        of_up = torch.ops.aten.gelu_backward(of_active, up)
        of_middle, upward = layer.parts[2].backward(of_up, middle, products[2], of_second)

        shape, *norm, _ = layer.norms[0]
        of_first, *_ = backward_norm(of_middle, first, shape, mean, rstd, *norm, [True, False, False])
        of_out = of_first if kept_first is None else of_first * kept_first
        of_mixed, out = layer.parts[1].backward(of_out, mixed, products[1])
        of_three = attend_backward(of_mixed, ctx.attended, ctx.layout, layer.heads)
        of_x, inward = layer.parts[0].backward(of_three, x, products[0], of_first, of_input=ctx.needs_input_grad[0])
        return (None if of_x is None else of_x.view(ctx.shape), None, None, None, *inward, *out, *upward, *down)


def _added(x: torch.Tensor, y: torch.Tensor, share: float) -> tuple[torch.Tensor, torch.Tensor | None]:
    """`x + d(y)`, and the factors of dropout."""
    if not share:
        return y.add_(x), None
    kept = dropout_mask(y, share)
    return torch.addcmul(x, y, kept), kept


def _layer_forward(layer: Any, dtype: torch.dtype) -> Callable[..., torch.Tensor]:  # noqa: ANN401
    """The forward pass of one of `whole_layers`; given a `layout`, it takes a table of tokens [1, N, H]."""
    own, parts = layer.attention.self, linear_parts(layer)
    three = JoinedLinear.of(parts[:3], dtype, (own.scaling, 1.0, 1.0))
    others = [JoinedLinear.of([part], dtype) for part in parts[3:]]
    frozen = _Frozen((three, others[0], others[1], others[2]), norms(layer), own.num_attention_heads)
    matrices = [matrix for part in frozen.parts for matrix in part.matrices]
    of_adapters = dropout_of([each for each in map(adapter_of, parts) if each])
    drops = own.dropout, layer.output.dropout, next(iter(of_adapters), torch.nn.Dropout(0.0))

    def forward(
        hidden: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        *_: Any,  # noqa: ANN401
        layout: Layout | None = None,
        **__: Any,  # noqa: ANN401
    ) -> torch.Tensor:
        shares = tuple(drop.p if drop.training else 0.0 for drop in drops)
        with torch.autocast("cpu", enabled=False):
            if layout is None:
                if attention_mask is not None and attention_mask.dtype is torch.bool:  # as SDPA takes it
                    attention_mask = hidden.new_zeros(attention_mask.shape).masked_fill_(~attention_mask, float("-inf"))
                layout = Layout((Group(hidden.shape[0], hidden.shape[1], attention_mask),))
            result: torch.Tensor = _Layer.apply(hidden.to(dtype), layout, frozen, shares, *matrices)  # type: ignore[no-untyped-call]
        return result

    return forward
