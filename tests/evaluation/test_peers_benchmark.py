"""What the table of peers says: the best learning rate on dev, and LoRA beside all parameters over equal corpora."""

from __future__ import annotations

import runpy
from typing import Any

from tests.conftest import ROOT

MEASURE = runpy.run_path(str(ROOT / "benchmarks" / "peers" / "measure.py"))


def run(way: str, dev: float, test: float, rate: float | None, checkpoint: str = "minilm-l6/cll") -> dict[str, Any]:
    return {
        **{"checkpoint_id": checkpoint, "way": way, "seed": 13, "learning_rate": rate, "epochs": 20},
        **{"dev_micro_f1": dev, "test_micro_f1": test, "test_ci95": [test - 0.1, test + 0.1], "bytes": 5e6},
        **{"words_per_cpu_second": 1000.0, "energy_wh": 1.0},
    }


def test_the_learning_rate_is_chosen_on_dev_and_the_zoo_stands_beside() -> None:
    runs = [run("trainer", 0.70, 0.60, 1e-4), run("trainer", 0.65, 0.90, 5e-4), run("dictionary", 0.1, 0.2, None)]
    rows = {row["way"]: row for row in MEASURE["_rows"]({"runs": runs, "zoo_words_per_cpu_second": {}})}
    assert rows["trainer"]["test_micro_f1"] == 0.60
    kept = MEASURE["_kept"]("minilm-l6/cll", 13)
    assert rows["zoo"]["test_micro_f1"] == kept.scores.test.micro_f1 and rows["zoo"]["bytes"] == kept.adapter_bytes


def test_means_are_over_corpora_that_have_both() -> None:
    both, alone = "minilm-l6/cll", "minilm-l6/none"
    rows = [run("zoo", 0.5, 0.70, 1e-3), run("trainer", 0.5, 0.72, 2e-4), run("trainer", 0.5, 0.10, 2e-4, alone)]
    (line,) = MEASURE["_means"](rows, [both, alone])
    assert "over 1 corpora" in line and line.endswith("70.00 and 72.00, -2.00 points.")
    assert MEASURE["_means"](rows[1:], [both, alone]) == []
