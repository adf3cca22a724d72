"""Tagging in 8-bit integers: close to float32, the same in any batch, and refused where it would not be."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tests.tiny import save_tiny_backbone
from zoo.errors import ZooError
from zoo.kernels.int8 import Int8Layers, check_int8
from zoo.kernels.merged import merged_lora

vnni = pytest.mark.skipif(not torch.cpu._is_vnni_supported(), reason="the processor does not compute in int8")


@vnni
@pytest.mark.parametrize("bias", [True, False])
def test_products_are_those_of_rounded_numbers(bias: bool) -> None:
    torch.manual_seed(0)
    x, weight, added = torch.randn(2, 5, 48), torch.randn(20, 48), torch.randn(20) if bias else None
    x[0, 0] = 0.0  # a row of zeros has no scale
    x[1, 4] *= 1e4

    def rounded(rows: torch.Tensor) -> torch.Tensor:
        scale = rows.abs().amax(-1, keepdim=True).clamp(min=1e-30) / 127
        return (rows / scale).round() * scale

    ours = Int8Layers().linear(weight, added)(x)
    torch.testing.assert_close(
        ours, torch.nn.functional.linear(rounded(x), rounded(weight), added), rtol=1e-4, atol=1e-4
    )
    assert (ours - torch.nn.functional.linear(x, weight, added)).abs().max() > 0


@vnni
def test_an_input_changed_in_between_is_not_taken_for_the_old_one() -> None:
    layers = Int8Layers()
    double, same = layers.linear(2 * torch.eye(4), None), layers.linear(torch.eye(4), None)
    for value in (1.0, 3.0):
        x = torch.full((1, 4), value)
        assert double(x).allclose(2 * x)
        assert same(x).allclose(x)
        del x


@vnni
@pytest.mark.parametrize("family", ["bert", "deberta-v2", "electra", "modernbert"])
def test_a_whole_model_is_close_and_a_row_does_not_depend_on_its_batch(family: str, tmp_path: Path) -> None:
    from transformers import AutoModelForTokenClassification

    save_tiny_backbone(family, tmp_path / "model")
    model = AutoModelForTokenClassification.from_pretrained(tmp_path / "model", dtype=torch.float32).eval()
    ids = torch.arange(5, 26).view(3, 7)
    with torch.inference_mode():
        exact = model(input_ids=ids).logits
        with merged_lora(model, precision="int8"):
            ours, alone = model(input_ids=ids).logits, model(input_ids=ids[:1]).logits
        assert torch.equal(model(input_ids=ids).logits, exact)
    assert not torch.equal(ours, exact), "nothing was computed in integers"
    assert (ours - exact).norm() < 0.1 * exact.norm()
    torch.testing.assert_close(ours[:1], alone)


def test_other_machines_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZooError, match="for CPUs"):
        check_int8(SimpleNamespace(type="cuda"))  # type: ignore[arg-type]
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: False)
    with pytest.raises(ZooError, match="VNNI") as caught:
        check_int8(torch.device("cpu"))
    assert caught.value.fix
