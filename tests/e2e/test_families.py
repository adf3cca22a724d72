"""Every architecture family, end to end: the real command trains it, plain transformers + peft load what it wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import FAMILIES, TINY_SENTENCES
from tests.in_process import Zoo

PLAIN = """
import json, sys
import torch
from transformers import AutoModelForTokenClassification, pipeline
from peft import AutoPeftModelForTokenClassification

texts = json.loads(sys.argv[1])


def logits(model, tokenizer):
    with torch.inference_mode():
        return [model(**tokenizer(text, return_tensors="pt")).logits.tolist() for text in texts]


for line in sys.stdin:
    adapter, strategy, stride = json.loads(line)
    ner = pipeline("token-classification", model=adapter, aggregation_strategy=strategy, stride=stride)
    entities = [[[int(e["start"]), int(e["end"]), e["entity_group"]] for e in found] for found in ner(texts)]
    classes = AutoModelForTokenClassification, AutoPeftModelForTokenClassification
    loaded = [c.from_pretrained(adapter) for c in classes]
    print(json.dumps([entities, [logits(model.eval(), ner.tokenizer) for model in (ner.model, *loaded)]]))
assert "zoo" not in sys.modules
"""
TEXTS = [text for text, _ in TINY_SENTENCES]


@pytest.fixture(scope="module")
def built(families: Path) -> dict[str, tuple[Path, Any]]:
    """By family: the folder of its checkpoint, and what plain libraries found with its adapter."""
    folders = [families / "checkpoints" / f"tiny-{family}" / "tiny" for family in FAMILIES]
    lines = []
    for folder in folders:
        decoding = json.loads((folder / "result.json").read_text())["decoding"]
        adapter = str(folder / "adapter")
        lines.append(json.dumps([adapter, decoding["aggregation_strategy"], decoding["stride_tokens"]]))
    env = {k: v for k, v in os.environ.items() if not k.startswith("ZOO_")} | {"HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", PLAIN, json.dumps(TEXTS)]
    done = subprocess.run(command, input="\n".join(lines), env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return dict(zip(FAMILIES, zip(folders, found, strict=True), strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_trained_adapter_loads_exactly_with_plain_transformers(family: str, built: dict[str, tuple[Path, Any]]) -> None:
    folder, (entities, logits) = built[family]
    result = json.loads((folder / "result.json").read_text())
    assert result["scores"]["test"]["micro_f1"] > 0.8, result["training"]
    assert logits[0] == logits[1] == logits[2]
    weights = load_file(folder / "adapter" / "adapter_model.safetensors")
    assert {str(tensor.dtype) for tensor in weights.values()} == {"torch.float16"}
    # The head has the names that PEFT reads and those that transformers 5.6 to 5.17 looks for.
    heads = {name: tensor for name, tensor in weights.items() if ".lora_" not in name}
    own = {name: tensor for name, tensor in heads.items() if ".modules_to_save.default." in name}
    assert own and len(heads) == 2 * len(own)
    for name, tensor in own.items():
        assert torch.equal(tensor, heads[name.replace(".modules_to_save.default", "")])

    # Whole entities, exactly as our own decoding finds them (but for the space some tokenizers keep before a word).
    predictions = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()][: len(TEXTS)]
    for text, found, ours in zip(TEXTS, entities, predictions, strict=True):
        trimmed = [
            [start + len(text[start:end]) - len(text[start:end].lstrip()), end, name]
            for start, end, name in found
            if text[start:end].strip()  # an entity of the space before a word alone is none
        ]
        assert trimmed == [[p["start"], p["end"], p["type"]] for p in ours["predicted"]]


def test_same_seed_gives_the_same_adapter(families: Path, publishing_registry: Path, zoo: Zoo, tmp_path: Path) -> None:
    """The build of one checkpoint alone, with another in the same folder before it."""
    zoo("build", "tiny-bert/tiny", "--registry", publishing_registry, "--out", "again")
    results = [folder / "checkpoints/tiny-bert/tiny/result.json" for folder in (families, tmp_path / "again")]
    first, second = (json.loads(path.read_text())["fingerprints"]["adapter"] for path in results)
    assert first == second
