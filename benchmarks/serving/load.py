"""`zoo serve` under load, beside one plain `pipeline()` a model behind FastAPI: answers, throughput, latency, memory.

    python benchmarks/serving/load.py MODEL... --texts FILE [--clients 64] [--seconds 300] [--words N]

The models are adapters of one base. Each request has one text and one model, drawn by a seed. What `pipeline()` finds
is computed first, for every model and text; every answer of the service is compared with it (start, end, type). Both
servers run on the same cores, one after the other, with the clients in a process beside them: first one client alone,
then all clients as fast as they get answers, then requests at half of that rate. Clients try again when told to.
`--words` cuts texts, to measure short requests too. Adds to `benchmarks/results/serving.{json,md}`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

import httpx2
import psutil
from plain import load

from zoo.evaluation.latency import processor_name
from zoo.files import write_whole
from zoo.tagging.inputs import read_texts

RESULTS = Path(__file__).parents[1] / "results"
Key = tuple[int, int, str]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--texts-used", type=int, default=200)
    parser.add_argument("--words", type=int, help="cut texts to so many words")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--plain-seconds", type=float, default=60, help="of the peer, which is only timed")
    arguments = parser.parse_args()
    texts = [text.text for text in islice(read_texts(arguments.texts), arguments.texts_used)]
    if arguments.words:
        texts = [" ".join(text.split()[: arguments.words]) for text in texts]
    expected = [_expected(model, texts) for model in arguments.models]
    names = [str(number) for number in range(len(arguments.models))]
    named = [
        part for name, model in zip(names, arguments.models, strict=True) for part in ("--model", f"{name}={model}")
    ]
    servers = {
        "zoo serve": (["-m", "zoo", "serve", "--port", "8791", *named], 8791, arguments.seconds),
        "pipeline() behind FastAPI": (
            [str(Path(__file__).with_name("plain.py")), "8792", *arguments.models], 8792, arguments.plain_seconds,
        ),
    }  # fmt: skip
    data: dict[str, Any] = {
        "machine": {"processor": processor_name(), "cores": os.cpu_count()},
        "models": ["/".join(Path(model).parts[-2:]) for model in arguments.models],
        "texts": len(texts),
        "words_per_text": statistics.mean(len(text.split()) for text in texts),
        "clients": arguments.clients,
        "command": f"python benchmarks/serving/load.py MODEL... --clients {arguments.clients} "
        f"--seconds {arguments.seconds:g}" + (f" --words {arguments.words}" if arguments.words else ""),
        "servers": {},
    }
    for name, (command, port, seconds) in servers.items():
        server = subprocess.Popen([sys.executable, *command])
        try:
            data["servers"][name] = asyncio.run(_measure(port, server.pid, texts, expected, arguments.clients, seconds))
        finally:
            server.terminate()
            server.wait()
        sys.stderr.write(f"{name}: {json.dumps(data['servers'][name])}\n")
    file = RESULTS / "serving.json"
    runs = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    runs[str(arguments.words or "whole texts")] = data
    write_whole(file, json.dumps(runs, indent=1) + "\n")
    write_whole(RESULTS / "serving.md", _page(list(runs.values())))


def _expected(model: str, texts: list[str]) -> list[set[Key]]:
    found = load(model)(texts)
    return [{(e["start"], e["end"], e["entity_group"]) for e in each} for each in found]


async def _measure(
    port: int, pid: int, texts: list[str], expected: list[list[set[Key]]], clients: int, seconds: float
) -> dict[str, Any]:
    async with httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", timeout=300, limits=httpx2.Limits(max_connections=None)
    ) as http:
        while True:
            try:
                if (await http.get("/ready")).is_success:
                    break
            except httpx2.TransportError:
                await asyncio.sleep(0.2)
        counts = {"requests": 0, "wrong": 0, "lost": 0, "again": 0}
        rng = random.Random(1)

        async def ask() -> float:
            model, text = rng.randrange(len(expected)), rng.randrange(len(texts))
            started = time.perf_counter()
            while True:
                answer = await http.post("/v1/tag", json={"texts": [texts[text]], "models": [str(model)]})
                if answer.status_code != 429:
                    break
                counts["again"] += 1
                await asyncio.sleep(int(answer.headers["Retry-After"]))
            counts["requests"] += 1
            if not answer.is_success:
                counts["lost"] += 1
            else:
                found = {(e["start"], e["end"], e["type"]) for e in answer.json()["results"][0]["entities"]}
                counts["wrong"] += found != expected[model][text]
            return time.perf_counter() - started

        for _ in range(2 * len(expected)):  # warm: every model once or twice
            await ask()
        alone = [await ask() for _ in range(100)]
        stop = time.perf_counter() + seconds
        full: list[float] = []

        async def client() -> None:
            while time.perf_counter() < stop:
                full.append(await ask())

        started = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(clients)))
        rate = len(full) / (time.perf_counter() - started)
        half: list[asyncio.Task[float]] = []
        for _ in range(max(100, int(rate / 2 * min(seconds, 60)))):  # as they come, whether or not others are answered
            half.append(asyncio.create_task(ask()))
            await asyncio.sleep(rng.expovariate(rate / 2))
        at_half = list(await asyncio.gather(*half))
    process = psutil.Process(pid)
    return {
        **counts,
        "requests_per_second": rate,
        "alone_ms": _milliseconds(alone),
        "full_ms": _milliseconds(full),
        "half_ms": _milliseconds(at_half),
        "resident_mb": process.memory_info().rss / 1e6,
    }


def _milliseconds(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {"p50": 1000 * statistics.median(ordered), "p95": 1000 * ordered[int(0.95 * (len(ordered) - 1))]}


def _page(runs: list[dict[str, Any]]) -> str:
    lines = [
        "# Serving",
        "",
        "Adapters of one base, clients on loopback, one text and one model a request; servers and clients on the same "
        "cores. Half load is requests at random times, at half the rate that all clients reached. An answer is wrong "
        "where start, end or type of an entity differs from `pipeline()`.",
        "",
        "| server | words a text | requests | wrong | lost | requests/s | against plain | alone p50 / p95 ms "
        "| all clients p50 / p95 ms | half load p50 / p95 ms | resident MB |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for data in runs:
        plain = data["servers"]["pipeline() behind FastAPI"]["requests_per_second"]
        for name, found in data["servers"].items():
            keys = ("alone_ms", "full_ms", "half_ms")
            times = " | ".join(f"{found[key]['p50']:.0f} / {found[key]['p95']:.0f}" for key in keys)
            lines.append(
                f"| {name} | {data['words_per_text']:.0f} | {found['requests']:,} | {found['wrong']} | {found['lost']} "
                f"| {found['requests_per_second']:.1f} | {found['requests_per_second'] / plain:.2f} | {times} "
                f"| {found['resident_mb']:.0f} |"
            )
    lines.append("")
    for data in runs:
        machine = f"{data['machine']['processor']}, {data['machine']['cores']} cores"
        lines.append(f"- {machine}, {len(data['models'])} adapters, {data['clients']} clients: `{data['command']}`")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
