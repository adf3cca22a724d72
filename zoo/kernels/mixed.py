"""Windows of several adapters of one base in one table: the base's products are made once for all of them.

Where each request has an adapter of its own, adding adapters to the weights would keep a copy of the weights for each,
or make them ready for every request. Here the weights stay as they are, and each adapter's low-rank product is added to
the rows of its windows (as S-LoRA does on GPUs, arXiv 2311.03285). Logits are transformers' up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch.nn.functional import gelu, layer_norm, linear

from zoo.kernels.attention import attend
from zoo.kernels.infer import Embeddings, Labelled, head_rows, label_rows
from zoo.kernels.products import Product, product
from zoo.kernels.support import adapter_of, linear_parts, norms
from zoo.kernels.table import Layout, aligned_rows
from zoo.modeling.windows import Window

LowRank = tuple[torch.Tensor, torch.Tensor]
"""A [R, K] and B [R, N], scaled, of linear layers with one input: `x A' B` is added to their joined output."""


@dataclass(frozen=True)
class Adapter:
    """What an adapter adds to its base.

    Attributes:
        layers: For each layer the additions to query, key and value, to attention's output, up and down; None: nothing.
        heads: Weight [L, H], bias [L] and ids [L] of the labels that each of its heads can predict.
    """

    layers: tuple[tuple[LowRank | None, ...], ...]
    heads: tuple[tuple[torch.Tensor, torch.Tensor, torch.Tensor], ...]

    @classmethod
    def of(cls, model: Any, names: Sequence[str | None]) -> Adapter:  # noqa: ANN401 - PEFT's models are not typed
        """Take the tensors of an adapter; they are not copied.

        Args:
            model: PEFT's model, or one without adapters; `zoo.kernels.infer.can_pack` takes it.
            names: PEFT's names of the adapters of its heads, which differ in nothing else; the first is active.
        """
        layers = []
        for layer in _layers(model):
            *three, out, up, down = linear_parts(layer)
            layers.append(tuple(_low_rank(parts) for parts in (three, [out], [up], [down])))
        return cls(tuple(layers), tuple(head_rows(model, name) for name in names))


@dataclass(frozen=True)
class MixedBase:
    """A base, ready for tables of tokens of any of its adapters; many threads may use it at once.

    Attributes:
        embeddings: Its first layer.
        layers: Its layers, each with products that leave room for an adapter.
    """

    embeddings: Embeddings
    layers: tuple[_Layer, ...]

    @classmethod
    def of(cls, model: Any) -> MixedBase:  # noqa: ANN401
        """Make a base ready, in float32.

        Args:
            model: Of transformers, or PEFT's around it; `zoo.kernels.infer.can_pack` takes it.
        """
        return cls(Embeddings.of(model), tuple(_Layer.of(layer) for layer in _layers(model)))

    def label(self, windows: Sequence[Window], adapters: Sequence[Adapter]) -> list[list[Labelled]]:
        """Labels of windows, each by its own adapter.

        Args:
            windows: Windows of any texts, together one batch.
            adapters: The adapter of each.

        Returns:
            Per window, per head of its adapter.
        """
        number = {id(adapter): place for place, adapter in enumerate(adapters)}
        order = sorted(range(len(windows)), key=lambda i: (number[id(adapters[i])], len(windows[i])))
        found: list[list[Labelled]] = [[] for _ in windows]
        with torch.inference_mode():
            hidden, layout = self.embeddings([windows[i] for i in order])
            runs, start = [], 0
            for _, same in groupby(order, key=lambda i: number[id(adapters[i])]):
                own = list(same)
                stop = start + sum(aligned_rows(len(windows[i])) for i in own)
                runs.append((slice(start, stop), own))
                start = stop
            for place, layer in enumerate(self.layers):
                lows = [(rows, adapters[own[0]].layers[place]) for rows, own in runs]
                hidden = layer.forward(hidden, layout, lows)
            for rows, own in runs:
                for weight, bias, ids in adapters[own[0]].heads:
                    labelled = label_rows(linear(hidden[rows], weight, bias), ids)
                    start = 0
                    for index in own:
                        found[index].append(labelled.part(start, len(windows[index])))
                        start += aligned_rows(len(windows[index]))
        return found


@dataclass(frozen=True)
class _Layer:
    """Products of a layer, their biases, attention's heads and scale, and the two norms."""

    products: tuple[Product, ...]
    biases: tuple[torch.Tensor, ...]
    heads: int
    scale: float
    norms: list[tuple[Any, ...]]

    @classmethod
    def of(cls, layer: Any) -> _Layer:  # noqa: ANN401
        bases = [getattr(part, "base_layer", part) for part in linear_parts(layer)]
        groups = [bases[:3], *([base] for base in bases[3:])]
        weights = [_joined(group) for group in groups]
        own = layer.attention.self
        return cls(
            tuple(product(weight, onednn=False) for weight in weights),
            tuple(torch.cat([base.bias.detach() for base in group]) for group in groups),
            own.num_attention_heads,
            own.scaling,
            norms(layer),
        )

    def forward(
        self, hidden: torch.Tensor, layout: Layout, lows: Sequence[tuple[slice, tuple[LowRank | None, ...]]]
    ) -> torch.Tensor:
        found = attend(self._linear(0, hidden, lows), layout, self.heads, self.scale)
        hidden = layer_norm(hidden + self._linear(1, found, lows), *self.norms[0])
        return layer_norm(hidden + self._linear(3, gelu(self._linear(2, hidden, lows)), lows), *self.norms[1])

    def _linear(
        self, which: int, x: torch.Tensor, lows: Sequence[tuple[slice, tuple[LowRank | None, ...]]]
    ) -> torch.Tensor:
        """A product of the base, with what each adapter adds to its rows."""
        added = self.biases[which].repeat(len(x), 1)
        for rows, low in lows:
            if own := low[which]:
                added[rows].addmm_(x[rows] @ own[0].t(), own[1])
        return self.products[which](x, added)


def _joined(layers: Sequence[Any]) -> torch.Tensor:
    """Weights below each other; the layers keep theirs as parts of the joined one, so that nothing is there twice."""
    if len(layers) == 1:
        weight: torch.Tensor = layers[0].weight.detach()
        return weight
    joined = torch.cat([layer.weight.detach() for layer in layers])
    for layer, own in zip(layers, torch.split(joined, [layer.out_features for layer in layers]), strict=True):
        layer.weight.data = own
    return joined


def _low_rank(layers: Sequence[Any]) -> LowRank | None:
    """What the active adapter adds to layers of one input."""
    if not any(adapter_of(layer) for layer in layers):
        return None
    matrices, blocks = [], []
    for layer in layers:
        found, outputs = adapter_of(layer), getattr(layer, "base_layer", layer).out_features
        if found:
            a, b, scale, _ = found
            matrices.append(a.detach())
        blocks.append(b.detach().t() * scale if found else torch.empty(0, outputs))
    return torch.cat(matrices), torch.block_diag(*blocks)  # type: ignore[no-untyped-call]


def _layers(model: Any) -> Any:  # noqa: ANN401
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    return whole.base_model.encoder.layer
