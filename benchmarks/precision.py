"""What tagging in bfloat16 and in 8-bit integers costs in F1: strict micro-F1 of real builds on their test splits.

    ZOO_CORPORA=DIR python benchmarks/precision.py BUILDS

runs `zoo evaluate MODEL CORPUS --precision ...` for every `BUILDS/checkpoints/*/*/adapter`, with the corpus that names
the folder, and writes `benchmarks/results/precision.{json,md}`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

from zoo.evaluation.latency import processor_name
from zoo.modeling.device import Precision

RESULTS = Path(__file__).parent / "results"
PRECISIONS = get_args(Precision)


def main() -> None:
    """Score and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("builds", type=Path)
    arguments = parser.parse_args()
    rows = []
    for folder in sorted(path.parent for path in arguments.builds.glob("checkpoints/*/*/adapter")):
        scores = {precision: _micro_f1(folder, precision) for precision in PRECISIONS}
        rows.append({"checkpoint": f"{folder.parent.name}/{folder.name}", "test_micro_f1": scores})
        sys.stderr.write(f"{rows[-1]}\n")
    _write(rows)


def _micro_f1(folder: Path, precision: str) -> float:
    command = [sys.executable, "-c", "from zoo.cli import main; main()", "evaluate", folder, folder.name, "--json"]
    done = subprocess.run([*command, "--precision", precision], check=True, stdout=subprocess.PIPE, text=True)
    return float(json.loads(done.stdout)["micro_f1"])


def _write(rows: list[dict[str, Any]]) -> None:
    data = {"command": "python benchmarks/precision.py BUILDS", "processor": processor_name(), "checkpoints": rows}
    (RESULTS / "precision.json").write_text(json.dumps(data, indent=1) + "\n")
    scores = [(row["checkpoint"], row["test_micro_f1"]) for row in rows]
    means = {precision: statistics.mean(each[precision] for _, each in scores) for precision in PRECISIONS}
    lines = [
        "# Number formats of tagging",
        "",
        f"`{data['command']}`: strict micro-F1 on the test splits, {data['processor']}.",
        "",
        f"| checkpoint | {' | '.join(PRECISIONS)} |",
        "|---" * (1 + len(PRECISIONS)) + "|",
    ]
    for name, each in [*scores, ("mean", means)]:
        lines.append(f"| {name} | {' | '.join(f'{100 * each[precision]:.2f}' for precision in PRECISIONS)} |")
    (RESULTS / "precision.md").write_text("\n".join([*lines, ""]))
    sys.stdout.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
