"""Which models the kernels compute: encoders of BERT's shape on a CPU, with plain LoRA or without adapters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

_TYPES = frozenset({"bert", "electra", "roberta", "xlm-roberta"})


def has_bert_shape(model: Any) -> bool:  # noqa: ANN401 - of transformers or PEFT
    """Whether a model is on a CPU and its encoder's layers have the shape of BERT's."""
    config = model.config
    return (
        model.device.type == "cpu"
        and config.model_type in _TYPES
        and config.hidden_act == "gelu"
        and not config.is_decoder
    )


def linear_parts(layer: Any) -> list[Any]:  # noqa: ANN401 - of transformers
    """Linear layers of a layer of BERT's shape: query, key, value, the attention's output, and up and down."""
    own = layer.attention.self
    return [own.query, own.key, own.value, layer.attention.output.dense, layer.intermediate.dense, layer.output.dense]


def norms(layer: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - of transformers
    """The two norms of such a layer, as arguments of `layer_norm`."""
    both = layer.attention.output.LayerNorm, layer.output.LayerNorm
    return [(norm.normalized_shape, norm.weight.detach(), norm.bias.detach(), norm.eps) for norm in both]


def is_plain(layer: Any) -> bool:  # noqa: ANN401 - PEFT's layers are not typed
    """Whether a layer computes `W x + bias + s B A x` with one active adapter: no DoRA, nothing merged or off."""
    from peft.tuners.lora import Linear

    return (
        isinstance(layer, Linear)
        and type(layer.base_layer) is torch.nn.Linear
        and len(layer.active_adapters) == 1
        and not (layer.merged or layer.disable_adapters or layer.lora_variant or any(layer.lora_bias.values()))
    )


def has_plain_adapters(model: torch.nn.Module) -> bool:
    """Whether each adapter of a model, if it has any, is plain."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    return all(is_plain(layer) for layer in model.modules() if isinstance(layer, BaseTunerLayer))


def plain_lora_layers(model: torch.nn.Module) -> list[Any]:
    """Layers with a plain adapter on frozen weights."""
    layers: list[Any] = [layer for layer in model.modules() if is_plain(layer) and adapter_of(layer)]
    return [layer for layer in layers if not layer.base_layer.weight.requires_grad]


def adapter_of(layer: Any) -> tuple[Any, Any, float, Any] | None:  # noqa: ANN401 - PEFT's layers are not typed
    """A, B, scale and dropout of a plain layer's active adapter; None: it has none, or is no layer of PEFT's."""
    if not hasattr(layer, "base_layer"):
        return None
    (name,) = layer.active_adapters
    if name not in layer.lora_A:
        return None
    return layer.lora_A[name].weight, layer.lora_B[name].weight, layer.scaling[name], layer.lora_dropout[name]


def dropout_of(adapted: Sequence[tuple[Any, Any, float, Any]]) -> list[torch.nn.Dropout]:
    """Dropout of adapters; PEFT puts an `Identity` where there is none."""
    return [dropout for *_, dropout in adapted if isinstance(dropout, torch.nn.Dropout)]


def effective_weight(layer: Any) -> tuple[torch.Tensor, torch.Tensor | None]:  # noqa: ANN401
    """What a linear layer multiplies with, its plain adapter included: weight [N, K], and its bias."""
    base = getattr(layer, "base_layer", layer)
    adapter = adapter_of(layer)
    if adapter is None:
        return base.weight.detach(), base.bias
    a, b, scale, _ = adapter
    with torch.no_grad():
        return torch.addmm(base.weight.detach(), b, a, alpha=scale), base.bias
