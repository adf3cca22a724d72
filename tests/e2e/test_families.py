"""Every architecture family, end to end: the real command trains it, plain transformers + peft load what it wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import FAMILIES, TINY_SENTENCES

PLAIN = """
import json, sys
import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline
from peft import AutoPeftModelForTokenClassification

assert "zoo" not in sys.modules
adapter, texts, decoding = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
strategy, stride = decoding["aggregation_strategy"], decoding["stride_tokens"]
ner = pipeline("token-classification", model=adapter, aggregation_strategy=strategy, stride=stride)
entities = [[[int(e["start"]), int(e["end"]), e["entity_group"]] for e in found] for found in ner(texts)]
logits = []
for load in (AutoModelForTokenClassification, AutoPeftModelForTokenClassification):
    model = load.from_pretrained(adapter).eval()
    with torch.inference_mode():
        logits.append([model(**ner.tokenizer(text, return_tensors="pt")).logits.tolist() for text in texts])
with torch.inference_mode():
    logits.append([ner.model(**ner.tokenizer(text, return_tensors="pt")).logits.tolist() for text in texts])
print(json.dumps({"entities": entities, "logits": logits}))
"""


@pytest.mark.parametrize("family", FAMILIES)
def test_trained_adapter_loads_exactly_with_plain_transformers(
    family: str, zoo: Callable[..., subprocess.CompletedProcess[str]], tiny_registry: Path, tmp_path: Path
) -> None:
    zoo("build", f"tiny-{family}/tiny", "--registry", tiny_registry, "--out", tmp_path / "out")
    folder = tmp_path / "out" / "checkpoints" / f"tiny-{family}" / "tiny"
    result = json.loads((folder / "result.json").read_text())
    assert result["scores"]["test"]["micro_f1"] > 0.8, result["training"]

    texts = [text for text, _ in TINY_SENTENCES]
    env = {k: v for k, v in os.environ.items() if not k.startswith("ZOO_")} | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            PLAIN,
            str(folder / "adapter"),
            json.dumps(texts),
            json.dumps(result["decoding"]),
        ],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    plain = json.loads(done.stdout.splitlines()[-1])
    assert plain["logits"][0] == plain["logits"][1] == plain["logits"][2]

    # Whole entities, exactly as our own decoding finds them (but for the space some tokenizers keep before a word).
    predictions = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()][: len(texts)]
    for text, entities, ours in zip(texts, plain["entities"], predictions, strict=True):
        trimmed = [
            [start + len(text[start:end]) - len(text[start:end].lstrip()), end, name]
            for start, end, name in entities
            if text[start:end].strip()  # an entity of the space before a word alone is none
        ]
        assert trimmed == [[p["start"], p["end"], p["type"]] for p in ours["predicted"]]


def test_same_seed_gives_the_same_adapter(
    zoo: Callable[..., subprocess.CompletedProcess[str]], tiny_registry: Path, tmp_path: Path
) -> None:
    hashes = []
    for out in ("a", "b"):
        zoo(
            "build",
            "tiny-bert/tiny",
            "--registry",
            tiny_registry,
            "--out",
            tmp_path / out,
            "--set",
            "finetune.epochs=1",
        )
        hashes.append(
            json.loads((tmp_path / out / "checkpoints/tiny-bert/tiny/result.json").read_text())["fingerprints"][
                "adapter"
            ]
        )
    assert hashes[0] == hashes[1]
