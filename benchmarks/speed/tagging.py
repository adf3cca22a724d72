"""Tagging beside what people use: `zoo tag`'s stream against `pipeline()`, on the same adapter and abstracts.

    python benchmarks/speed/tagging.py MODEL --texts FILE [--documents 5000] [--rounds 5] [--together MODEL MODEL ...]

Each round takes the next part of the documents and measures every way once on it, in turn, so that a change of the
machine's speed hits all; ratios are within a round, and their median is reported. Entities (start, end, type) of all
documents are compared with those of `pipeline()`. The models of `--together` (adapters of one base, such as those built
with `lora.upper_layers=1`) are measured all at once and, in the same round, the first of them alone. Also: a
cold `zoo tag` of one sentence and `zoo --help`, the peak memory, and how time grows with documents, length and
adapters. The share of the peak is that of the encoder's products (2 operations per weight and token) in the fastest
product of two large matrices that this machine was seen to do in the same number format.

Writes `benchmarks/results/{amx,no-amx}/tagging.{json,md,png}`.
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
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from shared import peak_flop_per_second, results_folder, threads

from zoo.evaluation.latency import processor_name
from zoo.modeling.device import Precision, has_bfloat16, has_fast_bfloat16
from zoo.modeling.quiet import quiet_libraries
from zoo.tagging.inputs import read_texts
from zoo.tagging.stream import tag_stream
from zoo.tagging.tagger import Tagger
from zoo.tagging.texts import Text

BATCHES = (8,)
"""Batch sizes of `pipeline()` that are tried (larger ones were slower still); the best of them counts."""
Found = list[list[tuple[int, int, str]]]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--together", nargs="*", default=[], metavar="MODEL")
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=Path, default=results_folder())
    arguments = parser.parse_args()
    quiet_libraries()
    everything = list(islice(read_texts(arguments.texts), arguments.documents))
    part = len(everything) // arguments.rounds
    ways = _ways(arguments.model, arguments.together)
    rounds: list[dict[str, float]] = []
    differing: dict[str, int] = {}
    tokens = words = 0
    tagger = Tagger.load(arguments.model)
    for number in range(arguments.rounds):
        texts = everything[number * part : (number + 1) * part]
        tokens += sum(map(len, tagger.tokenizer([text.text for text in texts])["input_ids"]))
        words += sum(len(text.text.split()) for text in texts)
        seconds, first = {}, None
        for name, way in ways.items():
            started = time.perf_counter()
            answer = way(texts)
            seconds[name] = time.perf_counter() - started
            sys.stderr.write(f"round {number + 1}: {name}: {seconds[name]:.1f} s\n")
            first = first or answer
            if "upper" not in name:
                different = sum(a != b for a, b in zip(answer, first, strict=True))
                differing[name] = differing.get(name, 0) + different
        rounds.append(seconds)
    texts = everything[: min(len(everything), 400)]
    data = {
        "tokens_per_round": tokens / arguments.rounds,
        "flop_per_token": flop_per_token(tagger),
        "fast_bfloat16": has_fast_bfloat16(),
        "peak_flop_per_second": {name: peak_flop_per_second(name) for name in ("float32", "bfloat16")},
        "command": f"python benchmarks/speed/tagging.py MODEL --documents {arguments.documents}"
        + (" --together" + " MODEL" * len(arguments.together) if arguments.together else ""),
        "machine": {"processor": processor_name(), "cores": os.cpu_count(), "threads": threads()},
        "model": "/".join(Path(arguments.model).parts[-2:]),
        "together": ["/".join(Path(model).parts[-2:]) for model in arguments.together],
        "documents": part * arguments.rounds,
        "words_per_round": words / arguments.rounds,
        "rounds": rounds,
        "differing_documents": differing,
        "growth": {
            "documents": _growth(tagger, texts),
            "characters of one document": _longer(tagger, texts),
            "adapters": _more(arguments.together or [arguments.model], texts),
        },
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "million_characters": _million(tagger, texts),
        "cold_start_seconds": [_cold_start("tag", "--model", arguments.model, "She has asthma.") for _ in range(5)],
        "help_seconds": [_cold_start("--help") for _ in range(5)],
        "plan_seconds": [_cold_start("plan", "--all", "--suite", "openmed") for _ in range(5)],
    }
    _write(data, arguments.results)


def _ways(model: str, together: Sequence[str]) -> dict[str, Callable[[Sequence[Text]], Found]]:
    from transformers import pipeline

    from zoo.modeling.windows import aggregation_strategy

    first = Tagger.load(model)
    ner = pipeline(
        "token-classification",
        model=first.model,
        tokenizer=first.tokenizer,
        aggregation_strategy=aggregation_strategy(first.tokenizer),
        stride=first.stride_tokens,
    )

    def plain(texts: Sequence[Text], batch_size: int) -> Found:
        return [
            [(e["start"], e["end"], e["entity_group"]) for e in found]
            for found in ner([text.text for text in texts], batch_size=batch_size)
        ]

    def stream(taggers: Sequence[Tagger], texts: Sequence[Text], precision: Precision = "auto") -> Found:
        return [[e.key for e in answer.entities[0]] for answer in tag_stream(taggers, texts, precision=precision)]

    ways: dict[str, Callable[[Sequence[Text]], Found]] = {"pipeline, defaults": lambda texts: plain(texts, 1)}
    ways |= {f"pipeline, batch_size={size}": lambda texts, size=size: plain(texts, size) for size in BATCHES}  # type: ignore[misc]
    ways["zoo tag"] = lambda texts: stream([first], texts)
    ways["zoo tag --precision float32"] = lambda texts: stream([first], texts, "float32")
    if has_bfloat16():  # else it is emulated, and takes minutes
        ways["zoo tag --precision bfloat16"] = lambda texts: stream([first], texts, "bfloat16")
    if together:
        every = Tagger.load_all(together)
        alone = Tagger.load(together[0])
        ways["zoo tag, 1 adapter on upper layers"] = lambda texts: stream([alone], texts)
        ways[f"zoo tag, {len(together)} adapters on upper layers"] = lambda texts: stream(every, texts)
    return ways


def flop_per_token(tagger: Tagger) -> int:
    """Forward 2 per weight of the encoder's matrices; attention itself, LoRA and the head are left out."""
    return 2 * sum(
        parameter.numel()
        for name, parameter in tagger.model.named_parameters()
        if parameter.ndim == 2 and not any(part in name for part in ("embeddings", "lora_", "classifier"))
    )


def _timed(taggers: Sequence[Tagger], texts: Sequence[Text]) -> float:
    started = time.perf_counter()
    for _ in tag_stream(taggers, texts, precision="auto"):
        pass
    return time.perf_counter() - started


def _growth(tagger: Tagger, texts: Sequence[Text]) -> list[tuple[int, float]]:
    """Documents and seconds of the stream, after one that made oneDNN's kernels."""
    _timed([tagger], texts)
    sizes = [max(1, round(share * len(texts))) for share in (0.125, 0.25, 0.5, 1.0)]
    return [(size, _timed([tagger], texts[:size])) for size in sizes]


def _longer(tagger: Tagger, texts: Sequence[Text]) -> list[tuple[int, float]]:
    """Characters of one document and seconds."""
    return [
        (size, _timed([tagger], [Text("long", _text_of(texts, size))])) for size in (25_000, 50_000, 100_000, 200_000)
    ]


def _more(models: Sequence[str], texts: Sequence[Text]) -> list[tuple[int, float]]:
    """Adapters and seconds."""
    numbers = [number for number in (1, 2, 4, 8) if number <= len(models)]
    return [(number, _timed(Tagger.load_all(models[:number]), texts)) for number in numbers]


def _text_of(texts: Sequence[Text], characters: int) -> str:
    words = " ".join(text.text for text in texts)
    return (words * (1 + characters // len(words)))[:characters]


def _million(tagger: Tagger, texts: Sequence[Text]) -> dict[str, float]:
    """Memory that one document of a million characters adds to one of a tenth of it, and its seconds."""
    result: dict[str, float] = {}
    for characters in (100_000, 1_000_000):
        before = _resident_mib()
        result[f"seconds_{characters}"] = _timed([tagger], [Text("long", _text_of(texts, characters))])
        result[f"growth_mib_{characters}"] = _resident_mib() - before
    return result


def _resident_mib() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _cold_start(*arguments: str) -> float:
    """Seconds of a command in a new process."""
    started = time.perf_counter()
    command = [sys.executable, "-c", "from zoo.cli import main; main()", *arguments]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def _write(data: dict[str, Any], results: Path) -> None:
    results.mkdir(parents=True, exist_ok=True)
    names = list(data["rounds"][0])
    words = data["words_per_round"]
    best = min((n for n in names if "batch_size" in n), key=lambda n: statistics.median(r[n] for r in data["rounds"]))
    lines = [
        "# Tagging",
        "",
        f"`{data['command']}`: {data['documents']:,} abstracts in {len(data['rounds'])} rounds of "
        f"{data['documents'] // len(data['rounds']):,} others each, adapter `{data['model']}`; "
        f"{data['machine']['processor']}, threads: {data['machine']['threads']}; medians over rounds.",
        "",
        f"| way | seconds a round | words/s | times `pipeline` defaults | times {best} | documents that differ "
        "| share of the peak |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in names:
        seconds = statistics.median(r[name] for r in data["rounds"])
        faster = [statistics.median(r[other] / r[name] for r in data["rounds"]) for other in (names[0], best)]
        differ = data["differing_documents"].get(name, "")
        share = ""
        if "upper" not in name:
            rough = name.endswith("bfloat16") or (name == "zoo tag" and data["fast_bfloat16"])
            precision = "bfloat16" if rough else "float32"
            peak = data["peak_flop_per_second"][precision]
            share = f"{100 * data['tokens_per_round'] * data['flop_per_token'] / seconds / peak:.0f} % of {precision}"
        lines.append(
            f"| {name} | {seconds:.1f} | {words / seconds:,.0f} | {faster[0]:.2f} | {faster[1]:.2f} | {differ} "
            f"| {share} |"
        )
    if together := data["together"]:
        one, every = names[-2:]
        ratio = statistics.median(r[every] / r[one] for r in data["rounds"])
        lines += ["", f"{len(together)} adapters ({', '.join(together)}) take {ratio:.2f} times as long as one."]
    million = data["million_characters"]
    lines += [
        "",
        f"One document of 100,000 characters: {million['seconds_100000']:.1f} s; of 1,000,000: "
        f"{million['seconds_1000000']:.1f} s and {million['growth_mib_1000000']:.0f} MiB more. Peak memory of "
        f"the whole benchmark: {data['peak_memory_mib']:,.0f} MiB. `zoo tag` of one sentence from a cold process: "
        f"{statistics.median(data['cold_start_seconds']):.1f} s; `zoo --help`: "
        f"{statistics.median(data['help_seconds']):.2f} s; `zoo plan` of the 36 checkpoints of openmed: "
        f"{statistics.median(data['plan_seconds']):.1f} s.",
        "",
        "![seconds against documents, length and adapters, with the line through the least squares](tagging.png)",
        "",
    ]
    (results / "tagging.json").write_text(json.dumps(data, indent=1) + "\n")
    (results / "tagging.md").write_text("\n".join(lines))
    _plot(data, results)
    sys.stdout.write("\n".join(lines))


def _plot(data: dict[str, Any], results: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(12, 3.4))
    for axis, (what, points) in zip(axes, data["growth"].items(), strict=True):
        sizes, seconds = zip(*points, strict=True)
        axis.plot(sizes, seconds, "o", color="#0072b2")
        if len(points) > 1:
            slope, constant = statistics.linear_regression(sizes, seconds)
            axis.plot([0, max(sizes)], [constant, constant + slope * max(sizes)], "-", color="#999999", zorder=0)
            per = 10 ** max(0, len(str(max(sizes))) - 3)
            axis.set_title(f"{constant:.2f} s + {slope * per:.3g} s per {per:,}", fontsize=10)
        axis.set_xlabel(what)
        axis.set_ylabel("seconds (zoo tag)")
        axis.set_xlim(left=0)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(results / "tagging.png", dpi=140)


if __name__ == "__main__":
    main()
