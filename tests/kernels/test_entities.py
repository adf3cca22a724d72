"""Packed encoders give transformers' logits, and `auto` the entities of float32."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model

from tests.tiny import TEXTS, TOKENIZER_OF, save_tiny_backbone, tiny_tokenizer
from zoo.kernels import entities
from zoo.kernels.entities import _CAUTION, _MANY, is_uncertain, likely_error
from zoo.kernels.infer import Labelled, Packable, can_pack, pack
from zoo.kernels.table import select
from zoo.modeling.batches import forward
from zoo.modeling.device import has_bfloat16
from zoo.modeling.windows import Window, decode, encode
from zoo.tagging import engine
from zoo.tagging.engine import find_entities
from zoo.tagging.models import Member
from zoo.tagging.tagger import Tagger

LABELS = ["O", "B-Disease", "I-Disease", "B-Chemical", "I-Chemical"]
WORDS = ["with", "asthma", ",", "she", "took", "aspirin", "and", "naloxone", "for", "gout", "."]
needs_bfloat16 = pytest.mark.skipif(not has_bfloat16(), reason="this processor does not compute in bfloat16")


def two_adapters(family: str, folder: Path, *, upper: bool = False) -> list[Tagger]:
    """A tiny encoder with two adapters, on all layers or on the last one alone, that find plenty."""
    from transformers import AutoModelForTokenClassification

    save_tiny_backbone(family, folder)
    torch.manual_seed(1)
    names: dict[str, Any] = {"num_labels": len(LABELS), "id2label": dict(enumerate(LABELS))}
    plain = AutoModelForTokenClassification.from_pretrained(folder, dtype=torch.float32, **names)
    with torch.no_grad():
        plain.classifier.weight.normal_(0, 1)
    targets = ["query", "key", "value", "dense", "query_proj", "value_proj"]
    layers = [plain.config.num_hidden_layers - 1] if upper else None
    config = LoraConfig(
        task_type="TOKEN_CLS", r=3, target_modules=targets, init_lora_weights=False, layers_to_transform=layers,
        modules_to_save=["classifier"],
    )  # fmt: skip
    tuned: Any = get_peft_model(plain, config, adapter_name="one")
    tuned.add_adapter("two", config)
    with torch.no_grad():
        tuned.get_base_model().classifier.modules_to_save["two"].weight.normal_(0, 1)
    tokenizer = tiny_tokenizer(TOKENIZER_OF[family])
    tokenizer.model_max_length = 32
    first = Tagger.of(tuned, tokenizer, stride_tokens=8)
    return [replace(first, heads=(Member(first.base, name),)) for name in ("one", "two")]


def packables(taggers: list[Tagger]) -> list[Packable]:
    return [Packable(each.model, head.adapter, str(head.adapter)) for each in taggers for head in each.heads]


def members(*taggers: Tagger) -> list[Member]:
    return [head for each in taggers for head in each.heads]


def windows_of(one: Tagger) -> list[Window]:
    texts = [*TEXTS, *(" ".join(WORDS[:size]) for size in range(1, len(WORDS))), " ".join(WORDS) * 5]
    found = encode(one.tokenizer, texts, window_tokens=one.window_tokens, stride_tokens=one.stride_tokens)
    return sorted(found, key=len)


def theirs(one: Tagger, windows: list[Window]) -> list[torch.Tensor]:
    one.model.set_adapter(one.heads[0].adapter)  # type: ignore[arg-type]
    with torch.inference_mode():
        return [forward(one.model, [window], int(one.tokenizer.pad_token_id or 0))[0] for window in windows]


@pytest.mark.parametrize("capability", ["AVX2", "AVX512"])  # products by PyTorch or by oneDNN
@pytest.mark.parametrize("family", ["bert", "electra", "roberta", "xlm-roberta"])
def test_logits_are_those_of_transformers(
    family: str, capability: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    taggers = two_adapters(family, tmp_path)
    windows = windows_of(taggers[0])
    encoders = pack(packables(taggers), "float32")
    kept = [number % 3 != 0 for number in range(len(windows))]
    for one, encoder in zip(taggers, encoders, strict=True):
        exact = theirs(one, windows)
        with torch.inference_mode():
            for choice in ([True] * len(windows), kept):
                hidden, layout = select(*encoder.embeddings(windows), choice)
                for layer in encoder.layers:
                    hidden = layer(hidden, layout)
                logits = encoder.logits(hidden)
                chosen = [logits_of for logits_of, wanted in zip(exact, choice, strict=True) if wanted]
                for start, each in zip(layout.starts, chosen, strict=True):
                    torch.testing.assert_close(logits[start : start + len(each)], each, rtol=1e-4, atol=1e-4)
    assert len({len(window) for window in windows}) > 10


def keys(found: list[list[list[Any]]]) -> list[list[list[tuple[int, int, str]]]]:
    return [[[entity.key for entity in each] for each in model] for model in found]


@pytest.mark.parametrize("family", ["bert", "deberta-v2"])
@pytest.mark.parametrize("precision", ["float32", pytest.param("auto", marks=needs_bfloat16)])
def test_together_they_find_what_each_finds_alone(
    family: str, precision: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "has_fast_bfloat16", lambda: True)
    taggers = two_adapters(family, tmp_path, upper=True)
    assert can_pack(taggers[0].model) == (family == "bert")
    windows = windows_of(taggers[0])
    done: list[int] = []
    found = keys(
        find_entities(
            members(*taggers), windows, precision=precision, merge=True, batch_tokens=100, progress=done.append
        )
    )
    alone = keys([find_entities(members(each), windows)[0] for each in taggers])
    assert found == alone
    assert alone[0] != alone[1] and sum(map(len, alone[0])) > 20
    assert sum(done) == len(windows) * (1 if family == "bert" else 2)


def test_layers_that_no_adapter_touches_are_shared(tmp_path: Path) -> None:
    taggers = two_adapters("bert", tmp_path, upper=True)
    one, two = pack(packables(taggers), "float32")
    assert [a is b for a, b in zip(one.layers, two.layers, strict=True)] == [True] * (len(one.layers) - 1) + [False]
    assert len(one.layers) > 1


@needs_bfloat16
def test_what_bfloat16_leaves_uncertain_is_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where bfloat16 is made far worse than it is, its errors are seen, and `auto` still finds what float32 finds."""
    monkeypatch.setattr(engine, "has_fast_bfloat16", lambda: True)
    (one, _) = two_adapters("bert", tmp_path)
    windows = windows_of(one)
    label, passes = entities.label_windows, []

    def worse(encoders: Any, windows: Any, wanted: Any, *rest: Any) -> Any:
        found = label(encoders, windows, wanted, *rest)
        passes.append(len(wanted[0]))
        if len(passes) == 1:
            found = [{i: _turned(each) for i, each in model.items()} for model in found]
        return found

    def _turned(each: Labelled) -> Labelled:
        ids = each.ids.copy()
        near = each.gaps[:, 1] < 1
        ids[near, :2] = ids[near, 1::-1]
        return Labelled(ids, each.gaps, each.scores)

    monkeypatch.setattr(entities, "label_windows", worse)
    found = keys(find_entities(members(one), windows, precision="auto", merge=True))
    assert found == keys(find_entities(members(one), windows))
    assert len(passes) > 2 and passes[0] == len(windows)


@pytest.mark.parametrize("scale", [0.01, 0.05])
def test_rare_errors_are_estimated_from_the_tail_of_many_and_from_the_largest_of_few(scale: float) -> None:
    errors = np.random.default_rng(0).exponential(scale, 20_000).astype(np.float32)
    assert likely_error(errors) == pytest.approx(scale * np.log(1000), rel=0.05)
    few = errors[: _MANY - 1]
    assert likely_error(few) == pytest.approx(_CAUTION * few.max())
    assert likely_error(errors[:0]) == 0


def test_small_inputs_and_other_processors_take_float32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "has_fast_bfloat16", lambda: False)
    monkeypatch.setattr(engine, "_batchwise", None)
    (one, _) = two_adapters("bert", tmp_path)
    windows = windows_of(one)
    passes = []
    label = entities.label_windows
    monkeypatch.setattr(entities, "label_windows", lambda *given: passes.append(given) or label(*given))  # type: ignore[func-returns-value]
    assert find_entities(members(one), windows, precision="auto", merge=True)
    assert len(passes) == 1


@settings(max_examples=300, deadline=None)
@given(data=st.data(), error=st.sampled_from([0.1, 0.5, 1.0]))
def test_a_certain_window_stands_any_smaller_error(data: st.DataObject, error: float) -> None:
    size = data.draw(st.integers(1, 8))
    seed = data.draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    spread = data.draw(st.sampled_from([0.3, 1.0, 4.0]))
    logits = random.normal(0, spread, (size, len(LABELS)))
    continues = random.random(size) < 0.4
    continues[0] = False
    starts = np.arange(size) * 3
    window = Window(0, list(range(size)), np.stack([starts, starts + 3], 1), np.ones(size, dtype=np.bool_), continues)
    if is_uncertain(window, labelled(logits), error, LABELS):
        return
    exact = labelled(logits)
    for _ in range(10):
        other = labelled(logits + random.choice([-1, 1], logits.shape) * error / 2 * 0.999)
        assert found_in(window, other) == found_in(window, exact)


def labelled(logits: Any) -> Labelled:
    order = np.argsort(-logits, axis=1, kind="stable")[:, :4]
    best = np.take_along_axis(logits, order, axis=1)
    return Labelled(order, best[:, :1] - best, 1 / np.exp(logits - best[:, :1]).sum(1))


def found_in(window: Window, each: Labelled) -> list[tuple[int, int, str]]:
    return [entity.key for entity in decode(window, each.ids[:, 0], each.scores, LABELS)]
