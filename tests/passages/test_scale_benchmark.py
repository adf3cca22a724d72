"""`benchmarks/passages.py` runs to its end: what it plants is found, and nothing else goes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT


def test_what_is_planted_is_found_and_nothing_else_goes(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "passages.py"), "--passages", "1500", "--results"]
    subprocess.run([*command, str(tmp_path)], check=True, cwd=ROOT, stderr=subprocess.PIPE)
    (row,) = json.loads((tmp_path / "passages.json").read_text())["rows"]
    assert row["found"] == dict.fromkeys(("short", "exact", "near", "sentence", "run"), 1.0) and row["lost"] == 0
    counts, planted = row["counts"], row["planted"]
    assert counts["read"] == 1500 == sum(planted.values()) and counts["too_short"] == planted["short"]
    assert len(row["drawn"]) == 3 and min(row["drawn"]) > 2000
    assert "| 1,500 |" in (tmp_path / "passages.md").read_text()
