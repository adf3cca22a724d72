"""Encoders of BERT's shape for tagging on CPUs: tokens without padding, on weights that were made ready before.

transformers computes what a window needs in some twenty kernels a layer, on weights that oneDNN arranges anew at each
call. Here adapters are added to the weights, query, key and value are one product, GELU is part of the product before
it where that is faster, weights are arranged once, and the tokens of a batch stand in one table, so that only attention
knows of windows. Logits are transformers' up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch.nn.functional import layer_norm, linear, pad, scaled_dot_product_attention

from zoo.modeling.backbones import HEADS
from zoo.modeling.labels import NEVER
from zoo.modeling.lora import effective_weight, has_plain_adapters

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

    from zoo.modeling.windows import Window

Format = Literal["bfloat16", "float32"]
"""What linear layers and attention compute in; norms, sums and the head are float32."""
Layer = Callable[[torch.Tensor, Sequence["Run"]], torch.Tensor]

_TYPES = frozenset({"bert", "electra", "roberta", "xlm-roberta"})
_STEP = 16
"""Windows take a multiple of so many rows: attention to 368 tokens takes a third less time than to 366."""
_ROWS = 64
"""Tables have a multiple of so many rows: oneDNN compiles a kernel for each number of them that it meets."""


@dataclass(frozen=True, slots=True)
class Run:
    """Windows that take equally many rows and stand one after another in a table of tokens.

    Attributes:
        start: Row of the first token of the first window.
        windows: Number of windows.
        length: Rows of each.
        mask: What is added to the attention to each row, -inf where there is no token; shape [windows, 1, 1, length].
            None: there is a token in each.
    """

    start: int
    windows: int
    length: int
    mask: torch.Tensor | None

    @property
    def stop(self) -> int:
        """Row after the last."""
        return self.start + self.windows * self.length


@dataclass(frozen=True)
class PackedEncoder:
    """A token-classification model, its adapter included, ready for tables of tokens.

    Attributes:
        embed: Token ids [B, T] to hidden states [B, T, H].
        layers: Layers in order; encoders of one base share those that no adapter touches.
        head: Weight [L, H] and bias [L] of the labels that can be predicted.
        label_ids: Ids of these labels, shape [L].
        padding_id: Token id where there is no token.
    """

    embed: Callable[[torch.Tensor], torch.Tensor]
    layers: tuple[Layer, ...]
    head: tuple[torch.Tensor, torch.Tensor | None]
    label_ids: torch.Tensor
    padding_id: int

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Float32 logits [N, L] of a table."""
        return linear(hidden, *self.head)


def can_pack(model: PreTrainedModel | PeftModel) -> bool:
    """Whether a model is one that this module computes: BERT's layers, adapters of plain LoRA, a CPU with oneDNN."""
    config: Any = model.config
    return (
        model.device.type == "cpu"
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and config.model_type in _TYPES
        and config.hidden_act == "gelu"
        and not config.is_decoder
        and has_plain_adapters(model)
    )


def has_bfloat16() -> bool:
    """Whether oneDNN computes in bfloat16 on this processor at all."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def has_fast_bfloat16() -> bool:
    """Whether bfloat16 products are so much faster that it pays to compute uncertain windows twice: x86 with AMX."""
    return bool(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())


def pack(models: Sequence[tuple[Any, str | None]], form: Format) -> list[PackedEncoder]:
    """Make models ready; it takes as long as a pass over some hundred tokens.

    Args:
        models: Models that `can_pack` takes, each with the name of its adapter where it has several.
        form: How products are computed.
    """
    shared: dict[int, Layer] = {}
    packed = []
    for model, adapter in models:
        if adapter:
            model.set_adapter(adapter)
        whole = model.get_base_model() if hasattr(model, "get_base_model") else model
        encoder = whole.base_model
        layers = []
        for layer in encoder.encoder.layer:
            touched = any(effective_weight(part)[2] for part in layer.modules())
            made = None if touched else shared.get(id(layer))
            if made is None:
                made = _layer(layer, form)
                if not touched:
                    shared[id(layer)] = made
            layers.append(made)
        head = next(getattr(whole, name) for name in HEADS if hasattr(whole, name))
        if hasattr(head, "modules_to_save"):  # PEFT's wrapper around a module that is trained in full
            head = head.modules_to_save[adapter or "default"]
        bias = torch.zeros(head.out_features) if head.bias is None else head.bias.detach()
        able = torch.nonzero(bias > NEVER / 2)[:, 0]
        rows = head.weight.detach()[able], bias[able]
        packed.append(PackedEncoder(_embedding(encoder), tuple(layers), rows, able, model.config.pad_token_id or 0))
    return packed


def rows_of(window: Window) -> int:
    """Rows that a window takes in a table."""
    return len(window) + -len(window) % _STEP


def table(encoder: PackedEncoder, windows: Sequence[Window]) -> tuple[torch.Tensor, list[Run]]:
    """Embeddings [N, H] of windows in order of their length, and where they stand."""
    runs: list[Run] = []
    parts: list[torch.Tensor] = []
    start = 0
    for length, group in groupby(windows, key=rows_of):
        lengths = []
        ids: list[list[int]] = []
        for window in group:
            lengths.append(len(window))
            ids.append([*window.input_ids, *[encoder.padding_id] * (length - len(window))])
        parts.append(encoder.embed(torch.tensor(ids)).flatten(0, 1))
        beyond = torch.arange(length) >= torch.tensor(lengths)[:, None]
        mask = torch.zeros(beyond.shape).masked_fill_(beyond, float("-inf"))[:, None, None]
        runs.append(Run(start, len(ids), length, mask if min(lengths) < length else None))
        start = runs[-1].stop
    return _filled(torch.cat(parts)), runs


def select(hidden: torch.Tensor, runs: Sequence[Run], kept: Sequence[bool]) -> tuple[torch.Tensor, list[Run]]:
    """The table of some of the windows of a table."""
    if all(kept):
        return hidden, list(runs)
    chosen: list[Run] = []
    parts, start, number = [], 0, 0
    for run in runs:
        inside = [i for i in range(run.windows) if kept[number + i]]
        number += run.windows
        if inside:
            parts += [hidden[run.start + i * run.length : run.start + (i + 1) * run.length] for i in inside]
            chosen.append(Run(start, len(inside), run.length, None if run.mask is None else run.mask[inside]))
            start = chosen[-1].stop
    return _filled(torch.cat(parts)), chosen


def _filled(rows: torch.Tensor) -> torch.Tensor:
    return pad(rows, (0, 0, 0, -len(rows) % _ROWS))


def _embedding(encoder: Any) -> Callable[[torch.Tensor], torch.Tensor]:  # noqa: ANN401 - of transformers
    project = getattr(encoder, "embeddings_project", None)

    def embed(ids: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = encoder.embeddings(input_ids=ids)
        return hidden if project is None else project(hidden)

    return embed


def _layer(layer: Any, form: Format) -> Layer:  # noqa: ANN401 - of transformers
    """Attention and feed-forward network, each with the norm of its sum with what it was given."""
    attention, inner = layer.attention.self, (layer.attention.output, layer.output)
    three = [effective_weight(part)[:2] for part in (attention.query, attention.key, attention.value)]
    into = _product(torch.cat([weight for weight, _ in three]), torch.cat([bias for _, bias in three]), form)
    mixed, down = (_product(*effective_weight(part.dense)[:2], form) for part in inner)
    up = _product(*effective_weight(layer.intermediate.dense)[:2], form, gelu=True)
    norms = [(n.normalized_shape, n.weight, n.bias, n.eps) for n in (part.LayerNorm for part in inner)]
    heads, scale = attention.num_attention_heads, attention.scaling
    dtype = torch.bfloat16 if form == "bfloat16" else torch.float32

    def forward(hidden: torch.Tensor, runs: Sequence[Run]) -> torch.Tensor:
        found = _attend(into(hidden.to(dtype)), runs, heads, scale)
        hidden = layer_norm(hidden + mixed(found), *norms[0])
        return layer_norm(hidden + down(up(hidden.to(dtype))), *norms[1])

    return forward


def _attend(joined: torch.Tensor, runs: Sequence[Run], heads: int, scale: float) -> torch.Tensor:
    """Attention [N, H] within each window, from query, key and value [N, 3 H]."""
    width = joined.shape[1] // 3
    found = joined.new_zeros(len(joined), width)
    for run in runs:
        parts = joined[run.start : run.stop].view(run.windows, run.length, 3, heads, width // heads)
        query, key, value = parts.transpose(1, 3).unbind(2)
        mask = None if run.mask is None else run.mask.to(joined.dtype)
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale)
        found[run.start : run.stop] = mixed.transpose(1, 2).reshape(-1, width)
    return found


def _product(
    weight: torch.Tensor, bias: torch.Tensor, form: Format, *, gelu: bool = False
) -> Callable[[torch.Tensor], torch.Tensor]:
    """`x W' + bias`, and its GELU where asked for.

    Where there is AVX2 and no AVX-512, oneDNN's float32 products take an eighth longer than PyTorch's own (MKL's), and
    a GELU within them several times as long as one after them (`benchmarks/speed/products.py`).
    """
    if form == "float32" and torch.backends.cpu.get_cpu_capability() == "AVX2":
        ready = weight.t().contiguous()
        if gelu:
            return lambda x: torch.nn.functional.gelu(torch.addmm(bias, x, ready))
        return lambda x: torch.addmm(bias, x, ready)
    ops = torch.ops.mkldnn
    after = "gelu" if gelu else "none"
    dtype = torch.bfloat16 if form == "bfloat16" else torch.float32
    packed, bias = ops._reorder_linear_weight(weight.to(dtype)), bias.to(dtype)
    return lambda x: ops._linear_pointwise(x, packed, bias, after, [], "none")
