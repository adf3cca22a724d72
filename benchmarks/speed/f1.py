"""F1 of zoo's training and of the plain `Trainer` + PEFT script, and how much sooner zoo has it.

    ZOO_CORPORA=DIR python benchmarks/speed/f1.py [minilm-l6/ncbi-disease ...] [--epochs 3] [--seeds 13,14,15]

Both train the same fresh adapter on the same sentences of the whole corpus, with the same batch size, learning rate,
warm-up and number of epochs; strict micro-F1. zoo trains a second time with LoRA+. What it takes zoo to the plain
script's last dev F1 is the time of the epochs up to the first that has it, scoring of the dev split included, which the
plain script does not do.

With `--like-length` zoo trains on batches of like length, padded, as it does for encoders that take no tables.

Writes `f1.{json,md}` (or `f1_like_length`) to `benchmarks/results`, or to `--results`, after each training.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared import RESULTS, alike, command_line, plain_script, prepared_base, run_finetune, threads

from zoo.evaluation.latency import processor_name
from zoo.evaluation.scoring import micro_f1
from zoo.kernels import train
from zoo.modeling.quiet import quiet_libraries
from zoo.pipeline.context import Context
from zoo.registry.loader import Checkpoint, load_registry
from zoo.settings import Settings
from zoo.tagging.tagger import Tagger

PLAIN = "Trainer + PEFT"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="*", default=["minilm-l6/ncbi-disease", "minilm-l6/bc5cdr"])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seeds", default="13,14,15", help="with commas")
    parser.add_argument("--loraplus-lr-ratios", default="1,4", help="zoo trains with each; 1: as the plain script")
    parser.add_argument("--keep", action="store_true", help="take what the results have, and train what they lack")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--like-length", action="store_true", help="batches of like length, padded; f1_like_length.md")
    arguments = parser.parse_args()
    if arguments.like_length:
        train.whole_layers = lambda _: []
    quiet_libraries()
    settings = Settings.load()  # bases are kept in its output folder
    context = Context(load_registry(settings.registry), settings)
    data: dict[str, Any] = {
        "command": command_line(),
        "machine": {"processor": processor_name(), "cores": os.cpu_count(), "threads": threads()},
        "epochs": arguments.epochs,
        "batch_size": arguments.batch_size,
        "like_length": arguments.like_length,
        "runs": [],
    }
    kept: dict[tuple[str, int], dict[str, Any]] = {}
    if arguments.keep:
        last = json.loads((arguments.results / "f1.json").read_text())
        if (last["epochs"], last["batch_size"]) != (arguments.epochs, arguments.batch_size):
            parser.error("the results are of other epochs or batches")
        for run in last["runs"]:
            ways = {way: each for way, each in run["ways"].items() if way == PLAIN or not arguments.like_length}
            kept[run["checkpoint"], run["seed"]] = ways
    ratios = [float(ratio) for ratio in arguments.loraplus_lr_ratios.split(",")]
    changes = {"finetune.epochs": arguments.epochs, "finetune.batch_size": arguments.batch_size, "dapt.passages": ()}
    for seed in map(int, arguments.seeds.split(",")):
        for name in arguments.checkpoints:
            checkpoint = context.registry.checkpoint(name, changes)
            ways = _ways(context, checkpoint, seed, ratios, kept.get((name, seed), {}))
            data["runs"].append({"checkpoint": name, "seed": seed, "ways": ways})
            sys.stderr.write(f"{data['runs'][-1]}\n")
            _write(data, arguments.results)


def _ways(
    context: Context, checkpoint: Checkpoint, seed: int, ratios: Sequence[float], kept: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """What came of each way on the whole corpus; those that are kept, as they are."""
    from transformers import AutoTokenizer

    base = prepared_base(context, checkpoint)
    splits, tokenizer = context.corpus(checkpoint.corpus).splits, AutoTokenizer.from_pretrained(base)
    ways = {**kept}

    def note(way: str, model: Any, seconds: float, **more: Any) -> None:
        tagger = Tagger.of(model, tokenizer, stride_tokens=checkpoint.backbone.stride_tokens)
        scores = {
            f"{split}_micro_f1": micro_f1(splits[split], tagger.tag([document.text for document in splits[split]]))
            for split in ("dev", "test")
        }
        ways[way] = {"processor": processor_name(), "seconds": seconds, **scores, **more}

    if PLAIN not in ways:
        seconds, model = plain_script(context, checkpoint, base, splits["train"], seed)
        note(PLAIN, model, seconds)
    for ratio in ratios:
        if (way := "zoo" if ratio == 1 else f"zoo, LoRA+ {ratio:g}") in ways:
            continue
        own = alike(checkpoint, loraplus_lr_ratio=ratio)
        log, model = run_finetune(context, own, base, splits["train"], splits["dev"], seed)
        seconds, reached = 0.0, None
        for epoch in log.epochs:
            seconds += epoch.train_seconds + epoch.dev_seconds
            if reached is None and epoch.dev_micro_f1 >= ways[PLAIN]["dev_micro_f1"]:
                reached = {"epochs": epoch.epoch, "seconds": seconds}
        note(way, model, seconds, to_plain_dev_micro_f1=reached)
    return ways


def _write(data: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = "f1_like_length" if data["like_length"] else "f1"
    (folder / f"{name}.json").write_text(json.dumps(data, indent=1) + "\n")
    processors = list(dict.fromkeys(each["processor"] for run in data["runs"] for each in run["ways"].values()))
    lines = [
        "# F1 and time",
        "",
        f"`{data['command']}`: {', '.join(f'({n}) {each}' for n, each in enumerate(processors, 1))}; threads: "
        f"{data['machine']['threads']}; whole corpora, {data['epochs']} epochs, batches of {data['batch_size']}, "
        "strict micro-F1." + (" zoo with batches of like length." if data["like_length"] else ""),
        "",
        "| checkpoint | seed | way | seconds | dev | test | epochs to the Trainer's dev F1 | seconds | of its time |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for run in data["runs"]:
        plain = run["ways"][PLAIN]
        for way, each in run["ways"].items():
            on = f" ({processors.index(each['processor']) + 1})" if len(processors) > 1 else ""
            cells = [run["checkpoint"], str(run["seed"]), way, f"{each['seconds']:.0f}{on}"]
            cells += [f"{100 * each[f'{split}_micro_f1']:.2f}" for split in ("dev", "test")]
            if way == PLAIN:
                cells += ["", "", ""]
            elif (reached := each["to_plain_dev_micro_f1"]) is None:
                cells += ["not reached", "", ""]
            else:
                share = f"{100 * reached['seconds'] / plain['seconds']:.0f} %"
                cells += [str(reached["epochs"]), f"{reached['seconds']:.0f}"]
                cells.append(share if each["processor"] == plain["processor"] else "")
            lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "Means of the seeds:", "", "| checkpoint | seeds | way | dev | test |", "|---|---|---|---|---|"]
    for checkpoint in dict.fromkeys(run["checkpoint"] for run in data["runs"]):
        own = [run for run in data["runs"] if run["checkpoint"] == checkpoint]
        for way in own[0]["ways"]:
            means = [
                f"{100 * statistics.mean(run['ways'][way][f'{split}_micro_f1'] for run in own):.2f}"
                for split in ("dev", "test")
            ]
            lines.append(f"| {checkpoint} | {len(own)} | {way} | {' | '.join(means)} |")
    (folder / f"{name}.md").write_text("\n".join(lines) + "\n")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
