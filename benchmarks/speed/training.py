"""Training beside what people use: `zoo`'s loop against `Trainer` + PEFT, on the same model, data and hyper-parameters.

    ZOO_CORPORA=DIR python benchmarks/speed/training.py [minilm-l6/ncbi-disease ...] [--documents 1200] [--rounds 5]

What is timed is one epoch over the first documents of the training split, without the dev split: tokens of the text per
second, special tokens included, padding not. One round measures every way once, in turn; ratios are within a round, and
their median is reported. The share of the peak is that of the floating-point operations that LoRA needs (forward and
gradients of activations through the encoder: 4 per frozen weight and token) in the fastest product of two large
matrices that this machine was seen to do in the same number format.

Writes `benchmarks/results/training.{json,md}`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo.build.context import Context
from zoo.build.local import LocalEngine
from zoo.build.plan import chain, make_plan
from zoo.build.progress import ConsoleReporter
from zoo.build.schedule import Schedule
from zoo.corpora.document import Document
from zoo.evaluation.latency import processor_name
from zoo.modeling.lora import attach_lora
from zoo.modeling.quiet import quiet_libraries
from zoo.modeling.tagger import longest_window
from zoo.modeling.windows import encode, label_window
from zoo.registry.loader import Checkpoint, load_registry
from zoo.settings import Settings
from zoo.training.finetune import finetune
from zoo.training.precision import use_bfloat16

RESULTS = Path(__file__).parents[1] / "results"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="*", default=["minilm-l6/ncbi-disease"])
    parser.add_argument("--documents", type=int, default=1200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("builds"), help="where bases are kept")
    arguments = parser.parse_args()
    quiet_libraries()
    settings = replace(Settings.load(), out=arguments.out)
    context = Context(load_registry(settings.registry), settings)
    measured = {}
    for checkpoint_id in arguments.checkpoints:
        checkpoint = context.registry.checkpoint(checkpoint_id, {"finetune.epochs": 1, "dapt.passages": ()})
        base = _base(context, checkpoint)
        train = context.corpus(checkpoint.corpus).splits["train"][: arguments.documents]
        ways = _ways(context, checkpoint, base, train)
        tokens, flop = _tokens(base, train), _flop_per_token(base)
        rounds = []
        for number in range(arguments.rounds):
            seconds = {}
            for name, way in ways.items():
                seconds[name] = way()
                sys.stderr.write(
                    f"{checkpoint_id}, round {number + 1}: {name}: {tokens / seconds[name]:,.0f} tokens/s\n"
                )
            rounds.append(seconds)
        measured[checkpoint_id] = {
            "documents": len(train),
            "tokens": tokens,
            "flop_per_token": flop,
            "recipe": checkpoint.recipe.model_dump(mode="json", include={"lora", "finetune"}),
            "rounds": rounds,
        }
    _write(
        {
            "command": "python benchmarks/speed/training.py " + " ".join(arguments.checkpoints),
            "machine": {"processor": processor_name(), "cores": os.cpu_count(), "threads": _threads()},
            "peak_flop_per_second": {name: _peak(name) for name in ("float32", "bfloat16")},
            "checkpoints": measured,
        }
    )


def _base(context: Context, checkpoint: Checkpoint) -> Path:
    plan = make_plan([checkpoint], context)
    stage = chain(plan.last[checkpoint.id])["base"]
    if not context.store.has(stage.kind, stage.fingerprint):
        from rich.console import Console

        with ConsoleReporter(Console(stderr=True)) as reporter:
            LocalEngine().run(Schedule([stage]), context, reporter)
    return context.store.get(stage.kind, stage.fingerprint) / "model"


def _ways(
    context: Context, checkpoint: Checkpoint, base: Path, train: list[Document]
) -> dict[str, Callable[[], float]]:
    """Name -> seconds of one epoch."""
    fine = checkpoint.recipe.finetune
    plain = replace_recipe(checkpoint, fine.model_copy(update={"join_sentences": 0.0}))
    quick = replace_recipe(checkpoint, fine.model_copy(update={"join_sentences": 0.0, "backbone_dropout": False}))
    return {
        "Trainer + PEFT": lambda: _trainer(context, plain, base, train),
        "Trainer + PEFT, group_by_length": lambda: _trainer(
            context, plain, base, train, train_sampling_strategy="group_by_length"
        ),
        "zoo": lambda: _zoo(context, plain, base, train),
        "zoo, backbone_dropout=false": lambda: _zoo(context, quick, base, train),
    }


def replace_recipe(checkpoint: Checkpoint, fine: Any) -> Checkpoint:
    """The checkpoint with another recipe of fine-tuning; single sentences, so that all ways see the same tokens."""
    return replace(checkpoint, recipe=checkpoint.recipe.model_copy(update={"finetune": fine}))


def _model(context: Context, checkpoint: Checkpoint, base: Path) -> Any:
    family = context.registry.families[checkpoint.backbone.family]
    return attach_lora(base, family, checkpoint.recipe.lora, context.labels, checkpoint.corpus.entity_types, 13)


def _zoo(context: Context, checkpoint: Checkpoint, base: Path, train: list[Document]) -> float:
    from transformers import AutoTokenizer

    log = finetune(
        _model(context, checkpoint, base),
        AutoTokenizer.from_pretrained(base),
        train,
        train[:1],
        labels=context.labels,
        entity_types=checkpoint.corpus.entity_types,
        recipe=checkpoint.recipe.finetune,
        stride_tokens=checkpoint.backbone.stride_tokens,
        seed=13,
    )
    return log.epochs[0].train_seconds


def _trainer(context: Context, checkpoint: Checkpoint, base: Path, train: list[Document], **options: Any) -> float:
    """As transformers' own token-classification example: tokenized before, padded to the longest of a batch."""
    from datasets import Dataset
    from transformers import AutoTokenizer, DataCollatorForTokenClassification, Trainer, TrainingArguments

    fine, tokenizer = checkpoint.recipe.finetune, AutoTokenizer.from_pretrained(base)
    model = _model(context, checkpoint, base)
    windows = encode(
        tokenizer,
        [document.text for document in train],
        window_tokens=longest_window(model, tokenizer),
        stride_tokens=checkpoint.backbone.stride_tokens,
    )
    data = Dataset.from_dict(
        {
            "input_ids": [window.input_ids for window in windows],
            "labels": [label_window(window, train[window.text].spans, context.labels) for window in windows],
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=folder,
                num_train_epochs=1,
                per_device_train_batch_size=fine.batch_size,
                learning_rate=fine.learning_rate,
                weight_decay=fine.weight_decay,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
                logging_strategy="no",
                seed=13,
                **options,
            ),
            train_dataset=data,
            data_collator=DataCollatorForTokenClassification(tokenizer),
        )
        started = time.perf_counter()
        trainer.train()
        return time.perf_counter() - started


def _tokens(base: Path, train: list[Document]) -> int:
    from transformers import AutoTokenizer

    return sum(len(ids) for ids in AutoTokenizer.from_pretrained(base)([d.text for d in train])["input_ids"])


def _flop_per_token(base: Path) -> int:
    """Forward 2 and backward 2 per weight of the encoder's matrices; attention itself and LoRA are left out."""
    from transformers import AutoModelForTokenClassification

    model = AutoModelForTokenClassification.from_pretrained(base)
    return 4 * sum(p.numel() for name, p in model.named_parameters() if p.ndim == 2 and "embeddings" not in name)


def _peak(dtype: str) -> float:
    """Floating-point operations per second of the best of ten products of 2,048 x 2,048 matrices."""
    import torch

    a, b = (torch.randn(2048, 2048).to(getattr(torch, dtype)) for _ in range(2))
    best = float("inf")
    for _ in range(10):
        started = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - started)
    return 2 * 2048**3 / best


def _threads() -> int:
    import torch

    return torch.get_num_threads()


def _write(data: dict[str, Any]) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "training.json").write_text(json.dumps(data, indent=1) + "\n")
    peak, ours = data["peak_flop_per_second"], "bfloat16" if use_bfloat16("auto") else "float32"
    lines = [
        "# Training",
        "",
        f"`{data['command']}`: {data['machine']['processor']}, threads: {data['machine']['threads']}; peak of large "
        f"matrix products {peak['float32'] / 1e12:.2f} TFLOP/s in float32, {peak['bfloat16'] / 1e12:.2f} in bfloat16.",
        "",
        "| checkpoint | way | tokens/s | times Trainer | times grouped | share of the peak |",
        "|---|---|---|---|---|---|",
    ]
    for checkpoint, measured in data["checkpoints"].items():
        names = list(measured["rounds"][0])
        for name in names:
            speed = statistics.median(measured["tokens"] / r[name] for r in measured["rounds"])
            times = [statistics.median(r[other] / r[name] for r in measured["rounds"]) for other in names[:2]]
            share = speed * measured["flop_per_token"] / peak[ours if name.startswith("zoo") else "float32"]
            lines.append(
                f"| {checkpoint} | {name} | {speed:,.0f} | {times[0]:.2f} | {times[1]:.2f} | {100 * share:.0f} % |"
            )
        lines.append("")
        lines.append(f"{checkpoint}: first {measured['documents']:,} documents, {measured['tokens']:,} tokens.")
    (RESULTS / "training.md").write_text("\n".join([*lines, ""]))
    sys.stdout.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
