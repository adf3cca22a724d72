"""How much of a model a recipe trains, counted from its shape: no weights are needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.modeling.lora import trained_share, with_lora
from zoo.registry.recipes import LoraRecipe
from zoo.registry.schema import Backbone, Family

if TYPE_CHECKING:
    from zoo.modeling.labels import LabelSpace

_BYTES_PER_PARAMETER = 2


@dataclass(frozen=True)
class Size:
    """What a checkpoint trains and ships.

    Attributes:
        trained_parameters: LoRA matrices and head.
        trained_share: Of all parameters that a pipeline loads.
        adapter_bytes: Of the trained parameters in float16; the file has a few kB more.
    """

    trained_parameters: int
    trained_share: float
    adapter_bytes: int


def expected_size(backbone: Backbone, family: Family, recipe: LoraRecipe, labels: LabelSpace) -> Size | None:
    """Count a checkpoint's parameters on a model without memory; None where the entry has no `config`.

    Args:
        backbone: Entry with the shape of its architecture.
        family: Names of target and head modules.
        recipe: Rank and targets.
        labels: Label space, which sizes the head.
    """
    if backbone.config is None:
        return None
    import torch
    from transformers import AutoConfig, AutoModelForTokenClassification

    shape: dict[str, Any] = dict(backbone.config)
    config = AutoConfig.for_model(shape.pop("model_type"), num_labels=len(labels.labels), **shape)
    with torch.device("meta"):
        model = with_lora(AutoModelForTokenClassification.from_config(config), family, recipe)
        share = trained_share(model)
    return Size(share.trained_parameters, share.share, _BYTES_PER_PARAMETER * share.trained_parameters)
