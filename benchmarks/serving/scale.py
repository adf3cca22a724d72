"""`zoo tag --engine ray` with one worker and with two, with one killed in the middle, beside a single local run.

    python benchmarks/serving/scale.py MODEL --texts FILE [--documents 20000] [--words 40] [--shard 250]

Documents are cut from the texts, `--words` each and all of them different. Each run is the whole command, in a process
of its own, on a cluster that it starts; nothing else should run on the machine. Rates are between the first shard and
the last, without the start of Ray and the loading of models; seconds are of the whole command. CPU seconds are those of
the processes that tag. The outputs of all runs are compared byte by byte.

A run that was broken off goes on with the parts that are missing (`--work` keeps them).
Writes `benchmarks/results/scale.{json,md}`, and ends with 1 if an output differs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Any

import psutil

from zoo.evaluation.latency import processor_name
from zoo.files import file_sha256, write_whole
from zoo.tagging.inputs import read_texts

RESULTS = Path(__file__).parents[1] / "results"
_LOOK_SECONDS = 0.5
RUNS = ("one process", "1 worker", "2 workers", "2 workers, one killed")


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--words", type=int, default=40)
    parser.add_argument("--shard", type=int, default=250)
    parser.add_argument("--work", type=Path, help="Folder that keeps what is done; default: one for these arguments.")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    name = f"zoo-scale-{arguments.documents}-{arguments.words}-{arguments.shard}"
    work = arguments.work or Path(tempfile.gettempdir()) / name
    work.mkdir(parents=True, exist_ok=True)
    documents = work / "documents.jsonl"
    if not documents.exists():
        write_whole(documents, "\n".join(_documents(arguments.texts, arguments.documents, arguments.words)) + "\n")
    kept = work / "runs.json"
    runs: dict[str, dict[str, Any]] = json.loads(kept.read_text()) if kept.exists() else {}
    for run in RUNS:
        if run not in runs:
            runs[run] = _measure(run, arguments.model, documents, arguments.shard, work)
            write_whole(kept, json.dumps(runs))
        sys.stderr.write(f"{run}: {json.dumps(runs[run])}\n")
    data = {
        "machine": {"processor": processor_name(), "cores": os.cpu_count()},
        "model": "/".join(Path(arguments.model).parts[-2:]),
        "documents": arguments.documents,
        "words": arguments.words,
        "shard": arguments.shard,
        "runs": runs,
        "rate_of_two_workers": runs["2 workers"]["documents_per_second"] / runs["1 worker"]["documents_per_second"],
        "time_of_two_workers": runs["1 worker"]["seconds"] / runs["2 workers"]["seconds"],
        "identical": len({run["sha256"] for run in runs.values()}) == 1,
    }
    write_whole(arguments.results / "scale.json", json.dumps(data, indent=1) + "\n")
    write_whole(arguments.results / "scale.md", _page(data))
    sys.exit(0 if data["identical"] else 1)


def _documents(texts: Path, number: int, words: int) -> list[str]:
    """JSON lines: pieces of texts, first the beginning of each, then what follows, until there are enough."""
    split = [(text.id, text.text.split()) for text in read_texts(texts)]
    found: list[str] = []
    for place in count():
        pieces = [(f"{name}-{place}", all_[place * words :][:words]) for name, all_ in split]
        pieces = [(name, piece) for name, piece in pieces if len(piece) == words]
        if not pieces:
            raise SystemExit(f"the texts give {len(found):,} documents of {words} words: fewer --documents or --words")
        found += [json.dumps({"id": name, "text": " ".join(piece)}) for name, piece in pieces]
        if len(found) >= number:
            return found[:number]
    raise AssertionError


def _measure(run: str, model: str, documents: Path, shard: int, work: Path) -> dict[str, Any]:
    """One run of the command, watched: shards that are there, CPU seconds of workers."""
    out = work / run.replace(" ", "-").replace(",", "")
    shutil.rmtree(out, ignore_errors=True)
    for left in work.glob(f"{out.name}.jsonl*"):
        left.unlink()
    command = [sys.executable, "-m", "zoo", "tag", "--model", model, "--file", str(documents)]
    on_ray = run != RUNS[0]
    more = ["--engine", "ray", "--workers", run[0], "--shard", str(shard), "--out", str(out)]
    command += more if on_ray else ["--out", f"{out}.jsonl"]
    # Ray gives workers a low priority, and one core; the single process gets one, too
    environment = os.environ | {"RAY_worker_niceness": "0", "OMP_NUM_THREADS": "1"}
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    shards = -(-sum(1 for _ in documents.open(encoding="utf-8")) // shard)
    cpu: dict[int, float] = {}
    first: tuple[float, int] | None = None
    last, seen, killed = 0.0, 0, None
    while process.poll() is None:
        time.sleep(_LOOK_SECONDS)
        workers = [psutil.Process(process.pid)] if not on_ray else _workers(process.pid)
        for worker in workers:
            try:
                cpu[worker.pid] = sum(worker.cpu_times()[:2])
            except psutil.Error:
                continue
        there = len(list(out.glob("part-*"))) if on_ray else 0
        if there > seen:
            last, seen = time.perf_counter(), there
            first = first or (last, there)
            sys.stderr.write(f"{run}: {there} of {shards} shards, {last - started:.0f} s\n")
        if "killed" in run and not killed and there >= shards / 3 and workers:
            killed = {"shards_done": there}
            os.kill(workers[0].pid, signal.SIGKILL)
    if process.returncode:
        raise SystemExit(f"{run}: exit code {process.returncode}")
    seconds = time.perf_counter() - started
    number = sum(1 for _ in documents.open(encoding="utf-8"))
    if on_ray:
        whole = work / f"{out.name}.jsonl"
        with whole.open("wb") as together:
            for path in sorted(out.glob("part-*")):
                together.write(path.read_bytes())
    rate = (seen - first[1]) * shard / (last - first[0]) if first and seen > first[1] else number / seconds
    found = {"seconds": seconds, "documents_per_second": rate, "cpu_seconds": sum(cpu.values())}
    return {**found, "sha256": file_sha256(work / f"{out.name}.jsonl"), **({"killed": killed} if killed else {})}


def _workers(pid: int) -> list[psutil.Process]:
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        try:
            if "MapWorker" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def _page(data: dict[str, Any]) -> str:
    machine = f"{data['machine']['processor']}, {data['machine']['cores']} cores"
    lines = [
        "# Tagging on Ray Data",
        "",
        f"{data['documents']:,} documents of {data['words']} words, shards of {data['shard']}, {data['model']}; "
        f"{machine}. Documents a second are counted between the first shard and the last, of the single process over "
        "the whole command; CPU seconds are of the processes that tag.",
        "",
        "| run | seconds | documents/s | CPU seconds | output |",
        "|---|---|---|---|---|",
    ]
    reference = data["runs"][RUNS[0]]["sha256"]
    for name, run in data["runs"].items():
        same = "identical" if run["sha256"] == reference else "**differs**"
        after = f", killed after {run['killed']['shards_done']} shards" if "killed" in run else ""
        lines.append(
            f"| {name}{after} | {run['seconds']:.0f} | {run['documents_per_second']:.1f} | {run['cpu_seconds']:.0f} "
            f"| {same} |"
        )
    lines += [
        "",
        f"Two workers: {data['rate_of_two_workers']:.2f} times the documents a second of one; "
        f"the whole command {data['time_of_two_workers']:.2f} times as fast.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
