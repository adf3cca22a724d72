"""Training on the device at hand: made for GPUs, and runs on CPUs too.

    ZOO_CORPORA=DIR python benchmarks/speed/device.py [--corpora ncbi-disease bc5cdr ...] [--sizes base large]

`minilm-l6` is trained on each corpus as its recipe says (or for `--epochs`): seconds, tokens per second, Wh, strict
micro-F1. Then BERT encoders of other sizes with random weights, one epoch over the first `--documents` of the first
corpus, for their speed alone. The share of the peak is that of LoRA's operations (see `training.py`) in the fastest
product of large matrices that the device was seen to do in the number format that training takes there.

Writes `benchmarks/results/device-NAME.{json,md}` after each training, so that nothing is lost when a lease ends.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from shared import RESULTS, flop_per_token, peak_flop_per_second, prepared_base, run_finetune

from zoo.energy import measure
from zoo.evaluation.latency import processor_name
from zoo.evaluation.scoring import micro_f1
from zoo.modeling.backbones import BackboneFiles, build_base
from zoo.modeling.device import use_bfloat16
from zoo.modeling.quiet import quiet_libraries
from zoo.pipeline.context import Context
from zoo.registry.loader import Checkpoint, load_registry
from zoo.settings import Settings
from zoo.tagging.tagger import Tagger

SIZES = {"tiny": (2, 64, 2), "base": (12, 768, 12), "large": (24, 1024, 16)}
"""Layers, width, heads; `base` and `large` are those of BERT (arXiv 1810.04805, 3)."""


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", nargs="*", default=["ncbi-disease", "bc5cdr"])
    parser.add_argument("--sizes", nargs="*", choices=SIZES, default=["base", "large"])
    parser.add_argument("--epochs", type=int, help="default: the recipe's")
    parser.add_argument("--documents", type=int, default=2000, help="of the encoders with random weights")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    quiet_libraries()
    settings = Settings.load()
    context = Context(load_registry(settings.registry), settings)
    gpu = torch.cuda.is_available()
    form = "bfloat16" if use_bfloat16("auto") else "float32"
    data: dict[str, Any] = {
        "command": "python benchmarks/speed/device.py",
        "device": torch.cuda.get_device_name() if gpu else processor_name(),
        "format": form,
        "peak_flop_per_second": peak_flop_per_second(form, 8192 if gpu else 2048),
        "rows": [],
    }
    values: dict[str, Any] = {"dapt.passages": (), "finetune.backbone_dropout": False}
    for corpus in arguments.corpora:
        epochs = {"finetune.epochs": arguments.epochs} if arguments.epochs else {}
        checkpoint = context.registry.checkpoint(f"minilm-l6/{corpus}", values | epochs)
        data["rows"].append(_row(context, checkpoint, prepared_base(context, checkpoint), "minilm-l6"))
        _write(data, arguments.results)
    for size in arguments.sizes:
        checkpoint = context.registry.checkpoint(f"minilm-l6/{arguments.corpora[0]}", values | {"finetune.epochs": 1})
        with tempfile.TemporaryDirectory() as folder:
            base = _random_base(context, checkpoint, size, Path(folder))
            data["rows"].append(_row(context, checkpoint, base, f"BERT {size}, random weights", arguments.documents))
        _write(data, arguments.results)


def _row(
    context: Context, checkpoint: Checkpoint, base: Path, name: str, documents: int | None = None
) -> dict[str, Any]:
    """One training; of the first documents alone, without scores, where their number is given."""
    from transformers import AutoTokenizer

    splits = {split: list(texts) for split, texts in context.corpus(checkpoint.corpus).splits.items()}
    train, dev = splits["train"][:documents], splits["dev"] if documents is None else splits["train"][:1]
    with measure(context.settings.country) as meter:
        log, model = run_finetune(context, checkpoint, base, train, dev)
    row: dict[str, Any] = {
        "model": name,
        "corpus": checkpoint.corpus.id,
        "documents": len(train),
        "epochs": len(log.epochs),
        "seconds": log.train_seconds,
        "tokens_per_second": sum(e.tokens for e in log.epochs) / sum(e.train_seconds for e in log.epochs),
        "flop_per_token": flop_per_token(base),
        "energy": meter.energy.model_dump(mode="json"),
        "precision": log.precision,
        "test_micro_f1": None,
    }
    if documents is None:
        tagger = Tagger.of(model, AutoTokenizer.from_pretrained(base), stride_tokens=checkpoint.backbone.stride_tokens)
        row["test_micro_f1"] = micro_f1(splits["test"], tagger.tag([text.text for text in splits["test"]]))
    return row


def _random_base(context: Context, checkpoint: Checkpoint, size: str, folder: Path) -> Path:
    """A base with the tokenizer of the checkpoint's and a BERT encoder of this size without any training."""
    from transformers import AutoTokenizer, BertConfig, BertForMaskedLM

    tokenizer = AutoTokenizer.from_pretrained(prepared_base(context, checkpoint))
    layers, width, heads = SIZES[size]
    config = BertConfig(
        vocab_size=len(tokenizer),
        num_hidden_layers=layers,
        hidden_size=width,
        num_attention_heads=heads,
        intermediate_size=4 * width,
    )
    BertForMaskedLM(config).save_pretrained(folder / "backbone")
    tokenizer.save_pretrained(folder / "backbone")
    family = context.registry.families["bert"]
    build_base(
        BackboneFiles(folder / "backbone", "random weights"),
        family,
        context.labels,
        checkpoint.backbone.window_tokens,
        folder / "base",
        seed=13,
    )
    return folder / "base"


def _write(data: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = "device-" + "".join(c if c.isalnum() else "-" for c in data["device"].lower())
    (folder / f"{name}.json").write_text(json.dumps(data, indent=1) + "\n")
    peak = data["peak_flop_per_second"]
    lines = [
        f"# Training on {data['device']}",
        "",
        f"`{data['command']}`; large {data['format']} products reach {peak / 1e12:.2f} TFLOP/s.",
        "",
        "| model | corpus | documents | epochs | seconds | tokens/s | share of the peak | Wh | test F1 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in data["rows"]:
        share = row["tokens_per_second"] * row["flop_per_token"] / peak
        f1 = "" if row["test_micro_f1"] is None else f"{100 * row['test_micro_f1']:.2f}"
        lines.append(
            f"| {row['model']} | {row['corpus']} | {row['documents']:,} | {row['epochs']} | {row['seconds']:.0f} | "
            f"{row['tokens_per_second']:,.0f} | {100 * share:.1f} % | {row['energy']['energy_wh']:.2f} | {f1} |"
        )
    text = "\n".join([*lines, "", f"Energy: {data['rows'][0]['energy']['method']}.", ""])
    (folder / f"{name}.md").write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
