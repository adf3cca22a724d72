"""What a search costs, in trainings of the script that people use today.

    ZOO_CORPORA=DIR python benchmarks/speed/search.py [minilm-l6/cll] [--trials 20]

The plain `Trainer` + PEFT script trains the checkpoint's recipe for all its epochs, then `zoo tune` searches with so
many trials from nothing, then the plain script once more, so that a change of the machine's speed shows. The search is
that of the recipe: its space, its pruning, one worker.

Writes `benchmarks/results/{amx,no-amx}/search.{json,md,png}`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from shared import command_line, plain_script, prepared_base, results_folder

from zoo.evaluation.latency import processor_name
from zoo.modeling.quiet import quiet_libraries
from zoo.pipeline.context import Context
from zoo.pipeline.local import LocalEngine
from zoo.pipeline.plan import chain, make_plan
from zoo.pipeline.progress import ConsoleReporter
from zoo.pipeline.schedule import Schedule
from zoo.pipeline.stages.tune import KIND as TUNE
from zoo.registry.loader import load_registry
from zoo.settings import Settings
from zoo.training.study import StudySummary


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", nargs="?", default="minilm-l6/cll")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--results", type=Path, default=results_folder())
    arguments = parser.parse_args()
    quiet_libraries()
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(Settings.load(), out=Path(folder))
        context = Context(load_registry(settings.registry), settings)
        values = {"dapt.passages": (), "tune.trials": arguments.trials}
        checkpoint = context.registry.checkpoint(arguments.checkpoint, values)
        base = prepared_base(context, checkpoint)
        train = list(context.corpus(checkpoint.corpus).splits["train"])
        plain = [plain_script(context, checkpoint, base, train)[0]]
        sys.stderr.write(f"plain script: {plain[0]:.0f} s\n")
        study = _search(context, checkpoint)
        plain.append(plain_script(context, checkpoint, base, train)[0])
    _write(
        {
            "command": command_line(),
            "machine": {"processor": processor_name(), "cores": os.cpu_count()},
            "checkpoint": checkpoint.id,
            "recipe_epochs": checkpoint.recipe.finetune.epochs,
            "plain_seconds": plain,
            "search_seconds": study.seconds,
            "study": study.model_dump(mode="json", exclude={"trials": {"__all__": {"energy"}}}),
        },
        arguments.results,
    )


def _search(context: Context, checkpoint: Any) -> StudySummary:
    from rich.console import Console

    stage = chain(make_plan([checkpoint], context).last[checkpoint.id])["tune"]
    with ConsoleReporter(Console(stderr=True)) as reporter:
        LocalEngine().run(Schedule([stage]), context, reporter)
    return TUNE.read(context.store.get("tune", stage.fingerprint))


def _write(data: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "search.json").write_text(json.dumps(data, indent=1) + "\n")
    study, plain = data["study"], statistics.mean(data["plain_seconds"])
    states = Counter(trial["state"] for trial in study["trials"])
    epochs = sum(trial["epochs"] for trial in study["trials"])
    lines = [
        "# Search",
        "",
        f"`{data['command']}`: {data['machine']['processor']}, {data['machine']['cores']} cores, "
        f"{data['checkpoint']}, {data['recipe_epochs']} epochs.",
        "",
        "| what | seconds | full trainings of the plain script |",
        "|---|---|---|",
        f"| `Trainer` + PEFT, before and after | {', '.join(f'{s:.0f}' for s in data['plain_seconds'])} | 1 |",
        f"| {len(study['trials'])} trials: {', '.join(f'{n} {state}' for state, n in states.items())}; {epochs} epochs "
        f"| {data['search_seconds']:.0f} | **{data['search_seconds'] / plain:.2f}** |",
        "",
        f"Best dev F1 {100 * study['best_dev_micro_f1']:.2f} in trial {study['best_trial']}; the recipe itself "
        f"(trial 0) {100 * (study['recipe_dev_micro_f1'] or 0):.2f}.",
        "",
        "![seconds of the search after each trial, beside as many trainings of the plain script](search.png)",
        "",
    ]
    _plot(study["trials"], plain, folder / "search.png")
    (folder / "search.md").write_text("\n".join(lines))
    sys.stdout.write("\n".join(lines))


def _plot(trials: list[dict[str, Any]], plain_seconds: float, destination: Path) -> None:
    """How the cost grows with the trials."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    numbers = list(range(1, len(trials) + 1))
    seconds = list(accumulate(trial["seconds"] for trial in trials))
    slope, constant = statistics.linear_regression(numbers, seconds)
    figure, axis = plt.subplots(figsize=(6, 3.6))
    axis.plot(numbers, seconds, "o", color="#0072b2", label="zoo tune")
    fitted = f"{constant:.0f} s + {slope:.0f} s per trial"
    axis.plot(numbers, [constant + slope * number for number in numbers], "-", color="#999999", label=fitted)
    label = f"plain script, {plain_seconds:.0f} s per training"
    axis.plot(numbers, [plain_seconds * number for number in numbers], "--", color="#d55e00", label=label)
    axis.set_xlabel("trials")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.set_ylabel("seconds")
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(destination, dpi=140)


if __name__ == "__main__":
    main()
