"""Training beside what people use: `zoo`'s loop against `Trainer` + PEFT, on the same model, data and hyper-parameters.

    ZOO_CORPORA=DIR python benchmarks/speed/training.py [minilm-l6/ncbi-disease ...] [--batch-sizes 16,32]

What is timed is one epoch over the first documents of the training split, without the dev split: tokens of the text per
second, special tokens included, padding not. One round measures every way once, in turn; ratios are within a round, and
their median is reported. The share of the peak is that of the floating-point operations that LoRA needs (forward and
gradients of activations through the encoder: 4 per frozen weight and token) in the fastest product of two large
matrices that this machine was seen to do in the same number format. What F1 comes of it: `f1.py`.

Writes `benchmarks/results/{amx,no-amx}/training.{json,md}`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from profiling import profiler, time_shares
from shared import (
    alike,
    command_line,
    flop_per_token,
    peak_flop_per_second,
    plain_script,
    prepared_base,
    results_folder,
    run_finetune,
    threads,
)

from zoo.corpora.document import Document
from zoo.evaluation.latency import processor_name
from zoo.modeling.device import use_bfloat16
from zoo.modeling.quiet import quiet_libraries
from zoo.pipeline.context import Context
from zoo.registry.loader import Checkpoint, load_registry
from zoo.settings import Settings


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="*", default=["minilm-l6/ncbi-disease"])
    parser.add_argument("--documents", type=int, default=1200)
    parser.add_argument("--batch-sizes", default="16,32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=Path, default=results_folder())
    arguments = parser.parse_args()
    quiet_libraries()
    settings = Settings.load()  # bases are kept in its output folder
    context = Context(load_registry(settings.registry), settings)
    measured = []
    for checkpoint_id in arguments.checkpoints:
        for size in map(int, arguments.batch_sizes.split(",")):
            changes = {"finetune.epochs": 1, "finetune.batch_size": size, "dapt.passages": ()}
            checkpoint = context.registry.checkpoint(checkpoint_id, changes)
            measured.append(_measured(context, checkpoint, arguments.documents, arguments.rounds))
    _write(
        {
            "command": command_line(),
            "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "machine": {"processor": processor_name(), "cores": os.cpu_count(), "threads": threads()},
            "peak_flop_per_second": {name: peak_flop_per_second(name) for name in ("float32", "bfloat16")},
            "measured": measured,
        },
        arguments.results,
    )


def _measured(context: Context, checkpoint: Checkpoint, documents: int, rounds: int) -> dict[str, Any]:
    """Seconds of every way in every round."""
    base = prepared_base(context, checkpoint)
    train = context.corpus(checkpoint.corpus).splits["train"][:documents]
    ways, tokens = _ways(context, checkpoint, base, train), _tokens(base, train)
    seconds: list[dict[str, float]] = []
    for number in range(rounds):
        seconds.append({})
        for name, way in ways.items():
            seconds[-1][name] = way()
            speed = f"{tokens / seconds[-1][name]:,.0f} tokens/s"
            batch = checkpoint.recipe.finetune.batch_size
            sys.stderr.write(f"{checkpoint.id}, batch {batch}, round {number + 1}: {name}: {speed}\n")
    return {
        "checkpoint": checkpoint.id,
        "documents": len(train),
        "tokens": tokens,
        "flop_per_token": flop_per_token(base),
        "recipe": checkpoint.recipe.model_dump(mode="json", include={"lora", "finetune"}),
        "rounds": seconds,
        "profile": _profile(ways["zoo"], checkpoint.recipe.lora.rank),
    }


def _ways(
    context: Context, checkpoint: Checkpoint, base: Path, train: Sequence[Document]
) -> dict[str, Callable[[], float]]:
    """Name -> seconds of one epoch."""
    plain, quick = alike(checkpoint), alike(checkpoint, backbone_dropout=False)
    return {
        "Trainer + PEFT": lambda: _trainer(context, plain, base, train),
        "Trainer + PEFT, group_by_length": lambda: _trainer(
            context, plain, base, train, train_sampling_strategy="group_by_length"
        ),
        "zoo, kernels of PEFT and PyTorch": lambda: _zoo(context, plain, base, train, fused=False),
        "zoo": lambda: _zoo(context, plain, base, train),
        "zoo, backbone_dropout=false": lambda: _zoo(context, quick, base, train),
    }


def _zoo(
    context: Context, checkpoint: Checkpoint, base: Path, train: Sequence[Document], *, fused: bool = True
) -> float:
    """One epoch; with fused=False as it was before: LoRA, attention and dropout as PEFT and PyTorch have them."""
    os.environ["ZOO_KERNELS"] = "on" if fused else "off"
    try:
        with nullcontext() if fused else _fallback_attention():
            return run_finetune(context, checkpoint, base, train, train[:1])[0].epochs[0].train_seconds
    finally:
        del os.environ["ZOO_KERNELS"]


def _fallback_attention() -> Any:
    from torch.nn.attention import SDPBackend, sdpa_kernel

    return sdpa_kernel(SDPBackend.MATH)


def _trainer(context: Context, checkpoint: Checkpoint, base: Path, train: Sequence[Document], **options: Any) -> float:
    return plain_script(context, checkpoint, base, train, **options)[0]


def _profile(epoch: Callable[[], float], rank: int) -> dict[str, float]:
    with profiler() as profiled:
        profiled.start()
        epoch()
        profiled.stop()
    return time_shares(profiled, (rank, 3 * rank))  # query, key and value are one product


def _tokens(base: Path, train: Sequence[Document]) -> int:
    from transformers import AutoTokenizer

    return sum(len(ids) for ids in AutoTokenizer.from_pretrained(base)([d.text for d in train])["input_ids"])


def _sorted_together(measured: dict[str, Any], batch: int) -> int:
    """What transformers' LengthGroupedSampler takes: with few documents it groups next to nothing."""
    return max(1, min(measured["documents"] // (batch * 4), 50))


def _write(data: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "training.json").write_text(json.dumps(data, indent=1) + "\n")
    peak, ours = data["peak_flop_per_second"], "bfloat16" if use_bfloat16("auto") else "float32"
    lines = [
        "# Training",
        "",
        f"`{data['command']}`: {data['machine']['processor']}, threads: {data['machine']['threads']}; peak of large "
        f"matrix products {peak['float32'] / 1e12:.2f} TFLOP/s in float32, {peak['bfloat16'] / 1e12:.2f} in bfloat16.",
        "",
        "| checkpoint | batch | way | tokens/s | times Trainer | times grouped | share of the peak |",
        "|---|---|---|---|---|---|---|",
    ]
    notes = []
    for each in data["measured"]:
        names, batch = list(each["rounds"][0]), each["recipe"]["finetune"]["batch_size"]
        for name in names:
            speed = statistics.median(each["tokens"] / r[name] for r in each["rounds"])
            times = [statistics.median(r[other] / r[name] for r in each["rounds"]) for other in names[:2]]
            share = speed * each["flop_per_token"] / peak[ours if name.startswith("zoo") else "float32"]
            lines.append(
                f"| {each['checkpoint']} | {batch} | {name} | {speed:,.0f} | {times[0]:.2f} | {times[1]:.2f} "
                f"| {100 * share:.0f} % |"
            )
        shares = ", ".join(f"{kind} {100 * share:.0f} %" for kind, share in each["profile"].items())
        notes.append(
            f"{each['checkpoint']}, batches of {batch}: first {each['documents']:,} documents, {each['tokens']:,} "
            f"tokens, medians of {len(each['rounds'])} rounds; `group_by_length` sorts "
            f"{_sorted_together(each, batch)} of "
            f"its batches together. Where the time of `zoo` goes: {shares}."
        )
    lines += ["", *(line for note in notes for line in (note, ""))]
    lines.append(f"Peak memory of the whole benchmark: {data['peak_memory_mib']:,.0f} MiB.")
    (folder / "training.md").write_text("\n".join([*lines, ""]))
    sys.stdout.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
