"""How much of a model a recipe trains, counted from its shape: no weights are needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.modeling.heads import columns_of, heads_of
from zoo.modeling.lora import trained_share, with_lora
from zoo.registry.schema import Family

if TYPE_CHECKING:
    from zoo.modeling.labels import LabelSpace
    from zoo.registry.loader import Checkpoint

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


def expected_size(checkpoint: Checkpoint, family: Family, labels: LabelSpace) -> Size | None:
    """Count a checkpoint's parameters on a model without memory; None where its backbone's entry has no `config`.

    Args:
        checkpoint: Backbone, corpus and recipe. Several heads are counted where the recipe names their layout; `auto`
            is known only with the training data, and counted as one.
        family: Names of target and head modules.
        labels: Label space, which sizes a single head.
    """
    backbone, recipe, outputs = checkpoint.backbone, checkpoint.recipe, len(labels.labels)
    if backbone.config is None:
        return None
    layout = recipe.heads.layout
    if layout != "auto" and layout != "flat":
        heads = heads_of(layout, checkpoint.corpus.entity_types, recipe.heads.levels)
        outputs = sum(map(len, columns_of(heads, labels)))
    import torch
    from transformers import AutoConfig, AutoModelForTokenClassification

    shape: dict[str, Any] = dict(backbone.config)
    config = AutoConfig.for_model(shape.pop("model_type"), num_labels=outputs, **shape)
    with torch.device("meta"):
        model = with_lora(AutoModelForTokenClassification.from_config(config), family, recipe.lora)
        share = trained_share(model)
    return Size(share.trained_parameters, share.share, _BYTES_PER_PARAMETER * share.trained_parameters)
