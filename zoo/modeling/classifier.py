"""The last layer of a token-classification model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel

HEADS = ("classifier", "score")
"""Names that transformers gives the last linear layer."""


def classifier(model: PreTrainedModel | PeftModel, adapter: str | None = None) -> torch.nn.Linear:
    """The last linear layer of a token-classification model, with an adapter: of the one that is named, or active."""
    layer: torch.nn.Linear = getattr(*_place(model, adapter))
    return layer


def replace_classifier(model: PreTrainedModel | PeftModel, layer: torch.nn.Linear) -> None:
    """Put another layer in the place of the last one, with adapters: of the active one."""
    setattr(*_place(model, None), layer)


def _place(model: PreTrainedModel | PeftModel, adapter: str | None) -> tuple[torch.nn.Module, str]:
    """The module that holds the last linear layer, and its name there."""
    import torch

    whole: Any = model.get_base_model() if hasattr(model, "get_base_model") else model
    for name in HEADS:
        holder: Any = whole
        head: Any = getattr(whole, name, None)
        if hasattr(head, "modules_to_save"):  # PEFT's wrapper around a module that is trained in full
            holder, name = head.modules_to_save, adapter or head.active_adapters[0]
            head = holder[name]
        if isinstance(head, torch.nn.Linear):
            return holder, name
    raise ZooError(f"{type(whole).__name__} has no linear layer named classifier or score")
