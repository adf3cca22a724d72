"""Pre-training beside what people use: `zoo`'s DAPT against `Trainer` + PEFT, by masked language modelling.

    ZOO_PASSAGES=DIR python benchmarks/speed/dapt.py [--passages biomedical-mix] [--documents 384] [--rounds 3]

What is timed is one epoch of LoRA over the same passages, cut at the recipe's length, from the same backbone with a
language-modelling head, in batches of the same size; the head is not trained, perplexity not measured. Tokens are those
of the text, special tokens included, padding not. One round measures every way once over passages of its own; ratios
are within a round, and their median is reported. The share of the peak is that of the floating-point operations that
LoRA needs (forward and gradients of activations: 4 per frozen weight and token, of the head per masked token) in the
fastest product of two large matrices that this machine was seen to do in the same number format.

Writes `dapt.{json,md}` to `benchmarks/results/amx` or `no-amx`, or to `--results`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from profiling import profiler, time_shares
from shared import command_line, peak_flop_per_second, results_folder, threads
from torch.profiler import profile

from zoo.evaluation.latency import processor_name
from zoo.modeling.batches import longest_window
from zoo.modeling.device import use_bfloat16
from zoo.modeling.quiet import quiet_libraries
from zoo.passages.load import load_passages
from zoo.pipeline.context import Context
from zoo.registry.loader import load_registry
from zoo.registry.recipes import DaptRecipe
from zoo.registry.schema import Family
from zoo.settings import Settings
from zoo.training.dapt import DaptProgress, adapt, attach
from zoo.training.masked_lm import load_masked_language_model

REGISTRY = Path(__file__).parents[1] / "registry"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="minilm-l6")
    parser.add_argument("--passages", default="biomedical-mix")
    parser.add_argument("--documents", type=int, default=384, help="passages of one round")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=results_folder())
    arguments = parser.parse_args()
    quiet_libraries()
    settings = Settings.load()
    context = Context(load_registry(settings.registry or REGISTRY), settings)
    backbone = context.registry.backbone(arguments.backbone)
    family = context.registry.families[backbone.family]
    recipe = DaptRecipe(batch_size=arguments.batch_size, micro_batch_size=min(16, arguments.batch_size), epochs=1)
    texts = _passages(context, arguments.passages, arguments.documents * arguments.rounds + 1)
    size = (len(texts) - 1) // arguments.rounds
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        base = _with_head(context.backbone(backbone).folder, family, Path(folder) / "backbone")
        for number in range(arguments.rounds):
            part = texts[1 + number * size : 1 + (number + 1) * size]
            tokens, seconds = sum(map(len, _encoded(base, part, recipe))), {}
            for name, way in _ways(base, family, recipe, part, texts[:1]).items():
                seconds[name] = way()
                sys.stderr.write(f"round {number + 1}: {name}: {tokens / seconds[name]:,.0f} tokens/s\n")
            rounds.append({"tokens": tokens, "seconds": seconds})
        flop = _flop_per_token(base, recipe)
        profile_shares = _profile(base, family, recipe, texts[1 : 1 + size], texts[:1])
    _write(
        {
            "command": command_line(),
            "machine": {"processor": processor_name(), "cores": os.cpu_count(), "threads": threads()},
            "peak_flop_per_second": {name: peak_flop_per_second(name) for name in ("float32", "bfloat16")},
            "bfloat16": use_bfloat16(recipe.precision),
            "backbone": arguments.backbone,
            "passages": size,
            "recipe": recipe.model_dump(mode="json"),
            "flop_per_token": flop,
            "rounds": rounds,
            "profile": profile_shares,
        },
        arguments.results,
    )


def _passages(context: Context, name: str, number: int) -> list[str]:
    """So many passages of a registry entry, drawn at random: its files differ in kind."""
    entry = context.registry.passages[name]
    folder = context.registry.folders[f"passages/{name}"]
    texts = [p.text for p in load_passages(entry, registry_folder=folder, local=context.settings.passages)]
    return random.Random(13).sample(texts, min(number, len(texts)))


def _with_head(backbone: Path, family: Family, destination: Path) -> Path:
    """The backbone with a head: a new one where it has none, so that neither way trains it first."""
    from transformers import AutoTokenizer, set_seed

    set_seed(13)
    load_masked_language_model(backbone, family)[0].save_pretrained(destination)
    AutoTokenizer.from_pretrained(backbone).save_pretrained(destination)
    return destination


def _ways(
    base: Path, family: Family, recipe: DaptRecipe, texts: Sequence[str], heldout: Sequence[str]
) -> dict[str, Callable[[], float]]:
    """Name -> seconds of one epoch."""
    quick = recipe.model_copy(update={"backbone_dropout": False})
    ways = {
        "Trainer + PEFT": lambda: _trainer(base, family, recipe, texts),
        "Trainer + PEFT, group_by_length": lambda: _trainer(
            base, family, recipe, texts, train_sampling_strategy="group_by_length"
        ),
        "zoo": lambda: _zoo(base, family, recipe, texts, heldout),
        "zoo, backbone_dropout=false": lambda: _zoo(base, family, quick, texts, heldout),
    }
    if use_bfloat16(recipe.precision):
        ways["Trainer + PEFT, group_by_length, bf16"] = lambda: _trainer(
            base, family, recipe, texts, train_sampling_strategy="group_by_length", bf16=True
        )
    return dict(sorted(ways.items()))


def _zoo(
    base: Path,
    family: Family,
    recipe: DaptRecipe,
    texts: Sequence[str],
    heldout: Sequence[str],
    profiled: profile | None = None,
) -> float:
    """Seconds from the start of the phase of LoRA to its last step; held-out text is measured outside of it."""
    marks, left = [0.0, 0.0], [0]

    def begin(_: str, steps: int, __: int) -> None:
        left[0] = steps
        if profiled:
            profiled.start()
        marks[0] = time.perf_counter()

    def step() -> None:
        marks[1] = time.perf_counter()
        left[0] -= 1
        if profiled and not left[0]:
            profiled.stop()

    with tempfile.TemporaryDirectory() as folder:
        progress = DaptProgress(on_phase=begin, on_step=step)
        epochs = [range(len(texts))]
        out = Path(folder) / "dapt"
        adapt(base, family, texts, epochs, heldout, recipe=recipe, destination=out, progress=progress)
    return marks[1] - marks[0]


def _profile(
    base: Path, family: Family, recipe: DaptRecipe, texts: Sequence[str], heldout: Sequence[str]
) -> dict[str, float]:
    from transformers import AutoConfig

    with profiler() as profiled:
        _zoo(base, family, recipe, texts, heldout, profiled)
    ranks = (recipe.rank, 2 * recipe.rank)  # query and value are one product
    return time_shares(profiled, ranks, AutoConfig.from_pretrained(base).vocab_size)


def _trainer(base: Path, family: Family, recipe: DaptRecipe, texts: Sequence[str], **options: Any) -> float:
    """As transformers' own example for masked language models: tokenized before, padded to the longest of a batch."""
    import torch
    from datasets import Dataset
    from transformers import AutoTokenizer, DataCollatorForLanguageModeling, Trainer, TrainingArguments, set_seed

    set_seed(recipe.seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = attach(load_masked_language_model(base, family)[0], family, recipe)
    data = Dataset.from_dict({"input_ids": _encoded(base, texts, recipe)})
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=folder,
                num_train_epochs=1,
                per_device_train_batch_size=recipe.micro_batch_size,
                gradient_accumulation_steps=recipe.batch_size // recipe.micro_batch_size,
                learning_rate=recipe.learning_rate,
                weight_decay=recipe.weight_decay,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
                logging_strategy="no",
                seed=recipe.seed,
                use_cpu=not torch.cuda.is_available(),  # bf16 is refused on a CPU that is not asked for
                **options,
            ),
            train_dataset=data,
            data_collator=DataCollatorForLanguageModeling(tokenizer, mlm_probability=recipe.masked_share),
        )
        started = time.perf_counter()
        trainer.train()
        return time.perf_counter() - started


def _encoded(base: Path, texts: Sequence[str], recipe: DaptRecipe) -> list[list[int]]:
    from transformers import AutoConfig, AutoTokenizer

    tokenizer, config = AutoTokenizer.from_pretrained(base), AutoConfig.from_pretrained(base)
    limit: Any = type("Limits", (), {"config": config})  # all that `longest_window` asks of a model
    length = min(recipe.length_tokens, longest_window(limit, tokenizer))
    cut = tokenizer(list(texts), truncation=True, max_length=length, return_overflowing_tokens=True)
    return list(cut["input_ids"])


def _flop_per_token(base: Path, recipe: DaptRecipe) -> float:
    """Forward 2 and backward 2 per weight of the encoder's matrices, and of the head's for tokens that are masked."""
    from transformers import AutoModelForMaskedLM

    model = AutoModelForMaskedLM.from_pretrained(base)
    matrices = {name: p.numel() for name, p in model.named_parameters() if p.ndim == 2 and "embeddings" not in name}
    prefix = f"{model.base_model_prefix}."
    encoder = sum(number for name, number in matrices.items() if name.startswith(prefix))
    decoder = model.get_output_embeddings().weight  # often those of the embeddings, which are listed once
    tied = decoder is model.get_input_embeddings().weight
    head = sum(matrices.values()) - encoder + (decoder.numel() if tied else 0)
    return 4 * (encoder + recipe.masked_share * head)


def _write(data: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dapt.json").write_text(json.dumps(data, indent=1) + "\n")
    rounds, peak = data["rounds"], data["peak_flop_per_second"]
    names = list(rounds[0]["seconds"])
    lines = [
        "# Pre-training (DAPT)",
        "",
        f"`{data['command']}`: {data['machine']['processor']}, threads: {data['machine']['threads']}; peak of large "
        f"matrix products {peak['float32'] / 1e12:.2f} TFLOP/s in float32, {peak['bfloat16'] / 1e12:.2f} in bfloat16.",
        "",
        "| way | tokens/s | times Trainer | times grouped | share of the peak |",
        "|---|---|---|---|---|",
    ]
    for name in names:
        speed = statistics.median(r["tokens"] / r["seconds"][name] for r in rounds)
        times = [statistics.median(r["seconds"][other] / r["seconds"][name] for r in rounds) for other in names[:2]]
        half = "bf16" in name or (name.startswith("zoo") and data["bfloat16"])
        share = speed * data["flop_per_token"] / peak["bfloat16" if half else "float32"]
        lines.append(f"| {name} | {speed:,.0f} | {times[0]:.2f} | {times[1]:.2f} | {100 * share:.0f} % |")
    recipe = data["recipe"]
    lines += [
        "",
        f"{data['backbone']}, {data['passages']:,} passages a round (the first: {rounds[0]['tokens']:,} tokens), at "
        f"most {recipe['length_tokens']} tokens each, LoRA of rank {recipe['rank']}, batches of {recipe['batch_size']} "
        f"in passes of up to {recipe['micro_batch_size']}, medians of {len(rounds)} rounds. "
        f"Where the time of `zoo` goes: {', '.join(f'{k} {100 * v:.0f} %' for k, v in data['profile'].items())}.",
        "",
    ]
    (folder / "dapt.md").write_text("\n".join(lines))
    sys.stdout.write("\n".join(lines))


if __name__ == "__main__":
    main()
