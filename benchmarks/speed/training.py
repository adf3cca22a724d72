"""Training beside what people use: `zoo`'s loop against `Trainer` + PEFT, on the same model, data and hyper-parameters.

    ZOO_CORPORA=DIR python benchmarks/speed/training.py [minilm-l6/ncbi-disease ...] [--documents 1200] [--rounds 5]

What is timed is one epoch over the first documents of the training split, without the dev split: tokens of the text per
second, special tokens included, padding not. One round measures every way once, in turn; ratios are within a round, and
their median is reported. The share of the peak is that of the floating-point operations that LoRA needs (forward and
gradients of activations through the encoder: 4 per frozen weight and token) in the fastest product of two large
matrices that this machine was seen to do in the same number format.

With `--f1 EPOCHS` the first checkpoint is also trained on its whole corpus by the plain script and by zoo, for so many
epochs of the recipe's learning rate and batch: final dev and test F1, and zoo's time to the plain script's dev F1. What
the last such run found is kept where it is not asked for.

Writes `benchmarks/results/training.{json,md}`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import nullcontext
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
from zoo.evaluation.scoring import micro_f1
from zoo.modeling.device import best_device
from zoo.modeling.lora import attach_lora
from zoo.modeling.quiet import quiet_libraries
from zoo.modeling.tagger import Tagger, longest_window
from zoo.modeling.windows import encode, label_window
from zoo.registry.loader import Checkpoint, load_registry
from zoo.settings import Settings
from zoo.training.finetune import TrainingLog, finetune
from zoo.training.precision import use_bfloat16

RESULTS = Path(__file__).parents[1] / "results"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="*", default=["minilm-l6/ncbi-disease"])
    parser.add_argument("--documents", type=int, default=1200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--f1", type=int, default=0, metavar="EPOCHS")
    parser.add_argument("--seeds", default="13", help="of --f1, with commas")
    arguments = parser.parse_args()
    quiet_libraries()
    settings = Settings.load()  # bases are kept in its output folder
    context = Context(load_registry(settings.registry), settings)
    measured = {}
    for checkpoint_id in arguments.checkpoints:
        checkpoint = context.registry.checkpoint(checkpoint_id, {"finetune.epochs": 1, "dapt.passages": ()})
        base = prepared_base(context, checkpoint)
        train = context.corpus(checkpoint.corpus).splits["train"][: arguments.documents]
        ways = _ways(context, checkpoint, base, train)
        tokens, flop = _tokens(base, train), flop_per_token(base)
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
            "profile": _profile(ways["zoo"], checkpoint.recipe.lora.rank),
        }
    reached = []
    if arguments.f1:
        changes = {"finetune.epochs": arguments.f1, "dapt.passages": ()}
        checkpoint = context.registry.checkpoint(arguments.checkpoints[0], changes)
        for seed in map(int, arguments.seeds.split(",")):
            reached.append(_reach(context, checkpoint, prepared_base(context, checkpoint), seed))
            sys.stderr.write(f"{reached[-1]}\n")
    _write(
        {
            "command": "python benchmarks/speed/training.py " + " ".join(sys.argv[1:]),
            "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "f1": {"checkpoint": arguments.checkpoints[0], "epochs": arguments.f1, "way": "zoo", "runs": reached}
            if reached
            else _last_f1(),
            "machine": {"processor": processor_name(), "cores": os.cpu_count(), "threads": _threads()},
            "peak_flop_per_second": {name: peak_flop_per_second(name) for name in ("float32", "bfloat16")},
            "checkpoints": measured,
        }
    )


def prepared_base(context: Context, checkpoint: Checkpoint) -> Path:
    """The base of a checkpoint, prepared if it is not there."""
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
        "zoo, kernels of PEFT and PyTorch": lambda: _zoo(context, plain, base, train, fused=False),
        "zoo": lambda: _zoo(context, plain, base, train),
        "zoo, backbone_dropout=false": lambda: _zoo(context, quick, base, train),
    }


def replace_recipe(checkpoint: Checkpoint, fine: Any) -> Checkpoint:
    """The checkpoint with another recipe of fine-tuning; single sentences, so that all ways see the same tokens."""
    return replace(checkpoint, recipe=checkpoint.recipe.model_copy(update={"finetune": fine}))


def _model(context: Context, checkpoint: Checkpoint, base: Path, seed: int) -> Any:
    family = context.registry.families[checkpoint.backbone.family]
    return attach_lora(base, family, checkpoint.recipe.lora, context.labels, checkpoint.corpus.entity_types, seed)


def _zoo(context: Context, checkpoint: Checkpoint, base: Path, train: list[Document], *, fused: bool = True) -> float:
    """One epoch; with fused=False as it was before: LoRA, attention and dropout as PEFT and PyTorch have them."""
    from zoo.training import fast_dropout as masks
    from zoo.training import finetune as loop
    from zoo.training import fused_lora as layers

    if fused:
        return run_finetune(context, checkpoint, base, train, train[:1])[0].epochs[0].train_seconds
    own = layers.fused_lora, masks.fast_dropout, loop.plain_attention
    layers.fused_lora = masks.fast_dropout = lambda *_, **__: nullcontext()
    loop.plain_attention = _fallback_attention
    try:
        return run_finetune(context, checkpoint, base, train, train[:1])[0].epochs[0].train_seconds
    finally:
        layers.fused_lora, masks.fast_dropout, loop.plain_attention = own


def _fallback_attention(model: Any) -> Any:
    from torch.nn.attention import SDPBackend, sdpa_kernel

    return sdpa_kernel(SDPBackend.MATH)


def run_finetune(
    context: Context, checkpoint: Checkpoint, base: Path, train: list[Document], dev: list[Document], seed: int = 13
) -> tuple[TrainingLog, Any]:
    """Zoo's own training of a fresh adapter: its log, and the model."""
    from transformers import AutoTokenizer

    model = _model(context, checkpoint, base, seed)
    log = finetune(
        model,
        AutoTokenizer.from_pretrained(base),
        train,
        dev,
        labels=context.labels,
        entity_types=checkpoint.corpus.entity_types,
        recipe=checkpoint.recipe.finetune,
        stride_tokens=checkpoint.backbone.stride_tokens,
        seed=seed,
    )
    return log, model


def _trainer(context: Context, checkpoint: Checkpoint, base: Path, train: list[Document], **options: Any) -> float:
    return plain_script(context, checkpoint, base, train, **options)[0]


def plain_script(
    context: Context, checkpoint: Checkpoint, base: Path, train: list[Document], seed: int = 13, **options: Any
) -> tuple[float, Any]:
    """As transformers' own token-classification example: tokenized before, padded to the longest of a batch."""
    from datasets import Dataset
    from transformers import AutoTokenizer, DataCollatorForTokenClassification, Trainer, TrainingArguments

    fine, tokenizer = checkpoint.recipe.finetune, AutoTokenizer.from_pretrained(base)
    model = _model(context, checkpoint, base, seed)
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
                num_train_epochs=fine.epochs,
                per_device_train_batch_size=fine.batch_size,
                learning_rate=fine.learning_rate,
                weight_decay=fine.weight_decay,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
                logging_strategy="no",
                seed=seed,
                **options,
            ),
            train_dataset=data,
            data_collator=DataCollatorForTokenClassification(tokenizer),
        )
        started = time.perf_counter()
        trainer.train()
        return time.perf_counter() - started, model


def _reach(context: Context, checkpoint: Checkpoint, base: Path, seed: int) -> dict[str, Any]:
    """Both ways on the whole corpus: F1, and the seconds (dev splits included) that zoo takes to the plain script's."""
    from transformers import AutoTokenizer

    splits, tokenizer = context.corpus(checkpoint.corpus).splits, AutoTokenizer.from_pretrained(base)
    alike = replace_recipe(checkpoint, checkpoint.recipe.finetune.model_copy(update={"join_sentences": 0.0}))

    def score(model: Any, split: str) -> float:
        tagger = Tagger.of(model, tokenizer, stride_tokens=checkpoint.backbone.stride_tokens)
        return micro_f1(splits[split], tagger.tag([document.text for document in splits[split]]))

    plain_seconds, model = plain_script(context, checkpoint, base, splits["train"], seed)
    plain = {split: score(model, split) for split in ("dev", "test")}
    log, model = run_finetune(context, alike, base, splits["train"], splits["dev"], seed)
    seconds, reached = 0.0, None
    for epoch in log.epochs:
        seconds += epoch.train_seconds + epoch.dev_seconds
        if reached is None and epoch.dev_micro_f1 >= plain["dev"]:
            reached = seconds
    return {
        "seed": seed,
        "plain_seconds": plain_seconds,
        "plain_dev_micro_f1": plain["dev"],
        "plain_test_micro_f1": plain["test"],
        "zoo_seconds": seconds,
        "zoo_dev_micro_f1": log.best_dev_micro_f1,
        "zoo_test_micro_f1": score(model, "test"),
        "zoo_seconds_to_plain_dev_micro_f1": reached,
    }


def _last_f1() -> dict[str, Any]:
    path = RESULTS / "training.json"
    last: dict[str, Any] = json.loads(path.read_text())["f1"] if path.is_file() else {"runs": []}
    return last


def _profile(epoch: Callable[[], float], rank: int) -> dict[str, float]:
    """Share of each kind of work in the time of operators of one epoch, by PyTorch's profiler."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as profiler:
        epoch()
    times: dict[str, float] = defaultdict(float)
    for event in profiler.key_averages(group_by_input_shape=True):
        name = event.key.removeprefix("aten::").strip("_")
        if name == "mkldnn::_linear_pointwise":
            kind = "products with frozen weights"
        elif name in ("mm", "addmm"):  # three adapters of one input are one product
            inner = any(rank in shape or 3 * rank in shape for shape in event.input_shapes if shape)
            kind = "products with LoRA's matrices" if inner else "products with frozen weights"
        else:
            kind = next((kind for kind, names in _KINDS.items() if name in names), "the rest, Python included")
        times[kind] += event.self_cpu_time_total
    return {kind: each / sum(times.values()) for kind, each in sorted(times.items(), key=lambda item: -item[1])}


_KINDS = {
    "attention": ("bmm", "softmax", "softmax_backward_data"),
    "activations, norms, sums": (
        *("gelu", "gelu_backward", "add", "mul", "div", "native_layer_norm", "native_layer_norm_backward"),
    ),
    "copies and casts": ("copy", "to_copy", "clone", "contiguous"),
    "dropout masks": ("random", "clamp", "sub"),
    "optimizer": ("fused_adamw", "Optimizer.step#AdamW.step", "linalg_vector_norm", "foreach_norm", "foreach_mul"),
}


def _tokens(base: Path, train: list[Document]) -> int:
    from transformers import AutoTokenizer

    return sum(len(ids) for ids in AutoTokenizer.from_pretrained(base)([d.text for d in train])["input_ids"])


def flop_per_token(base: Path) -> int:
    """Forward 2 and backward 2 per weight of the encoder's matrices; attention itself and LoRA are left out."""
    from transformers import AutoModelForTokenClassification

    model = AutoModelForTokenClassification.from_pretrained(base)
    return 4 * sum(p.numel() for name, p in model.named_parameters() if p.ndim == 2 and "embeddings" not in name)


def peak_flop_per_second(dtype: str, size: int = 2048) -> float:
    """Operations per second of the best of a hundred products of two square matrices: float32, bfloat16 or int8."""
    import torch

    device = best_device()
    a, b = ((10 * torch.randn(size, size, device=device)).to(getattr(torch, dtype)) for _ in range(2))
    product = torch._int_mm if dtype == "int8" else torch.mm
    wait = torch.cuda.synchronize if device.type == "cuda" else (lambda: None)
    best = float("inf")
    for _ in range(100):
        wait()
        started = time.perf_counter()
        product(a, b)
        wait()
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


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
    notes = []
    for checkpoint, measured in data["checkpoints"].items():
        names = list(measured["rounds"][0])
        for name in names:
            speed = statistics.median(measured["tokens"] / r[name] for r in measured["rounds"])
            times = [statistics.median(r[other] / r[name] for r in measured["rounds"]) for other in names[:2]]
            share = speed * measured["flop_per_token"] / peak[ours if name.startswith("zoo") else "float32"]
            lines.append(
                f"| {checkpoint} | {name} | {speed:,.0f} | {times[0]:.2f} | {times[1]:.2f} | {100 * share:.0f} % |"
            )
        shares = ", ".join(f"{kind} {100 * share:.0f} %" for kind, share in measured["profile"].items())
        notes.append(
            f"{checkpoint}: first {measured['documents']:,} documents, {measured['tokens']:,} tokens, batches of "
            f"{measured['recipe']['finetune']['batch_size']}, medians of {len(measured['rounds'])} rounds. Where the "
            f"time of `zoo` goes: {shares}."
        )
    lines += ["", *(line for note in notes for line in (note, ""))]
    if runs := data["f1"]["runs"]:
        lines += [
            f"{data['f1']['checkpoint']}, whole corpus, {data['f1']['epochs']} epochs, `{data['f1']['way']}`, strict "
            "micro-F1:",
            "",
            "| seed | Trainer: s | dev | test | zoo: s | dev | test | s to the Trainer's dev F1 |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for run in runs:
            to_f1 = run["zoo_seconds_to_plain_dev_micro_f1"]
            lines.append(
                f"| {run['seed']} | {run['plain_seconds']:.0f} | {100 * run['plain_dev_micro_f1']:.2f} | "
                f"{100 * run['plain_test_micro_f1']:.2f} | {run['zoo_seconds']:.0f} | "
                f"{100 * run['zoo_dev_micro_f1']:.2f} | {100 * run['zoo_test_micro_f1']:.2f} | "
                f"{'not reached' if to_f1 is None else f'{to_f1:.0f}'} |"
            )
        lines += ["", "zoo's seconds include the scoring of the dev split after each epoch, the Trainer's do not.", ""]
    lines.append(f"Peak memory of the whole benchmark: {data['peak_memory_mib']:,.0f} MiB.")
    (RESULTS / "training.md").write_text("\n".join([*lines, ""]))
    sys.stdout.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
