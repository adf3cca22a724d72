"""The layouts of the paper's backbones go through every stage; a pickle that holds code goes through none."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.layouts import LAYOUTS, save_layout
from tests.loopback_hub import LoopbackHub
from tests.publishing import Waits
from tests.tiny import TEXTS
from tests.training.conftest import TYPES, family, label_space, recipe, sentences
from zoo.errors import ZooError
from zoo.modeling.backbones import BackboneFiles, build_base, locate_backbone
from zoo.modeling.heads import heads_of
from zoo.modeling.lora import attach_lora
from zoo.registry.loader import load_registry
from zoo.registry.recipes import DaptRecipe
from zoo.training.dapt import adapt, merge
from zoo.training.finetune import finetune
from zoo.training.masked_lm import load_masked_language_model


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_pre_trained_made_a_base_and_fine_tuned(layout: str, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder, kind = tmp_path / "model", family(LAYOUTS[layout])
    save_layout(layout, folder)
    entry = load_registry().backbone(layout).model_copy(update={"package": None, "path": "model"})
    files = locate_backbone(entry, tmp_path)
    assert files.folder == folder and "pickle" in files.origin
    words, rng = [word for text in TEXTS[:4] for word in text.split()], random.Random(0)
    texts = [" ".join(rng.choices(words, k=12)) for _ in range(16)]
    given: dict[str, Any] = {"batch_size": 4, "precision": "float32", "learning_rate": 1e-2, "head_learning_rate": 1e-2}
    log = adapt(
        folder, kind, texts, [range(16)], texts[:4], recipe=DaptRecipe(**given), destination=tmp_path / "adapter"
    )
    assert log.head_trained == (layout in ("deberta-v3-large", "bioelectra-base"))
    assert 1 < log.perplexity_after < 250, "of some 200 tokens chance is right once"
    merge(folder, kind, tmp_path / "adapter", tmp_path / "merged")
    base = tmp_path / "base"
    build_base(BackboneFiles(tmp_path / "merged", files.origin), kind, label_space(), 32, base, 0)
    assert {str(tensor.dtype) for tensor in load_file(base / "model.safetensors").values()} == {"torch.float32"}
    assert (base / "tokenizer.json").is_file() and not list(base.glob("*.bin"))
    tuned = recipe(epochs=2)
    model = attach_lora(base, kind, tuned.lora, label_space(), heads_of("flat", TYPES), tuned.seed)
    training = finetune(
        model,
        AutoTokenizer.from_pretrained(base),
        sentences(2),
        sentences(1),
        labels=label_space(),
        heads=heads_of("flat", TYPES),
        recipe=tuned.finetune,
        stride_tokens=8,
        seed=tuned.seed,
    )
    assert training.epochs[-1].loss < training.epochs[0].loss


class Code:
    """What runs when it is unpickled by a careless reader."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self.mark),))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_pickle_with_code_is_refused_and_nothing_of_it_runs(layout: str, tmp_path: Path) -> None:
    folder, mark = tmp_path / "model", tmp_path / "ran"
    save_layout(layout, folder)
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    torch.save({**weights, "more": Code(mark)}, folder / "pytorch_model.bin")
    kind = family(LAYOUTS[layout])
    for load in (
        lambda: build_base(BackboneFiles(folder, "here"), kind, label_space(), 32, tmp_path / "base", 0),
        lambda: load_masked_language_model(folder, kind),
    ):
        with pytest.raises(ZooError, match=r"hold more than tensors \(posix.mkdir\): nothing of them was run") as error:
            load()
        assert str(folder) in str(error.value) and "another revision" in str(error.value)
    assert not mark.exists() and not (tmp_path / "base").exists()


@pytest.mark.parametrize("content", [b"no pickle at all" * 20, b""])
def test_damaged_weights_are_one_error(content: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    save_layout("pubmedbert-large", folder)
    (folder / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(ZooError, match="the weights cannot be read"):
        load_masked_language_model(folder, family())


def test_safetensors_beside_a_pickle_are_what_is_read(tmp_path: Path) -> None:
    from transformers import BertForMaskedLM

    folder = tmp_path / "model"
    save_layout("pubmedbert-large", folder)
    BertForMaskedLM.from_pretrained(folder).save_pretrained(tmp_path / "safe")
    shutil.copy(tmp_path / "safe" / "model.safetensors", folder)
    (folder / "pytorch_model.bin").write_bytes(b"never read")
    load_masked_language_model(folder, family())


def test_a_pickle_is_fetched_only_where_the_hub_has_no_safetensors(
    client: Waits, hub: LoopbackHub, tmp_path: Path
) -> None:
    save_layout("pubmedbert-large", tmp_path / "model")
    content: dict[str, bytes | None] = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    backbone = load_registry().backbone("pubmedbert-large")
    hub_id = str(backbone.hub_id)
    more: dict[str, bytes | None] = {"README.md": b"#", "flax_model.msgpack": b"x", "onnx/model.safetensors": b"x"}
    plain = hub.put(hub_id, content | more)
    safe = hub.put(hub_id, {"model.safetensors": b"weights"})

    def locate(revision: str) -> tuple[str, list[str]]:
        files = locate_backbone(backbone.model_copy(update={"revision": revision}), tmp_path)
        return files.origin, sorted(path.name for path in files.folder.rglob("*") if path.is_file())

    origin, names = locate(plain)
    assert origin == f"{hub_id}@{plain}; its weights are a pickle alone, read as tensors and nothing else"
    assert names == ["config.json", "pytorch_model.bin", "tokenizer_config.json", "vocab.txt"]
    assert locate(safe) == (f"{hub_id}@{safe}", ["config.json", "model.safetensors", *names[2:]])
