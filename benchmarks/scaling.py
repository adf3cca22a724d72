"""Two workers against one: the same eight tiny checkpoints on a Ray cluster of one and of two one-thread nodes.

    python benchmarks/scaling.py

starts real clusters on loopback and writes `benchmarks/results/scaling.{json,md}`. Needs two free cores and the extra
`ray`. The clusters are warm (each has run one stage before the clock starts) and the base is built before; the clock
runs from the start of one `zoo build` to its end, so it holds the imports, the planning and the report as well as the
eight trainings and their scoring. Beside each pair stands the machine's own limit: a training loop of the same size
without Ray and without zoo, once in one process and then halved over two, because two "cores" that are lent out are
not twice one.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
CHECKPOINTS = 8
PAIRS = 3
LOOP = """
import sys, time, torch
torch.set_num_threads(1)
model = torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(64, 4, 128, batch_first=True), 2)
optimizer, batch = torch.optim.AdamW(model.parameters()), torch.randn(16, 32, 64)
def train(steps):
    for _ in range(steps):
        model(batch).pow(2).mean().backward(); optimizer.step(); optimizer.zero_grad()
train(50)
time.sleep(max(0, float(sys.argv[1]) - time.time()))
started = time.perf_counter()
train(int(sys.argv[2]))
print(time.perf_counter() - started)
"""


def main() -> None:
    """Measure and write."""
    pairs: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        registry = _registry(Path(folder) / "registry")
        for number in range(PAIRS):  # pair by pair, so that a change of the machine's speed hits both
            one, two = (_measure(registry, workers, Path(folder) / f"out-{workers}-{number}") for workers in (1, 2))
            alone, together = _loop(1), _loop(2)
            pairs.append({"one_s": one, "two_s": two, "ratio": two / one, "limit": together / alone})
    data = {
        "command": "python benchmarks/scaling.py",
        "machine": {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "checkpoints": CHECKPOINTS,
        "pairs": pairs,
        "median_ratio": statistics.median(pair["ratio"] for pair in pairs),
        "median_limit": statistics.median(pair["limit"] for pair in pairs),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "scaling.json").write_text(json.dumps(data, indent=1) + "\n")
    rows = "\n".join(
        f"| {n} | {pair['one_s']:.1f} | {pair['two_s']:.1f} | **{pair['ratio']:.2f}** | {pair['limit']:.2f} |"
        for n, pair in enumerate(pairs, 1)
    )
    (RESULTS / "scaling.md").write_text(
        "# Eight tiny checkpoints on one and on two workers\n\n"
        f"`python benchmarks/scaling.py`, {os.cpu_count()} cores; Ray nodes on loopback, one thread each, warm. The\n"
        "machine's own limit is the same ratio for a bare training loop, without Ray and without zoo.\n\n"
        "| pair | one worker, s | two workers, s | ratio | the machine's own limit |\n"
        f"|---|---|---|---|---|\n{rows}\n"
    )
    sys.stdout.write((RESULTS / "scaling.md").read_text())


def _loop(processes: int) -> float:
    """Seconds of the slowest of so many processes that share the steps of the bare loop."""
    begin = time.time() + 8  # all have imported torch by then
    command = [sys.executable, "-c", LOOP, str(begin), str(2000 // processes)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    return max(float(process.communicate()[0]) for process in running)


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
    for number in range(CHECKPOINTS):
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
        build(*[f"tiny-bert/tiny-{number}" for number in range(CHECKPOINTS)], *settings, "--out", str(out))
        return time.perf_counter() - started
    finally:
        cluster.shutdown()
        shutil.rmtree(out, ignore_errors=True)


if __name__ == "__main__":
    main()
