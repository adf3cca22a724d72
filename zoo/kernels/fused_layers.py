"""Encoder layers of BERT's shape, with LoRA, as one function each: on CPUs most of a step goes into small kernels.

Batches of sentences are so small that products with the frozen weights take a sixth of the time that autograd, casts
and elementwise kernels take around them. Here the forward and the backward pass of a whole layer are written out:
query, key and value are one product with one gradient of their input, frozen weights are arranged for oneDNN once and
for both directions, what LoRA adds is the summand of that product, and between kernels nothing leaves the number format
that products are computed in. Values are those of transformers and PEFT up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch

from zoo.kernels.fast_dropout import dropout_mask
from zoo.kernels.joined_linear import JoinedLinear
from zoo.kernels.packing import Group, Layout
from zoo.modeling.lora import plain_lora_layers

_TYPES = frozenset({"bert", "electra", "roberta", "xlm-roberta"})


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
        own = [list(islice(matrices, 2 * part.adapters)) for part in layer.parts]

        three, of_three = layer.parts[0].forward(x, own[0], in_adapters)
        mixed, attended = _attend(three, layout, layer.heads, in_attention)

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
        of_three = _attend_backward(of_mixed, ctx.attended, ctx.layout, layer.heads)
        of_x, inward = layer.parts[0].backward(of_three, x, products[0], of_first, of_input=ctx.needs_input_grad[0])
        return (None if of_x is None else of_x.view(ctx.shape), None, None, None, *inward, *out, *upward, *down)


def _attend(
    joined: torch.Tensor, layout: Layout, heads: int, share: float
) -> tuple[torch.Tensor, list[tuple[torch.Tensor, torch.Tensor, torch.Tensor | None, torch.Tensor]]]:
    """Attention [N, H] within each window, from query, key and value [N, 3 H]; and what its gradient needs."""
    rows = joined if layout.padded is None else joined.index_select(0, layout.padded)
    found = rows.new_empty(len(rows) + 1, rows.shape[1] // 3)
    kept = []
    for group, own, place in zip(
        layout.groups, rows.split_with_sizes(layout.sizes), found[:-1].split_with_sizes(layout.sizes), strict=True
    ):
        windows, length = group.windows, group.length
        three = own.view(windows, length, 3, heads, -1).permute(2, 0, 3, 1, 4)
        three = three.reshape(3, windows * heads, length, -1)
        query, key, value = three.unbind()
        scores = query @ key.transpose(1, 2)
        if group.mask is not None:
            scores.view(windows, heads, length, length).add_(group.mask)
        odds = scores.softmax(-1)
        mask = dropout_mask(odds, share) if share else None
        used = odds if mask is None else odds * mask
        mixed = (used @ value).view(windows, heads, length, -1).transpose(1, 2)
        place.view(mixed.shape).copy_(mixed)
        kept.append((three, odds, mask, used))
    return _in_places(found, layout), kept


def _attend_backward(
    of_mixed: torch.Tensor,
    kept: Sequence[tuple[torch.Tensor, torch.Tensor, torch.Tensor | None, torch.Tensor]],
    layout: Layout,
    heads: int,
) -> torch.Tensor:
    """Gradient of query, key and value [N, 3 H]."""
    rows = of_mixed if layout.padded is None else of_mixed.index_select(0, layout.padded)
    found = rows.new_empty(len(rows) + 1, 3 * rows.shape[1])
    parts = zip(
        layout.groups, kept, rows.split_with_sizes(layout.sizes), found[:-1].split_with_sizes(layout.sizes), strict=True
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
    """The table of padded windows; 0 where no token is, for which `found` has one row more than they have."""
    if layout.places is None:
        return found[:-1]
    found[-1] = 0
    return found.index_select(0, layout.places)


def _added(x: torch.Tensor, y: torch.Tensor, share: float) -> tuple[torch.Tensor, torch.Tensor | None]:
    """`x + d(y)`, and the factors of dropout."""
    if not share:
        return y.add_(x), None
    kept = dropout_mask(y, share)
    return torch.addcmul(x, y, kept), kept


@dataclass(frozen=True)
class _Frozen:
    """What no step changes: weights, norms (as arguments of `native_layer_norm`) and number of heads."""

    parts: tuple[JoinedLinear, JoinedLinear, JoinedLinear, JoinedLinear]
    norms: list[tuple[Any, ...]]
    heads: int


def fusible_layers(model: Any) -> list[Any]:  # noqa: ANN401 - of transformers
    """Layers of an encoder of BERT's shape on a CPU, all weights of which are frozen but those of plain adapters."""
    if (
        not hasattr(model, "peft_config")
        or model.device.type != "cpu"
        or model.config.model_type not in _TYPES
        or model.config.hidden_act != "gelu"
    ):
        return []
    plain = {id(layer) for layer in plain_lora_layers(model)}
    return [layer for layer in model.base_model.model.base_model.encoder.layer if _is_fusible(layer, plain)]


def takes_tables(model: Any) -> bool:  # noqa: ANN401 - of transformers
    """Whether all layers of an encoder are fused: then batches can be tables, `packing.pack_batch`."""
    layers = fusible_layers(model)
    return bool(layers) and len(layers) == model.config.num_hidden_layers


def linear_parts(layer: Any) -> list[Any]:  # noqa: ANN401 - of transformers
    """The linear layers of an encoder layer in the order of their products."""
    own = layer.attention.self
    return [own.query, own.key, own.value, layer.attention.output.dense, layer.intermediate.dense, layer.output.dense]


def _is_fusible(layer: Any, plain: set[int]) -> bool:  # noqa: ANN401
    parts = linear_parts(layer)
    return (
        all(id(part) in plain or type(part) is torch.nn.Linear for part in parts)
        and all(getattr(part, "base_layer", part).bias is not None for part in parts)
        and len({drop.p for drop in _adapter_dropouts(parts)}) <= 1
        and not any(p.requires_grad for each in _frozen_modules(layer) for p in each.parameters())
        and not layer.is_decoder
        and layer.chunk_size_feed_forward == 0
    )


def _adapter_dropouts(parts: Sequence[Any]) -> list[Any]:
    """PEFT puts an `Identity` where there is no dropout."""
    dropouts = [
        part.lora_dropout[name] for part in parts if hasattr(part, "base_layer") for name in part.active_adapters
    ]
    return [drop for drop in dropouts if isinstance(drop, torch.nn.Dropout)]


def _frozen_modules(layer: Any) -> list[Any]:  # noqa: ANN401
    return [*_norms(layer), *(getattr(part, "base_layer", part) for part in linear_parts(layer))]


def _norms(layer: Any) -> list[Any]:  # noqa: ANN401
    return [layer.attention.output.LayerNorm, layer.output.LayerNorm]


def fused_layer(layer: Any, dtype: torch.dtype) -> Callable[..., torch.Tensor]:  # noqa: ANN401
    """The forward pass of a layer in one function; given a `layout`, it takes a table of tokens [1, N, H].

    Args:
        layer: One of `fusible_layers`.
        dtype: Number format of products and of what is kept between them.
    """
    own, parts = layer.attention.self, linear_parts(layer)
    frozen = _Frozen(
        (
            JoinedLinear.of(parts[:3], dtype, (own.scaling, 1.0, 1.0)),
            *(JoinedLinear.of([part], dtype) for part in parts[3:]),  # type: ignore[arg-type]
        ),
        [(norm.normalized_shape, norm.weight.detach(), norm.bias.detach(), norm.eps) for norm in _norms(layer)],
        own.num_attention_heads,
    )
    adapters = [
        matrix.weight
        for part in parts
        if hasattr(part, "base_layer")
        for name in part.active_adapters
        for matrix in (part.lora_A[name], part.lora_B[name])
    ]
    drops = own.dropout, layer.output.dropout, next(iter(_adapter_dropouts(parts)), torch.nn.Dropout(0.0))

    def fused(
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
            result: torch.Tensor = _Layer.apply(hidden.to(dtype), layout, frozen, shares, *adapters)  # type: ignore[no-untyped-call]
        return result

    return fused
