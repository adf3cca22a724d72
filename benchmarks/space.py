"""How fast the Space is with a board the size of OpenMed's catalogue: first use, and the answer to a filter.

    pip install 'biomedical-ner-zoo[space]' playwright
    python benchmarks/space.py [--demo builds]      # needs Chromium; --browser PATH where it is not /usr/bin/chromium

Starts `leaderboard/app.py` on a synthetic board, opens it in headless Chromium, and measures in the page: from the
request to a table that answers a click, and from a filter, sort or page to the new table. To `results/space.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
START_SECONDS = 400
TYPES = ("Disease", "Chemical", "Gene", "Species", "Anatomy", "CellLine", "CellType", "Protein", "DNA", "RNA")
LICENSES = ("Apache-2.0", "MIT", "CC-BY-4.0", "NOASSERTION")


def synthetic_board(models: int, seed: int = 0) -> dict[str, Any]:
    """A board of invented models, with all details, as `zoo board` writes it; ranks by blocks of three."""
    rng = random.Random(seed)
    corpora = [f"corpus-{number:02d}" for number in range(13)]
    backbones = [f"backbone-{number:03d}" for number in range(-(-models // len(corpora)))]
    kinds = {corpus: rng.sample(TYPES, rng.choice((1, 1, 1, 2, 5))) for corpus in corpora}
    sizes = {backbone: int(10 ** rng.uniform(7.1, 8.9)) for backbone in backbones}
    pairs = [(backbone, corpus) for backbone in backbones for corpus in corpora][:models]
    rows, details = [], []
    for corpus in corpora:
        ranked = sorted(((rng.uniform(0.55, 0.93), b) for b, c in pairs if c == corpus), reverse=True)
        for place, (f1, backbone) in enumerate(ranked):
            first = 3 * (place // 3)
            row = _row(rng, corpus, backbone, f1, kinds[corpus], sizes[backbone])
            rows.append({**row, "rank": first + 1, "rank_shared_by": min(3, len(ranked) - first)})
            details.append(_detail(rng, rows[-1], kinds[corpus]))
    return {
        "schema_version": 2,
        "ranking": "A synthetic board: every figure is invented.",
        "rows": rows,
        "details": details,
    }


def _row(rng: random.Random, corpus: str, backbone: str, f1: float, kinds: list[str], size: int) -> dict[str, Any]:
    half, energy = rng.uniform(0.006, 0.03), 10 ** rng.uniform(0.3, 2.4)
    return {
        "corpus": corpus,
        "checkpoint_id": f"{backbone}/{corpus}",
        "repo_id": f"someone/{backbone}-{corpus}",
        "backbone": backbone,
        "entity_types": " ".join(kinds),
        "test_micro_f1": f1,
        "test_micro_f1_std": None,
        "n_seeds": 1,
        "seeds": "13",
        "test_ci95_low": f1 - half,
        "test_ci95_high": f1 + half,
        "test_precision": f1 + 0.01,
        "test_recall": f1 - 0.01,
        "dev_micro_f1": f1 + 0.005,
        "trained_parameters": size // 90,
        "trained_share": 1 / 90,
        "adapter_bytes": 4 * size // 90,
        "train_seconds": energy * 60,
        "energy_wh": energy,
        "emissions_g": 0.38 * energy,
        "country": "DEU",
        "license": rng.choice(LICENSES),
        "publishable": True,
        "verified": rng.random() < 0.7,
        "created": f"2026-{rng.randint(1, 11):02d}-{rng.randint(1, 28):02d}T12:00:00+00:00",
        "recipe": "0" * 12,
        "test_fingerprint": corpus,
    }


def _detail(rng: random.Random, row: dict[str, Any], kinds: list[str]) -> dict[str, Any]:
    f1, documents = row["test_micro_f1"], {"train": 5000, "dev": 800, "test": 1600}
    scores = {kind: {"f1": f1, "precision": f1, "recall": f1, "gold_mentions": 400} for kind in kinds}
    split = {"micro_f1": f1, "precision": f1, "recall": f1, "per_type": scores, "gold_mentions": 400 * len(kinds)}
    group = {"f1": f1 - 0.1, "precision": f1, "recall": f1, "gold_mentions": 200}
    energy = {
        "energy_wh": row["energy_wh"], "emissions_g": row["emissions_g"], "seconds": row["train_seconds"],
        "hardware": "invented", "method": "invented", "country": "DEU",
    }  # fmt: skip
    return {
        **{name: row[name] for name in ("checkpoint_id", "recipe", "test_fingerprint")},
        "latency": {"ms_per_1000_words": row["trained_parameters"] / 2000},
        "result": {
            "base_repo_id": f"someone/{row['backbone']}-ner",
            "entity_types": kinds,
            "decoding": {"aggregation_strategy": "simple", "stride_tokens": 128},
            "scores": {"dev": split, "test": {**split, "ci95": [f1 - 0.02, f1 + 0.02]}},
            "memorisation": {"seen": {**group, "f1": f1 + 0.05}, "unseen": group},
            "raw_text": {"score": {**split, "ci95": [f1 - 0.03, f1 + 0.01]}} if rng.random() < 0.5 else None,
            "robustness": {name: {"micro_f1": f1 - 0.05, "loss": 0.05} for name in ("lower case", "typos")},
            "best_epoch": 5,
            "training": [{"epoch": n, "loss": 1 / n, "dev_micro_f1": f1 - 0.3 / n} for n in range(1, 9)],
            "energy": energy,
            "energy_stages": {"base": energy, "train": energy, "evaluate": energy},
            "corpus_record": {
                "title": row["corpus"], "unit": "sentence", "license": "CC-BY-4.0", "documents": documents,
                "mentions": documents, "examples": {},
            },
            "notes": [],
        },
    }  # fmt: skip


class Server:
    """The Space in a process of its own, for as long as the `with` lasts."""

    def __init__(
        self, data: Path, app: Path = ROOT / "leaderboard", python: str = sys.executable, **environment: str
    ) -> None:
        self._command = [python, str(app / "app.py")]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}/"
        self._environment = {
            **os.environ, "SPACE_DATA": str(data), "GRADIO_SERVER_PORT": str(self.port), "HF_HUB_OFFLINE": "1",
            **environment,
        }  # fmt: skip

    def __enter__(self) -> Server:
        self.process = subprocess.Popen(
            self._command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        start = time.monotonic()
        while time.monotonic() < start + START_SECONDS and self.process.poll() is None:
            try:
                with urllib.request.urlopen(self.url, timeout=5):
                    self.seconds = time.monotonic() - start
                    return self
            except OSError:
                time.sleep(0.2)
        self.process.kill()
        raise RuntimeError(f"the Space did not start: {self.process.communicate()[0].decode()[-2000:]}")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.output = self.process.communicate(timeout=20)[0].decode()


_MEASURE = """async ([selector, act]) => {
  const shown = () => document.querySelector('#board .board')?.textContent;
  const before = shown();
  const start = performance.now();
  const done = new Promise(resolve => new MutationObserver((_, watcher) => {
    if (shown() !== before) { watcher.disconnect(); resolve(performance.now() - start); }
  }).observe(document.querySelector('#board'), {subtree: true, childList: true, characterData: true}));
  const item = document.querySelector(selector);
  if (act === 'click') item.click();
  else { item.value = act; item.dispatchEvent(new Event('input', {bubbles: true})); }
  return await done;
}"""


def measure(url: str, browser: str, runs: int) -> list[dict[str, Any]]:
    """Times in the page, in seconds."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(
            executable_path=browser, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        first: list[float] = []
        answers: dict[str, list[float]] = {}
        for _ in range(runs):
            page = chromium.new_context(viewport={"width": 1400, "height": 900}).new_page()
            start = time.perf_counter()
            page.goto(url, wait_until="commit")
            page.wait_for_selector("#board .models")
            page.locator("[data-sort=f1]").click()
            page.wait_for_selector("#board th.c-f1[aria-sort=descending]")
            first.append(time.perf_counter() - start)
            page.wait_for_timeout(500)
            for name, selector, act in (
                ("search", "#f-search textarea, #f-search input", "corpus-07"),
                ("narrower search", "#f-search textarea, #f-search input", "backbone-01 corpus-07"),
                ("search cleared", "#f-search textarea, #f-search input", ""),
                ("sort", "[data-sort=energy]", "click"),
                ("next page", ".pager [data-page='2']", "click"),
                ("overall", "#views button[role=tab]:nth-of-type(1)", "click"),
                ("verified only", "#f-verified input", "click"),
            ):
                if name == "verified only":
                    page.locator("#more button").first.click()
                    page.wait_for_selector("#f-verified input")
                answers.setdefault(name, []).append(page.evaluate(_MEASURE, [selector, act]) / 1000)
                page.wait_for_timeout(100)
            page.context.close()
        chromium.close()
    rows = [{"task": "usable: request to the answer of the first click", "seconds": first, "limit_seconds": 2.0}]
    rows += [{"task": f"answer: {name}", "seconds": times, "limit_seconds": 0.3} for name, times in answers.items()]
    return [
        {**row, "median_seconds": round(statistics.median(row["seconds"]), 3),
         "seconds": [round(value, 3) for value in row["seconds"]]}
        for row in rows
    ]  # fmt: skip


def measure_demo(out: Path, requests: int) -> dict[str, Any]:
    """Memory of the server over many requests of the demo, in megabytes (10^6 bytes), and seconds of each."""
    import psutil
    from gradio_client import Client

    rows = json.loads((out / "board.json").read_text())["rows"]
    keys = [row["checkpoint_id"] for row in rows][:6]
    text = "The patient with type 2 diabetes took metformin; Escherichia coli grew in the urine. " * 10
    memory, seconds = [], []
    with Server(out) as server:
        process, user = psutil.Process(server.process.pid), Client(server.url, verbose=False)
        for number in range(requests):
            start = time.perf_counter()
            user.predict(f"{number} {text}", [keys[number % len(keys)]], 0, False, api_name="/tag")
            seconds.append(time.perf_counter() - start)
            if (number + 1) % max(1, requests // 10) == 0:
                memory.append(round(process.memory_info().rss / 1e6))
    first, *later = seconds
    return {
        "requests": requests,
        "characters": len(text),
        "first_request_seconds": round(first, 2),
        "median_seconds": round(statistics.median(later), 3),
        "memory_mb_every_tenth": memory,
    }


def main() -> None:
    """Measure and write `results/space.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=2266)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--browser", default="/usr/bin/chromium")
    parser.add_argument("--demo", type=Path, metavar="DIR", help="also: requests of the demo, with what is built here")
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--board", type=Path, help="only write the synthetic board.json into this folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = arguments.board or Path(folder)
        data.mkdir(parents=True, exist_ok=True)
        (data / "board.json").write_text(json.dumps(synthetic_board(arguments.models)))
        if arguments.board:
            return
        load = os.getloadavg()[0]
        with Server(data) as server:
            rows = measure(server.url, arguments.browser, arguments.runs)
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count(), "load_before": load}
    report: dict[str, Any] = {
        "command": "python benchmarks/space.py",
        "models": arguments.models,
        "machine": machine,
        "rows": rows,
    }
    if arguments.demo:
        report["demo"] = measure_demo(arguments.demo, arguments.requests)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "space.json").write_text(json.dumps(report, indent=2) + "\n")
    for row in rows:
        sys.stdout.write(f"{row['median_seconds']:7.3f} s (limit {row['limit_seconds']}) {row['task']}\n")


if __name__ == "__main__":
    main()
