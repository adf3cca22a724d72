"""Labels of many windows on CPUs, on weights that were made ready before; batches over threads.

transformers computes what a window needs in some twenty kernels a layer, on weights that oneDNN arranges anew at each
call. Here adapters are added to the weights, query, key and value are one product, GELU is part of the product before
it where that is faster, weights are arranged once, and the tokens of a batch stand in one table. Adapters of one base
share the layers below the first that one of them touches; heads of one training share all. Logits are transformers' up
to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import layer_norm, linear

from zoo.kernels.attention import attend
from zoo.kernels.products import Product, product
from zoo.kernels.support import (
    adapter_of,
    effective_weight,
    has_bert_shape,
    has_plain_adapters,
    linear_parts,
    norms,
)
from zoo.kernels.table import Layout, aligned_rows, select, table
from zoo.modeling.batches import first_position
from zoo.modeling.classifier import classifier
from zoo.modeling.labels import NEVER
from zoo.modeling.windows import Window

Format = Literal["bfloat16", "float32"]
"""What linear layers and attention compute in; norms, sums and the head are float32."""
Layer = Callable[[torch.Tensor, Layout], torch.Tensor]
MOST_LABELS = 4
"""Labels of a token that are kept."""
_THREADS = 8
"""At most so many batches at a time: more would wait for Python between kernels; further cores help within kernels."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Labels of the tokens of a window, or of a table.

    Attributes:
        ids: Labels of each token, the best first, shape [T, K], K at most `MOST_LABELS`.
        gaps: Logit of the best minus that of each, shape [T, K].
        scores: Softmax probability of the best, shape [T].
    """

    ids: npt.NDArray[np.int64]
    gaps: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]

    def part(self, start: int, tokens: int) -> Labelled:
        """The labels of one window of a table."""
        rows = slice(start, start + tokens)
        return Labelled(self.ids[rows], self.gaps[rows], self.scores[rows])


@dataclass(frozen=True)
class Packable:
    """A model to be made ready.

    Attributes:
        model: One that `can_pack` takes.
        adapter: Name of its adapter, where it has several.
        encoder: Digest of what the adapter does to the encoder: adapters of one digest differ in their heads alone.
        columns: Labels of its own, where several heads stand side by side.
    """

    model: Any
    adapter: str | None = None
    encoder: str = ""
    columns: slice = field(default_factory=lambda: slice(None))


@dataclass(frozen=True)
class Embeddings:
    """The first layer of a base, which all its adapters share.

    Attributes:
        embed: The input of a model for tokens [1, N], `table`, to hidden states [N, H].
        padding_id: Token id where there is no token.
        first_position: Position id of a window's first token.
    """

    embed: Callable[..., torch.Tensor]
    padding_id: int
    first_position: int

    @classmethod
    def of(cls, model: Any) -> Embeddings:  # noqa: ANN401 - of transformers or PEFT
        """Those of a model that `can_pack` takes."""
        encoder = (model.get_base_model() if hasattr(model, "get_base_model") else model).base_model
        project = getattr(encoder, "embeddings_project", None)

        def embed(**inputs: torch.Tensor) -> torch.Tensor:
            hidden: torch.Tensor = encoder.embeddings(**inputs)[0]
            return hidden if project is None else project(hidden)

        return cls(embed, model.config.pad_token_id or 0, first_position(model))

    def __call__(self, windows: Sequence[Window]) -> tuple[torch.Tensor, Layout]:
        """Embeddings [N, H] of windows in order of their length, and where they stand."""
        sequences = [window.input_ids for window in windows]
        inputs = table(sequences, pad_id=self.padding_id, first_position=self.first_position, aligned=True)
        layout: Layout = inputs.pop("layout")
        return self.embed(**inputs), layout


@dataclass(frozen=True)
class PackedEncoder:
    """A token-classification model, its adapter included, ready for tables of tokens.

    Attributes:
        embeddings: Of its base.
        layers: Layers in order; encoders of one base share those that no adapter touches, and those that equal ones do.
        head: Weight [L, H] and bias [L] of the labels that can be predicted.
        label_ids: Ids of these labels, shape [L].
    """

    embeddings: Embeddings
    layers: tuple[Layer, ...]
    head: tuple[torch.Tensor, torch.Tensor | None]
    label_ids: torch.Tensor

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Float32 logits [N, L] of a table."""
        return linear(hidden, *self.head)


def can_pack(model: Any) -> bool:  # noqa: ANN401 - of transformers or PEFT
    """Whether a model is one that this module computes."""
    return (
        has_bert_shape(model)
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and has_plain_adapters(model)
    )


def pack(models: Sequence[Packable], form: Format) -> list[PackedEncoder]:
    """Make models ready; it takes as long as a pass over some hundred tokens.

    Args:
        models: The models.
        form: How products are computed.
    """
    shared: dict[tuple[int, str], Layer] = {}
    packed = []
    for each in models:
        model, adapter = each.model, each.adapter
        if adapter:
            model.set_adapter(adapter)
        whole = model.get_base_model() if hasattr(model, "get_base_model") else model
        encoder = whole.base_model
        layers = []
        for layer in encoder.encoder.layer:
            touched = any(adapter_of(part) for part in linear_parts(layer))
            key = id(layer), each.encoder if touched else ""
            if key not in shared:
                shared[key] = _layer(layer, form)
            layers.append(shared[key])
        weight, bias, able = head_rows(model, adapter, each.columns)
        packed.append(PackedEncoder(Embeddings.of(model), tuple(layers), (weight, bias), able))
    return packed


def head_rows(
    model: Any,  # noqa: ANN401 - of transformers or PEFT
    adapter: str | None,
    columns: slice = slice(None),
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Weight [L, H], bias [L] and ids [L] of the labels that a head can predict.

    Args:
        model: The model.
        adapter: Name of its adapter, where it has several.
        columns: Labels of its own, where several heads stand side by side.
    """
    head = classifier(model, adapter)
    bias = (torch.zeros(head.out_features) if head.bias is None else head.bias.detach())[columns]
    able = torch.nonzero(bias > NEVER / 2)[:, 0]
    return head.weight.detach()[columns][able], bias[able], able


def _layer(layer: Any, form: Format) -> Layer:  # noqa: ANN401 - of transformers
    """Attention and feed-forward network, each with the norm of its sum with what it was given."""
    *three, out, middle, last = (effective_weight(part) for part in linear_parts(layer))
    into = _product(torch.cat([weight for weight, _ in three]), torch.cat([bias for _, bias in three]), form)  # type: ignore[misc]
    mixed, up, down = _product(*out, form), _product(*middle, form, gelu=True), _product(*last, form)
    attention, after = layer.attention.self, norms(layer)
    heads, scale = attention.num_attention_heads, attention.scaling
    dtype = torch.bfloat16 if form == "bfloat16" else torch.float32

    def forward(hidden: torch.Tensor, layout: Layout) -> torch.Tensor:
        found = attend(into(hidden.to(dtype)), layout, heads, scale)
        hidden = layer_norm(hidden + mixed(found), *after[0])
        return layer_norm(hidden + down(up(hidden.to(dtype))), *after[1])

    return forward


def _product(weight: torch.Tensor, bias: torch.Tensor | None, form: Format, *, gelu: bool = False) -> Product:
    """A product, and its GELU where asked for.

    Where there is AVX2 and no AVX-512, oneDNN's float32 products take an eighth longer than PyTorch's own (MKL's), and
    a GELU within them several times as long as one after them (`benchmarks/speed/products.py`).
    """
    if form == "float32" and torch.backends.cpu.get_cpu_capability() == "AVX2":
        return product(weight.t().contiguous().t(), bias, onednn=False, gelu=gelu)
    dtype = torch.bfloat16 if form == "bfloat16" else torch.float32
    return product(weight.to(dtype), bias if bias is None else bias.to(dtype), onednn=True, gelu=gelu)


def label_windows(
    encoders: Sequence[PackedEncoder],
    windows: Sequence[Window],
    wanted: Sequence[set[int]],
    batch_tokens: int,
    progress: Callable[[int], None] | None = None,
) -> list[dict[int, Labelled]]:
    """Labels of windows by each encoder; layers that all share run once for all.

    Args:
        encoders: Encoders of one base.
        windows: Windows of any texts.
        wanted: Indices of the windows that each labels.
        batch_tokens: Tokens of one batch, unless a single window has more.
        progress: Called with the number of windows done after each batch.

    Returns:
        Per encoder, index of the window -> its labels.
    """
    shared = 0
    for layers in zip(*(encoder.layers for encoder in encoders), strict=True):
        if len(encoders) == 1 or any(layer is not layers[0] for layer in layers):
            break
        shared += 1

    def run(batch: Sequence[int]) -> list[dict[int, Labelled]]:
        with torch.inference_mode():
            hidden, layout = encoders[0].embeddings([windows[i] for i in batch])
            for layer in encoders[0].layers[:shared]:
                hidden = layer(hidden, layout)
            found = []
            for encoder, own in zip(encoders, wanted, strict=True):
                chosen = [i for i in batch if i in own]
                rows = select(hidden, layout, [i in own for i in batch]) if chosen else None
                found.append(_labelled(encoder, *rows, chosen, windows, shared) if rows else {})
            return found

    batches = _batches(windows, sorted(set().union(*wanted)), batch_tokens)
    labelled: list[dict[int, Labelled]] = [{} for _ in encoders]
    with _workers() as workers:
        futures = {workers.submit(run, batch): len(batch) for batch in batches}
        for future in as_completed(futures):
            for all_found, found in zip(labelled, future.result(), strict=True):
                all_found |= found
            if progress:
                progress(futures[future])
    return labelled


def _labelled(
    encoder: PackedEncoder,
    hidden: torch.Tensor,
    layout: Layout,
    indices: Sequence[int],
    windows: Sequence[Window],
    done: int,
) -> dict[int, Labelled]:
    """Labels by one encoder, from the hidden states before its layer `done`."""
    for layer in encoder.layers[done:]:
        hidden = layer(hidden, layout)
    labelled = label_rows(encoder.logits(hidden), encoder.label_ids)
    return {i: labelled.part(start, len(windows[i])) for i, start in zip(indices, layout.starts, strict=True)}


def label_rows(logits: torch.Tensor, label_ids: torch.Tensor) -> Labelled:
    """The best labels of the rows of a table.

    Args:
        logits: Float32, shape [N, L].
        label_ids: Ids of the labels, shape [L].
    """
    best = logits.topk(min(MOST_LABELS, logits.shape[1]), dim=-1)
    scores = (best.values[:, 0] - logits.logsumexp(-1)).exp_().numpy()
    return Labelled(label_ids[best.indices].numpy(), (best.values[:, :1] - best.values).numpy(), scores)


def _batches(windows: Sequence[Window], indices: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Windows of like length together, the longest first, so that threads end at the same time."""
    batches: list[list[int]] = []
    size = batch_tokens
    for index in sorted(indices, key=lambda i: -len(windows[i])):
        rows = aligned_rows(len(windows[index]))
        if size + rows > batch_tokens:
            batches.append([])
            size = 0
        batches[-1].append(index)
        size += rows
    return batches


@contextmanager
def _workers() -> Iterator[ThreadPoolExecutor]:
    """Threads that share PyTorch's: a batch to each makes better use of two cores than two cores to each batch."""
    threads = torch.get_num_threads()
    number = min(threads, _THREADS)
    each: Any = threads // number
    try:
        with ThreadPoolExecutor(number, initializer=lambda: torch.set_num_threads(each)) as workers:
            yield workers
    finally:
        torch.set_num_threads(threads)
