"""Random adapters that find plenty, on tiny bases: what tests of loading and tagging need, in a second."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.tiny import TOKENIZER_OF, save_tiny_backbone, tiny_tokenizer

if TYPE_CHECKING:
    from zoo.modeling.heads import Head
    from zoo.modeling.labels import LabelSpace

LABELS = ("O", "B-Disease", "I-Disease", "B-Chemical", "I-Chemical")


def save_base(folder: Path, *, family: str = "bert", fingerprint: str = "", seed: int = 0) -> Path:
    """A base with five labels, windows of 32 tokens, and random weights that differ by seed."""
    import torch
    from transformers import AutoModelForTokenClassification

    save_tiny_backbone(family, folder)
    labels: dict[str, Any] = {"num_labels": len(LABELS), "id2label": dict(enumerate(LABELS))}
    model = AutoModelForTokenClassification.from_pretrained(folder, **labels)
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.base_model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    model.save_pretrained(folder)
    tokenizer = tiny_tokenizer(TOKENIZER_OF[family])
    tokenizer.model_max_length = 32
    tokenizer.save_pretrained(folder)
    if fingerprint:
        (folder / "zoo_base.json").write_text(json.dumps({"fingerprint": fingerprint}))
    return folder


def save_adapter(folder: Path, base: Path, *, seed: int) -> Path:
    """A random adapter with a head of its own."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForTokenClassification

    from zoo.modeling import lora

    torch.manual_seed(seed)
    model = AutoModelForTokenClassification.from_pretrained(base)
    targets = ["query", "value"] if hasattr(model.config, "hidden_act") else ["Wqkv"]
    config = LoraConfig(
        task_type="TOKEN_CLS", r=4, lora_alpha=8, target_modules=targets, modules_to_save=["classifier"]
    )
    tuned: Any = get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in tuned.named_parameters():
            if parameter.requires_grad:
                parameter.normal_(0, 0.4 if "classifier" in name else 0.3)  # softmax is far from 1: no ties
    lora.round_adapter(tuned)
    lora.save_adapter(tuned, folder, str(base.resolve()))
    return folder


def save_heads(folder: Path, base: Path, family: str, labels: LabelSpace, heads: Sequence[Head]) -> Path:
    """A random LoRA on a base of the zoo with several random heads, written as a training does."""
    import torch

    from zoo.modeling import lora
    from zoo.modeling.adapters import HEADS_FOLDER, write_heads
    from zoo.registry.loader import load_registry
    from zoo.registry.recipes import LoraRecipe

    model = lora.attach_lora(base, load_registry().families[family], LoraRecipe(rank=4), labels, heads, 0).cpu()
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.1)
            elif parameter.requires_grad and "classifier" in name:
                parameter.normal_(0, 0.3)
    lora.round_adapter(model)
    for number, head in enumerate(lora.each_head(model, labels, heads)):
        lora.save_adapter(model, folder / HEADS_FOLDER / head.name if number else folder, str(base.resolve()))
    write_heads(folder, [asdict(head) for head in heads])
    return folder
