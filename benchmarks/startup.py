"""How long commands take to begin, beside the import of torch and transformers alone.

    python benchmarks/startup.py MODEL

Each command runs in processes of its own, in turn with the others, `--rounds` times; medians of wall and CPU time.
Writes `benchmarks/results/startup.{json,md}`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from zoo.evaluation.latency import processor_name
from zoo.files import write_whole

RESULTS = Path(__file__).parent / "results"
IMPORT = "python -c 'import torch, transformers'"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    commands = {
        IMPORT: [sys.executable, "-c", "import torch, transformers"],
        "zoo tag, one sentence": [sys.executable, "-m", "zoo", "tag", "--model", arguments.model, "She has asthma."],
        "zoo --help": [sys.executable, "-m", "zoo", "--help"],
        "zoo list --suite openmed": [sys.executable, "-m", "zoo", "list", "--suite", "openmed"],
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(arguments.rounds):
        for name, command in commands.items():
            seconds[name].append(_timed(command))
    rows = {
        name: {
            "wall_seconds": statistics.median(w for w, _ in own),
            "cpu_seconds": statistics.median(c for _, c in own),
        }
        for name, own in seconds.items()
    }
    data = {"processor": processor_name(), "cores": os.cpu_count(), "rounds": arguments.rounds, "commands": rows}
    write_whole(RESULTS / "startup.json", json.dumps(data, indent=1) + "\n")
    base = rows[IMPORT]
    lines = [
        "# Start-up",
        "",
        f"`python benchmarks/startup.py MODEL --rounds {arguments.rounds}`: medians, in turn, warm disk cache; "
        f"{data['processor']}, {data['cores']} cores.",
        "",
        "| command | wall s | CPU s | wall, times the import | CPU, times the import |",
        "|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        wall, cpu = row["wall_seconds"], row["cpu_seconds"]
        lines.append(
            f"| `{name}` | {wall:.2f} | {cpu:.2f} | {wall / base['wall_seconds']:.2f} "
            f"| {cpu / base['cpu_seconds']:.2f} |"
        )
    write_whole(RESULTS / "startup.md", "\n".join(lines) + "\n")


def _timed(command: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
