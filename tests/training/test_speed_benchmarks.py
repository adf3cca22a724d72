"""The benchmarks of speed that compare with other people's ways run to their end on a tiny model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TINY_SENTENCES
from tests.training.conftest import Tiny, recipe
from zoo.modeling.device import has_bfloat16

SPEED = Path(__file__).parents[2] / "benchmarks" / "speed"


def run(tmp_path: Path, script: str, *options: object) -> None:
    command = [sys.executable, str(SPEED / script), *map(str, options)]
    env = os.environ | {"ZOO_OUT": str(tmp_path / "out")}
    done = subprocess.run(command, env=env, cwd=tmp_path, timeout=900, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def read(folder: Path, name: str) -> tuple[Any, str]:
    return json.loads((folder / f"{name}.json").read_text()), (folder / f"{name}.md").read_text()


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.jsonl"
    lines = [json.dumps({"id": str(number), "text": text}) for number, (text, _) in enumerate(TINY_SENTENCES)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_other_ways_to_tag_find_what_the_pipeline_finds(tiny: Tiny, tmp_path: Path, texts: Path) -> None:
    model, _ = tiny.train(recipe(epochs=12))
    model.save_pretrained(tmp_path / "adapter")
    options = ["--texts", texts, "--documents", 3, "--rounds", 2, "--results", tmp_path / "results"]
    run(tmp_path, "peers.py", tmp_path / "adapter", *options)
    data, table = read(tmp_path / "results", "peers")
    assert len(data["rounds"]) == 2 and sum(data["words"]) == sum(len(text.split()) for text, _ in TINY_SENTENCES)
    exact = {name for name, number in data["differing_documents"].items() if not number}
    assert {"pipeline, batch_size=8", "pipeline, defaults, merged model", "zoo tag --precision float32"} <= exact
    assert {"ONNX Runtime, batch 1", "ONNX Runtime, batches of like length"} <= exact
    for name, reason in data["left_out"].items():
        assert f"| {name} | not measured: {reason} |" in table
    assert all(seconds > 0 for each in data["rounds"] for seconds in each.values())


def test_pre_training_is_timed_beside_a_plain_script(tmp_path: Path) -> None:
    options = ["--passages", "sample-passages", "--documents", 6, "--batch-size", 2, "--rounds", 1]
    run(tmp_path, "dapt.py", *options, "--results", tmp_path / "results")
    data, table = read(tmp_path / "results", "dapt")
    (once,) = data["rounds"]
    assert data["passages"] == 6 and once["tokens"] > 6
    assert {"Trainer + PEFT", "zoo"} <= set(once["seconds"]) and all(s > 0 for s in once["seconds"].values())
    speed = once["tokens"] / once["seconds"]["zoo"] * data["flop_per_token"]
    assert 0 < speed < max(data["peak_flop_per_second"].values())
    assert "| Trainer + PEFT | " in table and "6 passages a round" in table
    shares = data["profile"]
    assert sum(shares.values()) == pytest.approx(1)
    named = {
        "products with frozen weights",
        "products with LoRA's matrices",
        "language-modelling head",
        "dropout masks",
    }
    assert named <= {kind for kind, share in shares.items() if share > 0}


def test_f1_of_both_ways_is_compared_on_what_the_plain_script_found_once(
    tiny_registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_REGISTRY", str(tiny_registry))
    options = ["tiny-bert/tiny", "--epochs", 1, "--seeds", "13", "--results", tmp_path / "results"]
    run(tmp_path, "f1.py", *options)
    run(tmp_path, "f1.py", *options, "--keep", "--like-length")
    (mixed,), (alike,) = (read(tmp_path / "results", name)[0]["runs"] for name in ("f1", "f1_like_length"))
    assert list(mixed["ways"]) == list(alike["ways"]) == ["Trainer + PEFT", "zoo", "zoo, LoRA+ 4"]
    assert mixed["ways"]["Trainer + PEFT"] == alike["ways"]["Trainer + PEFT"]
    for way in ("zoo", "zoo, LoRA+ 4"):
        assert mixed["ways"][way]["seconds"] != alike["ways"][way]["seconds"]
        assert 0 <= mixed["ways"][way]["test_micro_f1"] < 1
    assert "zoo with batches of like length" in read(tmp_path / "results", "f1_like_length")[1]
    run(tmp_path, "f1.py", *options, "--keep")
    assert read(tmp_path / "results", "f1")[0]["runs"] == [mixed], "nothing was lacking"


@pytest.mark.skipif(not has_bfloat16(), reason="this processor does not compute in bfloat16")
def test_what_bfloat16_is_off_by_is_measured(tiny: Tiny, tmp_path: Path, texts: Path) -> None:
    model, _ = tiny.train(recipe(epochs=2))
    model.save_pretrained(tmp_path / "adapter")
    run(tmp_path, "uncertain.py", tmp_path / "adapter", "--texts", texts, "--results", tmp_path / "results")
    (row,), table = read(tmp_path / "results", "uncertain")
    assert row["windows"] == len(TINY_SENTENCES) and row["near_ties"] > 0
    assert 0 < row["root_mean_square"] <= row["largest"] < 1
    assert f"| {row['windows']} | {row['near_ties']} |" in table


def test_one_command_runs_them_all_and_says_what_is_missing(tmp_path: Path, texts: Path) -> None:
    command = [sys.executable, str(SPEED / "all.py"), str(tmp_path), "--texts", str(texts), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "zoo build minilm-l6/ncbi-disease" in done.stderr
