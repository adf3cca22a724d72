"""The fused LoRA layers compute what PEFT's compute, forward and backward."""

from __future__ import annotations

import copy
import re

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import Linear

from tests.tiny import save_tiny_backbone
from zoo.kernels.dropout import dropout_mask
from zoo.kernels.train import fused_lora, training_kernels, whole_layers
from zoo.modeling.batches import first_position
from zoo.modeling.lora import open_dropout
from zoo.modeling.windows import IGNORED, Window
from zoo.training.batching import pack_batch, pad_batch

TARGETS = ("query", "key", "value", "dense", "query_proj", "key_proj", "value_proj", "Wqkv", "Wi", "Wo")


def lora(**options):
    return LoraConfig(**{"task_type": "TOKEN_CLS", "r": 3, "target_modules": list(TARGETS), **options})


def with_lora(family, folder, **options):
    """A tiny model; B of its adapters is not 0 as at the start, which would hide half of the gradient."""
    from transformers import AutoModelForTokenClassification

    save_tiny_backbone(family, folder)
    plain = AutoModelForTokenClassification.from_pretrained(folder, dtype=torch.float32)
    torch.manual_seed(0)
    tuned = get_peft_model(plain, lora(**options))
    for name, parameter in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    return tuned.eval()


def takes_tables(model):
    with training_kernels(model, bfloat16=False) as tables:
        return tables


@pytest.fixture(params=[False, True], ids=["linear", "whole"])
def whole(request):
    """Whether encoder layers are fused as well."""
    return request.param


@pytest.fixture(params=["bert", "electra", "deberta-v2", "roberta", "modernbert"])
def model(request, tmp_path):
    return with_lora(request.param, tmp_path / "model")


def gradients(model, ids):
    model.zero_grad()
    mask = torch.ones_like(ids)
    mask[0, 4:] = 0
    logits = model(input_ids=ids, attention_mask=mask).logits
    (logits * torch.linspace(-1, 1, logits.numel()).view_as(logits)).sum().backward()
    return logits.detach(), {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def assert_same_logits_and_gradients(model, whole):
    ids = torch.randint(5, 50, (3, 7))
    logits, wanted = gradients(model, ids)
    with fused_lora(model, bfloat16=False, whole=whole) as layers:
        assert layers == sum(isinstance(module, Linear) for module in model.modules()) > 0
        fused, found = gradients(model, ids)
    torch.testing.assert_close(fused, logits, rtol=1e-4, atol=1e-5)
    assert found.keys() == wanted.keys()
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-5, msg=name)


def test_same_logits_and_gradients_in_float32(model, whole):
    assert_same_logits_and_gradients(model, whole)


@pytest.mark.parametrize("family", ["bert", "roberta"])
@pytest.mark.parametrize(
    "options",
    [
        {"target_modules": ["query", "value"]},
        {"target_modules": ["key", "output.dense"]},
        {"target_modules": ["intermediate.dense"], "layers_to_transform": [0]},
        {"layers_to_transform": [1]},
        {"rank_pattern": {"query": 2, "value": 5}, "alpha_pattern": {"value": 7}},
    ],
    ids=["query-value", "key-output", "lower", "upper", "ranks"],
)
def test_layers_are_taken_whole_wherever_their_adapters_stand(family, options, tmp_path):
    model = with_lora(family, tmp_path / "model", **options)
    assert takes_tables(model)
    assert_same_logits_and_gradients(model, whole=True)


def test_a_table_of_tokens_has_the_logits_and_gradients_of_padded_windows(model):
    if not takes_tables(model):
        pytest.skip("no layers of BERT's shape")
    pairs = [(window(size), [[size] * size]) for size in (13, 3, 4, 30, 9, 7, 3) * 4]
    pad_id = model.config.pad_token_id
    padded = pad_batch(sorted(pairs, key=lambda pair: -len(pair[0])), pad_id=pad_id, step=4, most=30)
    table = pack_batch(pairs, pad_id=pad_id, first_position=first_position(model))
    assert len(table.inputs["layout"].groups) > 1
    assert table.gold.numel() < padded.gold.numel() and not table.gold.numel() % 64
    assert torch.equal(table.gold[table.gold != IGNORED], padded.gold[padded.gold != IGNORED])

    def of(batch):
        model.zero_grad()
        logits = model(**batch.inputs).logits.flatten(0, 1)[batch.gold[0] != IGNORED]
        (logits * torch.linspace(-1, 1, logits.numel()).view_as(logits)).sum().backward()
        return logits.detach(), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    with fused_lora(model, bfloat16=False):
        (logits, wanted), (packed, found) = of(padded), of(table)
    torch.testing.assert_close(packed, logits, rtol=1e-4, atol=1e-5)
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-5, msg=name)


def window(size):
    ids = torch.randint(5, 50, (size,)).tolist()
    return Window(0, ids, np.zeros((size, 2), int), np.ones(size, bool), np.zeros(size, bool))


def test_bfloat16_is_as_close_as_autocast(model, whole):
    assert_as_close_as_autocast(model, whole)


def test_bfloat16_is_as_close_as_autocast_where_products_have_no_adapter(tmp_path):
    model = with_lora("bert", tmp_path / "model", target_modules=["query", "value"])
    assert takes_tables(model)
    assert_as_close_as_autocast(model, whole=True)


def assert_as_close_as_autocast(model, whole):
    ids = torch.randint(5, 50, (3, 7))
    exact, wanted = gradients(model, ids)
    with torch.autocast("cpu", torch.bfloat16):
        theirs, _ = gradients(model, ids)
        with fused_lora(model, bfloat16=True, whole=whole):
            ours, found = gradients(model, ids)
    assert (ours.float() - exact).abs().max() < 2 * (theirs.float() - exact).abs().max() + 1e-3
    assert found.keys() == wanted.keys()
    for name, gradient in wanted.items():
        assert found[name].dtype is torch.float32
        assert (found[name] - gradient).norm() < 0.1 * gradient.norm() + 1e-3, name


def test_pefts_own_layers_are_back_afterwards(model):
    ids = torch.randint(5, 50, (2, 5))
    before, _ = gradients(model, ids)
    with pytest.raises(RuntimeError, match="killed"), fused_lora(model, bfloat16=True):
        raise RuntimeError("killed")
    after, _ = gradients(model, ids)
    assert torch.equal(before, after)


def test_dropout_reaches_the_adapter_alone_and_its_gradient_is_right(model):
    (layer,) = [m for m in model.modules() if isinstance(m, Linear)][:1]
    layer.lora_dropout["default"] = torch.nn.Dropout(0.5).train()
    x = torch.randn(5, layer.in_features, requires_grad=True)

    def once(inputs):
        torch.manual_seed(1)
        return layer(inputs)

    with fused_lora(model, bfloat16=False, whole=False):
        drawn = [layer(x).detach() for _ in range(200)]
        assert not torch.equal(drawn[0], drawn[1])
        torch.manual_seed(1)
        a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
        kept = dropout_mask(x, 0.5)
        expected = layer.base_layer(x) + (x * kept) @ a.t() @ b.t() * layer.scaling["default"]
        torch.testing.assert_close(once(x), expected, rtol=1e-4, atol=1e-5)
        for inputs in (x, a, b):
            (found,) = torch.autograd.grad(once(x).square().sum(), inputs)
            (wanted,) = torch.autograd.grad(expected.square().sum(), inputs, retain_graph=True)
            torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)
    layer.lora_dropout["default"].eval()
    torch.testing.assert_close(torch.stack(drawn).mean(0), layer(x).detach(), rtol=0.2, atol=0.2)


def test_layers_that_are_more_than_plain_lora_stay_as_they_are(model):
    base = copy.deepcopy(model.unload())
    tuned = get_peft_model(copy.deepcopy(base), lora(use_dora=True))
    with fused_lora(tuned, bfloat16=False) as layers:
        assert layers == 0


def test_whole_layers_are_taken_where_they_have_the_shape_of_berts(model):
    like_bert = model.config.model_type in ("bert", "electra", "roberta")
    assert len(whole_layers(model)) == (model.config.num_hidden_layers if like_bert else 0)


def test_a_model_that_is_trained_in_full_stays_as_it_is(tmp_path):
    from transformers import AutoModelForTokenClassification

    save_tiny_backbone("bert", tmp_path / "model")
    plain = AutoModelForTokenClassification.from_pretrained(tmp_path / "model", dtype=torch.float32)
    assert whole_layers(plain) == [] and not takes_tables(plain)


def test_layers_with_other_weights_to_train_are_not_taken_whole(tmp_path):
    model = with_lora("bert", tmp_path / "model", target_modules=["query", "value"])
    layers = model.base_model.model.base_model.encoder.layer
    layers[1].output.dense.weight.requires_grad_(True)
    assert whole_layers(model) == [layers[0]] and not takes_tables(model)


@pytest.mark.parametrize("options", [{}, {"target_modules": ["query", "value"]}], ids=["all", "query-value"])
def test_whole_layers_drop_out_what_each_adapter_is_given(options, tmp_path):
    model = with_lora("bert", tmp_path / "model", lora_dropout=0.5, **options)
    open_dropout(model, backbone=False)
    ids = torch.randint(5, 50, (3, 7))

    def drawn(whole):
        with torch.no_grad(), fused_lora(model, bfloat16=False, whole=whole):
            return torch.stack([model(input_ids=ids).logits for _ in range(200)])

    wanted, found = drawn(whole=False), drawn(whole=True)  # the first is tested above
    assert float(found.std(0).mean()) == pytest.approx(float(wanted.std(0).mean()), rel=0.1)
    torch.testing.assert_close(found.mean(0), wanted.mean(0), rtol=0, atol=0.3 * float(wanted.std(0).max()))
    model.eval()
    assert torch.equal(*drawn(whole=True)[:2])


@pytest.mark.parametrize("part", ["lora", r"\.(query|key)\.lora"], ids=["all", "what attends"])
@pytest.mark.parametrize("family", ["bert", "electra", "roberta"])
@pytest.mark.parametrize(
    "options",
    [{}, {"lora_dropout": 0.25}, {"lora_dropout": 0.25, "target_modules": ["query", "value"]}],
    ids=["backbone", "adapters", "query-value"],
)
def test_gradient_of_whole_layers_is_right_with_dropout(family, options, part, tmp_path):
    model = with_lora(family, tmp_path / "model", **options)
    assert takes_tables(model)
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.25
    with torch.no_grad():  # attention that depends on what it sees, or its dropout has next to no gradient
        for name, parameter in model.named_parameters():
            if re.search(r"\.(query|key)\.(base_layer\.)?weight", name):
                parameter.mul_(20)
    ids, step = torch.randint(5, 50, (3, 7)), 1e-3

    def drawn():
        torch.manual_seed(1)
        return gradients(model, ids)

    def value(logits):
        return (logits * torch.linspace(-1, 1, logits.numel()).view_as(logits)).double().sum().item()

    with fused_lora(model, bfloat16=False):
        logits, found = drawn()
        assert torch.equal(drawn()[0], logits)
        assert not torch.equal(gradients(model, ids)[0], logits)
        named = {name: p for name, p in model.named_parameters() if re.search(part, name)}
        ways = {name: torch.randn_like(p) for name, p in named.items()}
        expected = sum((found[name] * way).sum().item() for name, way in ways.items())
        sides = []
        for sign in (1, -2):
            with torch.no_grad():
                for name, parameter in named.items():
                    parameter.add_(ways[name], alpha=sign * step)
            sides.append(value(drawn()[0]))
    assert (sides[0] - sides[1]) / (2 * step) == pytest.approx(expected, rel=0.01)
