"""Adapters added to the weights for a while, for tagging by encoders of any shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from zoo.kernels.int8 import Int8Layers, check_int8
from zoo.kernels.support import effective_weight, plain_lora_layers
from zoo.modeling.classifier import HEADS
from zoo.modeling.device import Precision


@contextmanager
def merged_lora(model: torch.nn.Module, *, precision: Precision) -> Iterator[None]:
    """Compute with `W + s B A` in the place of the two, until the block is left; the weights stay as they are.

    It takes as long as a pass over some hundred tokens, and memory for the weights once more. Logits are those of the
    two up to rounding.

    Args:
        model: A model with one active adapter, or none.
        precision: Number format that the sums are kept in: bfloat16 for bfloat16 autocast; int8 takes in all other
            linear layers but the head.

    Raises:
        ZooError: The processor does not compute in int8.
    """

    def linear(weight: torch.Tensor, bias: torch.Tensor | None) -> Callable[[torch.Tensor], torch.Tensor]:
        if precision == "int8":
            return integers.linear(weight, bias)
        if precision == "bfloat16":
            weight, bias = weight.bfloat16(), bias if bias is None else bias.bfloat16()
        return partial(torch.nn.functional.linear, weight=weight, bias=bias)

    integers, layers = Int8Layers(), plain_lora_layers(model)
    if precision == "int8":
        check_int8(next(model.parameters()).device)
        layers += _linear_layers(model)
    own = [(layer, vars(layer).get("forward")) for layer in layers]
    for layer in layers:
        layer.forward = linear(*effective_weight(layer))
    try:
        yield
    finally:
        for layer, forward in own:
            if forward is None:
                del layer.forward
            else:  # as training has made it
                layer.forward = forward


def _linear_layers(model: torch.nn.Module) -> list[Any]:
    """Linear layers outside of adapters and head."""
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils.other import ModulesToSaveWrapper

    tuned = (part for part in model.modules() if isinstance(part, BaseTunerLayer | ModulesToSaveWrapper))
    inside = {id(inner) for part in tuned for inner in part.modules()}
    return [
        module
        for name, module in model.named_modules()
        if type(module) is torch.nn.Linear and id(module) not in inside and name.rpartition(".")[2] not in HEADS
    ]
