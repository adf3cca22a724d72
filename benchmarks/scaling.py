"""Two workers against one: the same eight tiny checkpoints on a Ray cluster of one and of two one-thread nodes.

    python benchmarks/scaling.py

starts real clusters on loopback and writes `benchmarks/results/scaling.{json,md}`. Needs two free cores and the extra
`ray`. The clusters are warm (each has run one stage before the clock starts); the base is built before, so that the
eight trainings and their scoring are what is measured.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
CORPORA = 4
SEEDS = ("13", "14")


def main() -> None:
    """Measure and write."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as folder:
        registry = _registry(Path(folder) / "registry")
        for repeat in range(2):  # pair by pair, so that a change of the machine's speed hits both
            for workers in (1, 2):
                seconds[workers].append(_measure(registry, workers, Path(folder) / f"out-{workers}-{repeat}"))
    data = {
        "command": "python benchmarks/scaling.py",
        "machine": {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "checkpoints": CORPORA * len(SEEDS),
        "seconds": {str(workers): values for workers, values in seconds.items()},
        "ratio": [two / one for one, two in zip(seconds[1], seconds[2], strict=True)],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "scaling.json").write_text(json.dumps(data, indent=1) + "\n")
    rows = "\n".join(
        f"| {n + 1} | {one:.1f} | {two:.1f} | **{two / one:.2f}** |"
        for n, (one, two) in enumerate(zip(seconds[1], seconds[2], strict=True))
    )
    (RESULTS / "scaling.md").write_text(
        "# Eight tiny checkpoints on one and on two workers\n\n"
        f"`python benchmarks/scaling.py`, {os.cpu_count()} cores; Ray nodes on loopback, one thread each, warm.\n\n"
        f"| pair | one worker, s | two workers, s | ratio |\n|---|---|---|---|\n{rows}\n"
    )
    sys.stdout.write((RESULTS / "scaling.md").read_text())


def _registry(folder: Path) -> Path:
    """A tiny BERT and corpora of invented sentences."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.conftest import write_tiny_corpus
    from tests.tiny import save_tiny_backbone

    for name in ("backbones", "corpora"):
        (folder / name).mkdir(parents=True)
    save_tiny_backbone("bert", folder / "models" / "bert")
    license_ = "license: {spdx: CC0-1.0, source: made here, publishable: true}\n"
    (folder / "backbones" / "tiny-bert.yaml").write_text(
        "id: tiny-bert\ntitle: Tiny\nfamily: bert\npath: models/bert\nparameters_million: 0.1\n"
        f"window_tokens: 32\nstride_tokens: 8\n{license_}"
    )
    for number in range(CORPORA):
        write_tiny_corpus(folder / f"data-{number}", repeats=12 + number)
        (folder / "corpora" / f"tiny-{number}.yaml").write_text(
            f"id: tiny-{number}\ntitle: Tiny\ndescription: Six sentences.\nformat: jsonl\nunit: document\n"
            f"types: {{Disease: Disease, Chemical: Chemical}}\n{license_}"
            f"sources: [{{kind: bundled, path: data-{number}}}]\n"
        )
    return folder


def _measure(registry: Path, workers: int, out: Path) -> float:
    """Seconds of the eight checkpoints on a cluster of so many nodes."""
    from ray.cluster_utils import Cluster

    environment = {k: v for k, v in os.environ.items() if not k.startswith("ZOO_")}
    environment |= {"ZOO_REGISTRY": str(registry), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    os.environ["OMP_NUM_THREADS"] = "1"
    node: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    for _ in range(workers - 1):
        cluster.add_node(**node)
    try:

        def build(*arguments: str) -> None:
            command = [
                sys.executable,
                "-m",
                "zoo",
                "build",
                "--engine",
                "ray",
                "--address",
                cluster.address,
                *arguments,
            ]
            subprocess.run(command, env=environment, check=True, capture_output=True)

        settings = [
            "--set",
            "finetune.patience=60",
            "--set",
            "finetune.epochs=60",
            "--set",
            "finetune.precision=float32",
        ]
        warm = [f"tiny-bert/tiny-{number}" for number in range(workers)]
        build(*warm, "--set", "finetune.epochs=1", "--out", str(out))
        started = time.perf_counter()
        for seed in SEEDS:
            build(
                *[f"tiny-bert/tiny-{n}" for n in range(CORPORA)], *settings, "--set", f"seed={seed}", "--out", str(out)
            )
        return time.perf_counter() - started
    finally:
        cluster.shutdown()
        shutil.rmtree(out, ignore_errors=True)


if __name__ == "__main__":
    main()
