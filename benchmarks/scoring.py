"""Speed of scoring and reading: medians of five runs, written to `benchmarks/results/scoring.{json,md}`.

    ZOO_CORPORA=DIR python benchmarks/scoring.py

`DIR/bc2gm/{train,dev,test}.tsv.gz` are the files of BC2GM; without them its row is left out.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from zoo.corpora.load import load_corpus
from zoo.evaluation.spans import Counts
from zoo.evaluation.statistics import bootstrap_interval, paired_test
from zoo.registry.loader import load_registry
from zoo.settings import Settings

RUNS = 5
DOCUMENTS = 5_000
SAMPLES = 10_000
COMMAND = "ZOO_CORPORA=DIR python benchmarks/scoring.py"
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure everything and write both files."""
    about = machine()
    tasks = bootstrap_tasks()
    if reading := reading_task():
        tasks.append(reading)
    rows: list[dict[str, Any]] = []
    for name, limit_seconds, task in tasks:
        task()  # caches and imports are not what is measured
        seconds = [timed(task) for _ in range(RUNS)]
        rows.append(
            {
                "task": name,
                "median_seconds": round(statistics.median(seconds), 3),
                "seconds": [round(value, 3) for value in seconds],
                "limit_seconds": limit_seconds,
            }
        )
    report = {"command": COMMAND, "runs": RUNS, "machine": about, "rows": rows}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "scoring.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    (RESULTS / "scoring.md").write_text(markdown(about, rows), encoding="utf-8")


def bootstrap_tasks() -> list[tuple[str, float | None, Callable[[], object]]]:
    """Intervals and paired tests on counts as sentences have them, and on the worst case: no two documents alike."""
    tasks: list[tuple[str, float | None, Callable[[], object]]] = []
    for kind, mentions in (("sentences, 0 to 4 mentions", 5), ("abstracts, 0 to 59 mentions", 60)):
        rng = np.random.default_rng(0)
        gold = rng.integers(0, mentions, DOCUMENTS)
        first, second = (
            [
                Counts(int(tp), int(fp), int(g - tp))
                for tp, fp, g in zip(rng.binomial(gold, skill), rng.binomial(gold, 1 - skill), gold, strict=True)
            ]
            for skill in (0.85, 0.84)
        )
        size = f"{SAMPLES:,} samples over {DOCUMENTS:,} documents ({kind})"
        tasks.append((f"95% bootstrap interval, {size}", 2.0, partial(bootstrap_interval, first, samples=SAMPLES)))
        tasks.append((f"paired test of two models, {size}", None, partial(paired_test, first, second, samples=SAMPLES)))
    return tasks


def reading_task() -> tuple[str, float | None, Callable[[], object]] | None:
    """Reading BC2GM from local files: all three splits, parsed, counted and checked against their fingerprints."""
    local, registry = Settings.load().corpora, load_registry()
    if local is None or not (local / "bc2gm").is_dir():
        return None
    entry, folder = registry.corpus("bc2gm"), registry.folders["corpora/bc2gm"]
    documents = sum(info.documents or 0 for info in entry.splits.values())
    name = f"reading BC2GM, {documents:,} sentences in three splits, fingerprints checked"
    return name, 2.0, partial(load_corpus, entry, registry_folder=folder, local=local)


def timed(task: Callable[[], object]) -> float:
    """Seconds of one run."""
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def machine() -> dict[str, str | int | float]:
    """What the figures were measured on; no name of the machine."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = info.read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    return {
        "processor": model,
        "cores": os.cpu_count() or 1,
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else -1.0,
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": version("numpy"),
    }


def markdown(about: dict[str, str | int | float], rows: list[dict[str, Any]]) -> str:
    """The table as a reader sees it."""
    lines = [
        "# Speed of scoring and reading",
        "",
        f"Medians of {RUNS} runs on {about['processor']}, {about['cores']} cores (load average before: "
        f"{about['load_before']}), {about['system']}, Python {about['python']}, numpy {about['numpy']}. Made by:",
        "",
        f"    {COMMAND}",
        "",
        "| task | median, s | slowest, s | wanted, s |",
        "|---|---:|---:|---:|",
    ]
    for row in rows:
        limit = f"< {row['limit_seconds']:g}" if row["limit_seconds"] else ""
        slowest = max(row["seconds"])
        lines.append(f"| {row['task']} | {row['median_seconds']:.2f} | {slowest:.2f} | {limit} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
