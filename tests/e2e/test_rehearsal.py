"""A part of the paper's zoo by the headline command, from homes on loopback; `benchmarks/rehearsal.py` does all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

SETTINGS = (
    "dapt.epochs=1",
    "dapt.batch_size=16",
    "tune.trials=2",
    "tune.confirm_top=1",
    "seeds=2",
    "finetune.epochs=1",
)


def test_one_command_builds_publishes_and_survives_two_kills(tmp_path: Path) -> None:
    """DAPT, search and two seeds on fetched passages and corpora; BC4CHEMD's licence keeps it from the Hub."""
    command = [sys.executable, str(ROOT / "benchmarks" / "rehearsal.py"), "--quick", "--results", str(tmp_path)]
    command += ["--backbones", "biomedelectra-large", "--corpora", "cll", "bc4chemd", "--set", *SETTINGS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    data = json.loads((tmp_path / "rehearsal.json").read_text())
    assert data["problems"] == []
    assert data["stages"] == data["made"] == {"dapt": 1, "base": 1, "tune": 2, "train": 4, "evaluate": 4}
    verified = {item["repo_id"] for item in data["published"] if item["verified"]}
    assert verified == {"openmed/biomedelectra-large-cll"}
    assert list(data["refused"]) == ["openmed/biomedelectra-large-bc4chemd"]
    assert data["stranger"]["models"] == 1
    assert data["spaces"] == ["spaces/openmed/leaderboard"]
    assert all(home["requests"] > 10 for home in data["traffic"].values())
