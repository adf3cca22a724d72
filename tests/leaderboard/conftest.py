"""The Space is no package: its modules are imported as `python leaderboard/app.py` does it. Two tiny adapters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import TINY_SENTENCES
from tests.tiny import save_tiny_backbone

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "leaderboard"))
sys.path.insert(0, str(ROOT / "benchmarks"))
sys.path.insert(0, str(ROOT / "docs"))

_CORPUS = """\
id: {name}
title: Tiny {kind}s
description: Six sentences.
format: jsonl
unit: sentence
types: {{{kind}: {kind}}}
license: {{spdx: CC0-1.0, source: made in the tests, publishable: true}}
sources: [{{kind: bundled, path: {name}}}]
"""
_BACKBONE = """\
id: tiny-bert
title: Tiny
family: bert
path: models/bert
parameters_million: 0.1
window_tokens: 32
stride_tokens: 8
license: {spdx: CC0-1.0, source: made in the tests, publishable: true}
"""
_RECIPES = """\
overrides:
  - match: "tiny-*/*"
    set: {lora.rank: 8, finetune.epochs: 40, finetune.batch_size: 4, finetune.learning_rate: 4.0e-3,
          finetune.patience: 40, finetune.precision: float32}
"""


_NESTED_RECIPES = """\
overrides:
  - match: "tiny-*/*"
    set: {lora.rank: 8, finetune.epochs: 60, finetune.batch_size: 4, finetune.learning_rate: 1.0e-2,
          finetune.patience: 60, finetune.precision: float32, heads.layout: levels}
"""
_INSIDE = {"Chronic kidney disease": (8, 14, "Anatomy")}
"""What lies inside a mention of a sentence that begins with these words."""


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder of `zoo build` and `zoo board`: `tiny-bert/tiny-disease` and `tiny-bert/tiny-chemical`."""
    folder = tmp_path_factory.mktemp("space")
    registry = _registry(folder, _RECIPES)
    for kind in ("Disease", "Chemical"):
        name = f"tiny-{kind.lower()}"
        (registry / "corpora" / f"{name}.yaml").write_text(_CORPUS.format(name=name, kind=kind))
        _write(registry / name, kind)
    return _build(folder, "tiny-bert/tiny-disease", "tiny-bert/tiny-chemical")


@pytest.fixture(scope="session")
def built_nested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of `tiny-bert/tiny-nested`: a model of two heads, one for each level of nested mentions."""
    folder = tmp_path_factory.mktemp("nested")
    registry = _registry(folder, _NESTED_RECIPES)
    entry = _CORPUS.format(name="tiny-nested", kind="Disease")
    types = "{Disease: Disease, Chemical: Chemical, Anatomy: Anatomy}"
    entry = entry.replace("{Disease: Disease}", types) + "overlaps: keep\n"
    (registry / "corpora" / "tiny-nested.yaml").write_text(entry)
    _write(registry / "tiny-nested", None)
    return _build(folder, "tiny-bert/tiny-nested")


def _registry(folder: Path, recipes: str) -> Path:
    registry = folder / "registry"
    for name in ("backbones", "corpora"):
        (registry / name).mkdir(parents=True)
    save_tiny_backbone("bert", registry / "models" / "bert")
    (registry / "backbones" / "tiny-bert.yaml").write_text(_BACKBONE)
    (registry / "recipes.yaml").write_text(recipes)
    return registry


def _build(folder: Path, *ids: str) -> Path:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    out = folder / "builds"
    for arguments in (["build", *ids, "--registry", folder / "registry", "--out", out], ["board", "--out", out]):
        command = [sys.executable, "-c", "from zoo.cli import main; main()", *map(str, arguments)]
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((out / "board.json").read_text())["rows"]
    assert all(row["test_micro_f1"] > 0.9 for row in rows), "the tiny models must have learned their sentences"
    return out


def _write(folder: Path, kind: str | None) -> None:
    """Write the sentences with mentions of one type, or with all of them and those inside."""
    folder.mkdir()
    for split in ("train", "dev", "test"):
        lines = []
        for index in range(36):
            text, spans = TINY_SENTENCES[index % len(TINY_SENTENCES)]
            inside = [span for words, span in _INSIDE.items() if text.startswith(words)]
            chosen = spans + inside if kind is None else [span for span in spans if span[2] == kind]
            mentions = [{"start": s, "end": e, "type": t} for s, e, t in chosen]
            lines.append(json.dumps({"id": f"{split}-{index}", "text": text, "spans": mentions}))
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
