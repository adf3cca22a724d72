"""F1 of zoo's training and of the plain `Trainer` + PEFT script, and how much sooner zoo has it.

    ZOO_CORPORA=DIR python benchmarks/speed/f1.py [minilm-l6/ncbi-disease ...] [--epochs 3] [--seeds 13,14,15]

Both train the same fresh adapter on the same sentences of the whole corpus, with the same batch size, learning rate,
warm-up and number of epochs; strict micro-F1. Where the recipe says LoRA+, zoo trains a second time with it. What it
takes zoo to the plain script's last dev F1 is the time of the epochs up to the first that has it, scoring of the dev
split included, which the plain script does not do.

With `--like-length` zoo trains on batches of like length, padded, as it does for encoders that take no tables.

Writes `f1.{json,md}` (or `f1_like_length`) to `benchmarks/results`, or to `--results`, after each training.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from pathlib import Path
from typing import Any

from shared import alike, plain_script, prepared_base, run_finetune, threads

from zoo.build.context import Context
from zoo.evaluation.latency import processor_name
from zoo.evaluation.scoring import micro_f1
from zoo.modeling.quiet import quiet_libraries
from zoo.modeling.tagger import Tagger
from zoo.registry.loader import Checkpoint, load_registry
from zoo.settings import Settings
from zoo.training import fused_layers

RESULTS = Path(__file__).parents[1] / "results"
PLAIN = "Trainer + PEFT"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="*", default=["minilm-l6/ncbi-disease", "minilm-l6/bc5cdr"])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seeds", default="13,14,15", help="with commas")
    parser.add_argument("--keep-plain", action="store_true", help="take the plain script's figures from the results")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--like-length", action="store_true", help="batches of like length, padded; f1_like_length.md")
    arguments = parser.parse_args()
    if arguments.like_length:
        fused_layers.takes_tables = lambda _: False
    quiet_libraries()
    settings = Settings.load()  # bases are kept in its output folder
    context = Context(load_registry(settings.registry), settings)
    data: dict[str, Any] = {
        "command": "python benchmarks/speed/f1.py " + " ".join(sys.argv[1:]),
        "machine": {"processor": processor_name(), "cores": os.cpu_count(), "threads": threads()},
        "epochs": arguments.epochs,
        "batch_size": arguments.batch_size,
        "like_length": arguments.like_length,
        "plain_kept": arguments.keep_plain,
        "runs": [],
    }
    kept: dict[tuple[str, int], dict[str, float]] = {}
    if arguments.keep_plain:
        last = json.loads((arguments.results / "f1.json").read_text())
        if (last["epochs"], last["batch_size"]) != (arguments.epochs, arguments.batch_size):
            parser.error("the results are of other epochs or batches")
        kept = {(run["checkpoint"], run["seed"]): run["ways"][PLAIN] for run in last["runs"]}
    changes = {"finetune.epochs": arguments.epochs, "finetune.batch_size": arguments.batch_size, "dapt.passages": ()}
    for seed in map(int, arguments.seeds.split(",")):
        for name in arguments.checkpoints:
            data["runs"].append(_run(context, context.registry.checkpoint(name, changes), seed, kept))
            sys.stderr.write(f"{data['runs'][-1]}\n")
            _write(data, arguments.results)


def _run(
    context: Context, checkpoint: Checkpoint, seed: int, kept: dict[tuple[str, int], dict[str, float]]
) -> dict[str, Any]:
    """All ways on the whole corpus."""
    from transformers import AutoTokenizer

    base = prepared_base(context, checkpoint)
    splits, tokenizer = context.corpus(checkpoint.corpus).splits, AutoTokenizer.from_pretrained(base)

    def score(model: Any, split: str) -> float:
        tagger = Tagger.of(model, tokenizer, stride_tokens=checkpoint.backbone.stride_tokens)
        return micro_f1(splits[split], tagger.tag([document.text for document in splits[split]]))

    plain = kept.get((checkpoint.id, seed))
    if plain is None:
        seconds, model = plain_script(context, checkpoint, base, splits["train"], seed)
        plain = {"seconds": seconds, **{f"{split}_micro_f1": score(model, split) for split in ("dev", "test")}}
    ways: dict[str, dict[str, float | None]] = {PLAIN: {**plain}}
    for ratio in dict.fromkeys([1.0, checkpoint.recipe.finetune.loraplus_lr_ratio]):
        own = alike(checkpoint, loraplus_lr_ratio=ratio)
        log, model = run_finetune(context, own, base, splits["train"], splits["dev"], seed)
        seconds, reached = 0.0, None
        for epoch in log.epochs:
            seconds += epoch.train_seconds + epoch.dev_seconds
            if reached is None and epoch.dev_micro_f1 >= plain["dev_micro_f1"]:
                reached = seconds
        ways["zoo" if ratio == 1 else f"zoo, LoRA+ {ratio:g}"] = {
            "seconds": seconds,
            "dev_micro_f1": log.best_dev_micro_f1,
            "test_micro_f1": score(model, "test"),
            "seconds_to_plain_dev_micro_f1": reached,
        }
    return {"checkpoint": checkpoint.id, "seed": seed, "ways": ways}


def _write(data: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = "f1_like_length" if data["like_length"] else "f1"
    (folder / f"{name}.json").write_text(json.dumps(data, indent=1) + "\n")
    lines = [
        "# F1 and time",
        "",
        f"`{data['command'].strip()}`: {data['machine']['processor']}, threads: {data['machine']['threads']}; whole "
        f"corpora, {data['epochs']} epochs, batches of {data['batch_size']}, strict micro-F1."
        + (" zoo with batches of like length." if data["like_length"] else "")
        + (" The Trainer's figures are of an earlier run on the same machine." if data["plain_kept"] else ""),
        "",
        "| checkpoint | seed | way | seconds | dev | test | seconds to the Trainer's dev F1 | of its time |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for run in data["runs"]:
        for way, each in run["ways"].items():
            to_f1 = each.get("seconds_to_plain_dev_micro_f1")
            when = "not reached | " if to_f1 is None else f"{to_f1:.0f} | {_share(to_f1, run)}"
            lines.append(
                f"| {run['checkpoint']} | {run['seed']} | {way} | {each['seconds']:.0f} | "
                f"{100 * each['dev_micro_f1']:.2f} | {100 * each['test_micro_f1']:.2f} | "
                f"{' | ' if way == PLAIN else when} |"
            )
    lines += [
        "",
        "Means of the seeds:",
        "",
        "| checkpoint | seeds | way | dev | test | whole training, of the Trainer's time |",
    ]
    lines.append("|---|---|---|---|---|---|")
    for checkpoint in dict.fromkeys(run["checkpoint"] for run in data["runs"]):
        own = [run for run in data["runs"] if run["checkpoint"] == checkpoint]
        for way in own[0]["ways"]:
            dev, test = (
                100 * statistics.mean(run["ways"][way][f"{split}_micro_f1"] for run in own) for split in ("dev", "test")
            )
            seconds, plain = (sum(run["ways"][w]["seconds"] for run in own) for w in (way, PLAIN))
            share = f"{100 * seconds / plain:.0f} %"
            lines.append(f"| {checkpoint} | {len(own)} | {way} | {dev:.2f} | {test:.2f} | {share} |")
    (folder / f"{name}.md").write_text("\n".join(lines) + "\n")
    sys.stdout.write("\n".join(lines) + "\n")


def _share(seconds: float, run: dict[str, Any]) -> str:
    return f"{100 * seconds / run['ways'][PLAIN]['seconds']:.0f} %"


if __name__ == "__main__":
    main()
