"""From corrections to a new adapter: seconds of the two commands, on so many corrected documents.

    ZOO_CORPORA=DIR OMP_NUM_THREADS=1 python benchmarks/corrections/retrain.py [--documents 50]

Documents are abstract-long runs of sentences of NCBI-Disease with their gold mentions, kept as the demo keeps
corrections. Then, as docs/corrections.md says, `zoo corpora add --corrections` and `zoo build`, each in a process of
its own, from an empty output folder. Writes `benchmarks/results/retrain.{json,md}`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "leaderboard"))

from corrections import Draft, Folder
from zoo.corpora.load import open_corpus
from zoo.evaluation.latency import processor_name
from zoo.modeling.windows import Entity
from zoo.registry.loader import load_registry
from zoo.settings import Settings

RESULTS = Path(__file__).parents[1] / "results"
SENTENCES = 8
_TIMES = ("seconds", "processor_seconds")
RECIPE = ("finetune.epochs=20", "finetune.batch_size=4", "finetune.loraplus_lr_ratio=4")


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=50)
    parser.add_argument("--backbone", default="minilm-l6")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    registry, settings = load_registry(), Settings.load()
    sentences = open_corpus(registry.corpus("ncbi-disease"), registry, settings).splits["train"]
    steps: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        kept = Folder(folder / "corrections")
        words = mentions = 0
        for number in range(arguments.documents):
            run = sentences[number * SENTENCES : (number + 1) * SENTENCES]
            text, spans = _joined(run)
            kept.save(Draft(text, (), spans))
            words, mentions = words + len(text.split()), mentions + len(spans)
        own = ["--registry", str(folder / "registry")]
        out = folder / "builds"
        chosen = [part for value in RECIPE for part in ("--set", value)]
        for command in (
            ["corpora", "add", "my-notes", "--corrections", str(kept.path), *own],
            ["build", f"{arguments.backbone}/my-notes", *own, "--out", str(out), *chosen],
        ):
            steps.append(_timed(command, folder))
        result = json.loads((out / "checkpoints" / arguments.backbone / "my-notes" / "result.json").read_text())
    data = {
        "command": f"python benchmarks/corrections/retrain.py --documents {arguments.documents}",
        "machine": {
            "processor": processor_name(),
            "cores": os.cpu_count(),
            "threads": os.environ.get("OMP_NUM_THREADS"),
            "load": os.getloadavg()[0],
        },
        "documents": arguments.documents,
        "words": words,
        "mentions": mentions,
        "recipe": RECIPE,
        "steps": steps,
        "test_micro_f1": result["scores"]["test"]["micro_f1"],
        "test_documents": result["scores"]["test"]["documents"],
    }
    arguments.results.mkdir(parents=True, exist_ok=True)
    (arguments.results / "retrain.json").write_text(json.dumps(data, indent=1) + "\n")
    (arguments.results / "retrain.md").write_text(page := _page(data))
    sys.stdout.write(page)


def _timed(command: list[str], folder: Path) -> dict[str, Any]:
    """Seconds that a command took, and those of processors that it and its workers had: others may use them too."""
    import psutil

    started, used = time.perf_counter(), dict[int, float]()
    with (folder / "log").open("w") as log:
        process = psutil.Popen([sys.executable, "-m", "zoo", *command], cwd=folder, stdout=log, stderr=log)
        while process.poll() is None:
            for each in (process, *process.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    used[each.pid] = sum(each.cpu_times()[:2])
            time.sleep(0.1)
    if process.returncode:
        sys.exit((folder / "log").read_text())
    return {
        "command": f"zoo {' '.join(command[:2])}",
        "seconds": time.perf_counter() - started,
        "processor_seconds": sum(used.values()),
    }


def _joined(run: list[Any]) -> tuple[str, tuple[Entity, ...]]:
    text, spans = "", []
    for sentence in run:
        offset = len(text) + bool(text)
        text = f"{text} {sentence.text}" if text else sentence.text
        spans += [Entity(span.start + offset, span.end + offset, span.type, 1.0) for span in sentence.spans]
    return text, tuple(spans)


def _page(data: dict[str, Any]) -> str:
    machine = data["machine"]
    lines = [
        "# From corrections to an adapter",
        "",
        f"`{data['command']}`: {machine['processor']}, threads: {machine['threads']} on {machine['cores']} cores, "
        f"whose load was {machine['load']:.1f}; {data['documents']} documents, {data['words']:,} words, "
        f"{data['mentions']:,} mentions; {', '.join(data['recipe'])}.",
        "",
        "| step | seconds | of processors |",
        "|---|---|---|",
        *(f"| `{s['command']}` | {s['seconds']:.0f} | {s['processor_seconds']:.0f} |" for s in data["steps"]),
        "| both | " + " | ".join(f"{sum(s[name] for s in data['steps']):.0f}" for name in _TIMES) + " |",
        "",
        f"Strict micro-F1 on its own {data['test_documents']} test documents: {100 * data['test_micro_f1']:.2f}.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
