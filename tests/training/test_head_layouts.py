"""One of several heads is an ordinary adapter: alone it computes what it does among all, in layouts of the paper."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

from tests.adapters import save_heads
from tests.layouts import LAYOUTS, save_layout
from tests.tiny import TEXTS, save_tiny_backbone
from tests.training.conftest import TYPES, family, label_space
from zoo.evaluation.oracle import pipeline_entities
from zoo.modeling.adapters import ADAPTER_WEIGHTS, head_folders
from zoo.modeling.backbones import BackboneFiles, build_base
from zoo.modeling.batches import forward, forward_heads
from zoo.modeling.heads import heads_of
from zoo.modeling.windows import aggregation_strategy
from zoo.tagging.tagger import Tagger

HEADS = heads_of("types-levels", TYPES, 2)
ALL_LAYOUTS = {**LAYOUTS, "modernbert": "modernbert"}


@pytest.mark.parametrize("layout", ALL_LAYOUTS)
def test_a_head_alone_computes_what_it_computes_among_all(layout: str, tmp_path: Path) -> None:
    kind = family(ALL_LAYOUTS[layout])
    if layout in LAYOUTS:
        save_layout(layout, tmp_path / "model")
    else:
        save_tiny_backbone(layout, tmp_path / "model")
    base = tmp_path / "base"
    build_base(BackboneFiles(tmp_path / "model", "here"), kind, label_space(), 32, base, 0)
    adapter = save_heads(tmp_path / "adapter", base, ALL_LAYOUTS[layout], label_space(), HEADS)

    tensors = [load_file(folder / ADAPTER_WEIGHTS) for folder in head_folders(adapter)]
    shared = [name for name in tensors[0] if "classifier" not in name]
    assert shared and all(each[name].equal(tensors[0][name]) for each in tensors[1:] for name in shared)

    tagger = Tagger.load(adapter, stride_tokens=8)
    calls: list[int] = []
    tagger.model.base_model.register_forward_hook(lambda *_: calls.append(1))
    windows, pad_id = tagger.encode(TEXTS), int(tagger.tokenizer.pad_token_id or 0)
    with tagger.base.using(*(head.adapter for head in tagger.heads)) as (model, names), torch.inference_mode():
        together = forward_heads(model, [(name, slice(None)) for name in names], windows, pad_id)
    assert len(calls) == 1
    for folder, logits in zip(head_folders(adapter), together, strict=True):
        plain = AutoModelForTokenClassification.from_pretrained(folder).eval()
        piped = pipeline("token-classification", str(folder), tokenizer=AutoTokenizer.from_pretrained(base))
        with torch.inference_mode():
            for alone in (plain, piped.model.cpu()):
                assert (forward(alone, windows, pad_id) - logits.cpu()).abs().max() == 0.0

    strategy = aggregation_strategy(tagger.tokenizer)
    tagger.tokenizer.model_max_length = tagger.window_tokens
    plainly = pipeline_entities(tagger, TEXTS, aggregation_strategy=strategy, stride=tagger.stride_tokens)
    found = tagger.tag(TEXTS)
    assert [[entity.key for entity in each] for each in plainly] == [[entity.key for entity in each] for each in found]
    assert sum(map(len, found)) > 10
