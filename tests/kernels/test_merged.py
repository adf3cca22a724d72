"""Adapters that are added to the weights for a while give the logits that they give beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model

from tests.tiny import save_tiny_backbone
from zoo.kernels.merged import merged_lora
from zoo.kernels.support import plain_lora_layers


@pytest.fixture(params=["bert", "deberta-v2", "modernbert"])
def model(request: Any, tmp_path: Path) -> Any:
    """A tiny encoder with the adapters `one` and `two`, the first active."""
    from transformers import AutoModelForTokenClassification

    save_tiny_backbone(request.param, tmp_path / "model")
    plain = AutoModelForTokenClassification.from_pretrained(tmp_path / "model", dtype=torch.float32)
    torch.manual_seed(0)
    targets = ["query", "value", "dense", "query_proj", "Wqkv", "Wi"]
    config = LoraConfig(task_type="TOKEN_CLS", r=3, target_modules=targets, init_lora_weights=False)
    tuned = get_peft_model(plain, config, adapter_name="one")
    tuned.add_adapter("two", config)
    return tuned.eval()


def logits(model: Any, *, bfloat16: bool = False) -> torch.Tensor:
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        found: torch.Tensor = model(input_ids=torch.arange(5, 26).view(3, 7)).logits
    return found.float()


def test_same_logits_with_each_adapter_and_the_weights_stay(model: Any) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    seen = []
    for adapter in ("one", "two"):
        model.set_adapter(adapter)
        beside = logits(model)
        with torch.inference_mode(), merged_lora(model, precision="float32"):
            torch.testing.assert_close(logits(model), beside, rtol=1e-4, atol=1e-4)
        assert torch.equal(logits(model), beside)
        seen.append(beside)
    assert plain_lora_layers(model)
    assert not torch.allclose(*seen)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_bfloat16_is_as_close_as_autocast(model: Any) -> None:
    exact, theirs = logits(model), logits(model, bfloat16=True)
    with merged_lora(model, precision="bfloat16"):
        ours = logits(model, bfloat16=True)
    assert (ours - exact).abs().max() < 3 * (theirs - exact).abs().max() + 1e-3


def test_pefts_own_layers_are_back_after_an_error(model: Any) -> None:
    beside = logits(model)
    with pytest.raises(RuntimeError, match="stopped"), merged_lora(model, precision="bfloat16"):
        raise RuntimeError("stopped")
    assert torch.equal(logits(model), beside)


def test_within_training_the_layers_of_training_are_back_afterwards(model: Any) -> None:
    from zoo.kernels.train import fused_lora

    with fused_lora(model, bfloat16=False, whole=False):
        (layer, *_) = plain_lora_layers(model)
        own = layer.forward
        with merged_lora(model, precision="float32"):
            assert layer.forward is not own
        assert layer.forward is own
