"""One graph in ONNX for all adapters of a base: weights in int8, and what an adapter adds as an input of the graph.

Weights are stored in int8, a scale for each 32 of them, and multiplied in float32: onnxruntime widens them once, when
it opens the file. With activations quantized too, what is found would hang on the last bits of a processor's float32;
the page must find what Python finds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import gcd
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch.nn.functional import linear

from zoo.errors import ZooError
from zoo.export.onnx import trace
from zoo.kernels.support import adapter_of, has_plain_adapters
from zoo.modeling.classifier import classifier, replace_classifier
from zoo.modeling.labels import NEVER
from zoo.records import Record
from zoo.tagging.models import Base, Member
from zoo.tagging.tagger import Tagger

Matrices = tuple[torch.Tensor, torch.Tensor]
_BLOCK = 32
"""Weights that share a scale, fewer where a dimension is no multiple of it."""


@dataclass(frozen=True)
class Addition:
    """What an adapter adds to its base.

    Attributes:
        low_rank: By name of a linear layer, A [R, K] and B [N, R], scaled.
        weight: Rows of all its heads, one below the other, shape [L, H].
        bias: Their biases, shape [L].
    """

    low_rank: Mapping[str, Matrices]
    weight: torch.Tensor
    bias: torch.Tensor

    @classmethod
    def of(cls, heads: Sequence[tuple[Any, Sequence[int]]]) -> Addition:
        """Take it from models of transformers with the adapter in them, and the ids of each one's own labels.

        Args:
            heads: Models that differ in their heads alone.

        Raises:
            ZooError: The adapter is of another kind than plain LoRA on linear layers.
        """
        model = heads[0][0]
        if not has_plain_adapters(model):
            raise ZooError("the page takes plain LoRA on linear layers only", fix="use --onnx")
        found = ((name, adapter_of(layer)) for name, layer in model.named_modules())
        low_rank = {name: (own[0].detach(), own[1].detach() * own[2]) for name, own in found if own}
        layers = [(classifier(model), list(own)) for model, own in heads]
        return cls(
            low_rank,
            torch.cat([layer.weight.detach()[own] for layer, own in layers]),
            torch.cat([layer.bias.detach()[own] for layer, own in layers]),
        )


class AdapterGraph(torch.nn.Module):
    """A base whose forward pass takes ids [1, T] and an adapter [P], and gives logits [1, T, L] of all its heads.

    Args:
        model: The base, of transformers; it is changed.
        additions: The adapters that it must have room for.
    """

    def __init__(self, model: Any, additions: Sequence[Addition]) -> None:  # noqa: ANN401
        super().__init__()
        self.model = model.eval()
        self._slots: list[tuple[str, torch.Size]] = []
        self._values: dict[str, torch.Tensor] = {}
        rank = max((len(a) for one in additions for a, _ in one.low_rank.values()), default=0)
        adapted = {name for one in additions for name in one.low_rank}
        head = classifier(model)
        for name, module in list(model.named_modules()):
            if isinstance(module, torch.nn.Embedding):
                model.set_submodule(name, _Embedding(module))
            elif isinstance(module, torch.nn.Linear) and module is not head:
                low = (f"{name}.A", f"{name}.B") if name in adapted else None
                if low:
                    self._slots += [
                        (low[0], torch.Size((rank, module.in_features))),
                        (low[1], torch.Size((module.out_features, rank))),
                    ]
                model.set_submodule(name, _Linear(module, self._values, low))
        labels = max(len(one.bias) for one in additions)
        self._slots += [("weight", torch.Size((labels, head.in_features))), ("bias", torch.Size((labels,)))]
        replace_classifier(model, _Head(self._values))  # type: ignore[arg-type]

    def pack(self, addition: Addition) -> torch.Tensor:
        """An adapter as the graph takes it: all its matrices in one row, float32 [P]; where it adds nothing, zeros."""
        given = {
            f"{name}.{which}": m for name, two in addition.low_rank.items() for which, m in zip("AB", two, strict=True)
        }
        given |= {"weight": addition.weight, "bias": addition.bias}
        parts = []
        for name, shape in self._slots:
            whole = torch.full(shape, NEVER if name == "bias" else 0.0)
            if name in given:
                whole[tuple(slice(size) for size in given[name].shape)] = given[name]
            parts.append(whole.flatten())
        return torch.cat(parts)

    def quantize(self) -> None:
        """Round the weights of linear layers and embeddings to int8."""
        for module in self.model.modules():
            if isinstance(module, _Linear | _Embedding):
                module.quantize()

    def forward(self, input_ids: torch.Tensor, adapter: torch.Tensor) -> torch.Tensor:
        """Logits of one window; the base alone decides its length."""
        values, start = adapter.float(), 0
        for name, shape in self._slots:
            self._values[name] = values[start : start + shape.numel()].reshape(shape)
            start += shape.numel()
        logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=torch.ones_like(input_ids)).logits
        return logits


def write_adapter_graph(graph: AdapterGraph, size: int, path: Path) -> None:
    """Write a graph in int8: inputs `input_ids`, int64 [1, length], and `adapter`, float16 [size]; output `logits`.

    Raises:
        ZooError: The model is too large for one file, or an operation has no counterpart in ONNX.
    """
    graph.quantize()
    example = torch.arange(7)[None], torch.zeros(size, dtype=torch.float16)
    # with its constants folded, the file would hold the weights in float32
    trace(graph, example, {"input_ids": {1: "length"}, "adapter": {}}, path, fold=False)


class _Linear(torch.nn.Module):
    """`x W + bias`, and `x A' B'` of the adapter; W is float32 [K, N], or int8 [blocks, block, N]."""

    def __init__(self, layer: torch.nn.Linear, values: dict[str, torch.Tensor], low: tuple[str, str] | None) -> None:
        super().__init__()
        self.weight: torch.Tensor
        self.register_buffer("weight", layer.weight.detach().t().contiguous())
        self.register_buffer("scale", None)
        self.bias, self._values, self._low = layer.bias, values, low

    def quantize(self) -> None:
        size = gcd(len(self.weight), _BLOCK)
        self.weight, self.scale = _rounded(self.weight.reshape(-1, size, self.weight.shape[1]), 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight if self.scale is None else (self.weight.float() * self.scale.float()).flatten(0, 1)
        y = x @ weight
        if self.bias is not None:
            y = y + self.bias
        if self._low:
            a, b = (self._values[name] for name in self._low)
            y = y + (x @ a.t()) @ b.t()
        return y


class _Embedding(torch.nn.Module):
    """Rows of a table, float32 [V, H], or int8 [V, blocks, block]."""

    def __init__(self, layer: torch.nn.Embedding) -> None:
        super().__init__()
        self.weight: torch.Tensor
        self.register_buffer("weight", layer.weight.detach())
        self.register_buffer("scale", None)

    def quantize(self) -> None:
        size = gcd(self.weight.shape[1], _BLOCK)
        self.weight, self.scale = _rounded(self.weight.reshape(len(self.weight), -1, size), 2)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        if self.scale is None:
            return self.weight[ids]
        return (self.weight[ids].float() * self.scale[ids].float()).flatten(-2)


def _rounded(weight: torch.Tensor, block: int) -> Matrices:
    """Weights in int8, and the scale of each block, float16; dimension `block` runs through a block."""
    largest = weight.abs().amax(block, keepdim=True) / 127
    scale = largest.clamp_min(torch.finfo(torch.float16).tiny).half()
    return (weight / scale.float()).round().clamp(-127, 127).to(torch.int8), scale


class _Head(torch.nn.Module):
    """The last layer, which the adapter brings along."""

    def __init__(self, values: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self._values = values

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return linear(x, self._values["weight"], self._values["bias"])


class HeadLabels(Record):
    """Which of a graph's logits are those of a head: from `start`, one for each of its labels."""

    start: int
    labels: list[str]


Run = Callable[[torch.Tensor], torch.Tensor]
"""Ids [1, T] to logits [1, T, L]."""


def open_graph(path: Path, adapter: Path) -> Run:
    """An ONNX file with an adapter, run by onnxruntime.

    Args:
        path: As `write_adapter_graph` writes it.
        adapter: float16, little-endian.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    row = np.fromfile(adapter, dtype="<f2")

    def run(ids: torch.Tensor) -> torch.Tensor:
        logits = session.run(["logits"], {"input_ids": ids.numpy(), "adapter": row})[0]
        return torch.from_numpy(logits)

    return run


def graph_tagger(like: Tagger, run: Run, heads: Sequence[HeadLabels]) -> Tagger:
    """A tagger whose logits come from a graph, window by window as on the page; all else is as in `like`.

    Args:
        like: A tagger of the same base.
        run: The graph with an adapter.
        heads: The adapter's.
    """
    members = tuple(Member(Base(_Answers(run, head), like.tokenizer), None) for head in heads)
    return replace(like, base=members[0].base, heads=members, splitter=None)


@dataclass
class _Answers:
    """What `Tagger` asks of a model, answered by a graph."""

    run: Run
    head: HeadLabels

    @property
    def config(self) -> SimpleNamespace:
        return SimpleNamespace(id2label=dict(enumerate(self.head.labels)))

    def parameters(self) -> Iterator[torch.Tensor]:
        """One tensor, which tells the device."""
        yield torch.zeros(0)

    def __call__(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SimpleNamespace:
        own = slice(self.head.start, self.head.start + len(self.head.labels))
        lengths = attention_mask.sum(1).tolist()
        rows = [self.run(input_ids[k : k + 1, :length])[0, :, own] for k, length in enumerate(lengths)]
        return SimpleNamespace(logits=torch.nn.utils.rnn.pad_sequence(rows, batch_first=True))
