"""The script for machines with a GPU runs to its end where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def test_real_and_random_encoders_are_timed_and_scored(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, str(root / "benchmarks/speed/device.py"), "--corpora", "sample-disease", "--epochs", "1"]
    command += ["--sizes", "tiny", "--documents", "20", "--results", str(tmp_path / "results")]
    subprocess.run(command, env=os.environ | {"ZOO_OUT": str(tmp_path / "out")}, check=True, cwd=tmp_path, timeout=300)
    (path,) = (tmp_path / "results").glob("device-*.json")
    data = json.loads(path.read_text())
    real, random = data["rows"]
    assert (real["model"], random["model"]) == ("minilm-l6", "BERT tiny, random weights")
    assert 0 <= real["test_micro_f1"] <= 1 and random["test_micro_f1"] is None
    assert random["flop_per_token"] < real["flop_per_token"] / 50
    for row in data["rows"]:
        assert 0 < row["tokens_per_second"] * row["flop_per_token"] < data["peak_flop_per_second"]
        assert row["energy"]["energy_wh"] > 0
    assert "BERT tiny, random weights | sample-disease | 20 |" in path.with_suffix(".md").read_text()
