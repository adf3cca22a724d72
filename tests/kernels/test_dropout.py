"""Dropout by random bytes drops what it should, and says so to the gradient."""

from __future__ import annotations

import math

import pytest
import torch

from tests.tiny import save_tiny_backbone
from zoo.kernels.dropout import dropout_mask, fast_dropout


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("share", "zeros"), [(0.1, 26), (0.5, 128), (0.0001, 1), (0.9999, 255)])
def test_masks_hold_the_right_share_of_zeros_and_keep_the_mean(share, zeros, dtype):
    torch.manual_seed(0)
    mask = dropout_mask(torch.empty(301, 499, dtype=dtype), share)
    assert mask.dtype == dtype
    kept = torch.tensor(256 / (256 - zeros), dtype=dtype)
    assert set(mask.unique().tolist()) == {0.0, kept.item()}
    expected, size = zeros / 256, mask.numel()
    found = (mask == 0).float().mean().item()
    assert abs(found - expected) < 5 * math.sqrt(expected * (1 - expected) / size)
    for axis in (0, 1):  # no row and no column stands out
        along = (mask == 0).float().mean(axis)
        assert (along - expected).abs().max() < 6 * math.sqrt(expected * (1 - expected) / mask.shape[axis])


def test_the_seed_alone_decides():
    def drawn(seed):
        torch.manual_seed(seed)
        return [dropout_mask(torch.empty(5, 7), 0.3) for _ in range(2)]

    (one, other), again, different = drawn(1), drawn(1), drawn(2)
    assert torch.equal(one, again[0]) and torch.equal(other, again[1])
    assert not torch.equal(one, other) and not torch.equal(one, different[0])


def test_gradients_pass_where_values_do():
    x = torch.randn(13, 11, requires_grad=True)
    with fast_dropout(torch.nn.Linear(1, 1)):
        y = torch.nn.Dropout(0.25)(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(y, x * gradient)
    torch.testing.assert_close(gradient.unique(), torch.tensor([0.0, 4 / 3]))


@pytest.mark.parametrize("family", ["bert", "deberta-v2", "electra", "modernbert"])
def test_every_dropout_of_a_model_is_taken_over_and_given_back(family, tmp_path, monkeypatch):
    from transformers import AutoModelForTokenClassification

    save_tiny_backbone(family, tmp_path / "model")
    model = AutoModelForTokenClassification.from_pretrained(
        tmp_path / "model", dtype=torch.float32, attn_implementation="eager"
    )
    for name in [name for name in vars(model.config) if "dropout" in name]:
        monkeypatch.setattr(model.config, name, 0.5)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.5
    own, ids = torch.nn.functional.dropout, torch.arange(5, 26).view(3, 7)
    still = model.eval()(input_ids=ids).logits
    drawn = []
    monkeypatch.setattr(
        torch.nn.functional, "dropout", lambda *given, **named: drawn.append(given) or own(*given, **named)
    )
    watched = torch.nn.functional.dropout
    with pytest.raises(RuntimeError, match="killed"), fast_dropout(model):
        assert torch.equal(model(input_ids=ids).logits, still)
        drawn.clear()
        assert not torch.equal(model.train()(input_ids=ids).logits, still)
        assert not [given for given in drawn if given[1:2] not in ((0,), (0.0,))], "PyTorch's own dropout was called"
        raise RuntimeError("killed")
    assert torch.nn.functional.dropout is watched
