"""What benchmarks of speed share: the script that people use, zoo's own training, and the limit of the machine."""

from __future__ import annotations

import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo.corpora.document import Document
from zoo.modeling.batches import longest_window
from zoo.modeling.device import best_device, has_bfloat16, has_fast_bfloat16
from zoo.modeling.heads import heads_of
from zoo.modeling.labels import LabelSpace
from zoo.modeling.lora import attach_lora
from zoo.modeling.windows import encode, label_window
from zoo.pipeline.context import Context
from zoo.pipeline.local import LocalEngine
from zoo.pipeline.plan import chain, make_plan
from zoo.pipeline.progress import ConsoleReporter
from zoo.pipeline.schedule import Schedule
from zoo.registry.loader import Checkpoint
from zoo.training.finetune import TrainingLog, finetune

RESULTS = Path(__file__).parents[1] / "results"
_PEAK_SECONDS = 10


def results_folder() -> Path:
    """Where results of this kind of machine are kept: AMX multiplies bfloat16 so fast that all figures are others."""
    return RESULTS / ("amx" if has_fast_bfloat16() else "no-amx")


def command_line() -> str:
    """The command as it stands in results: without the folder that they go to."""
    words = sys.argv[1:]
    if "--results" in words:
        place = words.index("--results")
        del words[place : place + 2]
    return shlex.join(["python", f"benchmarks/speed/{Path(sys.argv[0]).name}", *words])


def prepared_base(context: Context, checkpoint: Checkpoint) -> Path:
    """The base of a checkpoint, prepared if it is not there."""
    plan = make_plan([checkpoint], context)
    stage = chain(plan.last[checkpoint.id])["base"]
    if not context.store.has(stage.kind, stage.fingerprint):
        from rich.console import Console

        with ConsoleReporter(Console(stderr=True)) as reporter:
            LocalEngine().run(Schedule([stage]), context, reporter)
    return context.store.get(stage.kind, stage.fingerprint) / "model"


def alike(checkpoint: Checkpoint, **values: Any) -> Checkpoint:
    """The checkpoint with a recipe that the plain script can follow: single sentences, one learning rate for all."""
    values = {"join_sentences": 0.0, "loraplus_lr_ratio": 1.0, **values}
    fine = checkpoint.recipe.finetune.model_copy(update=values)
    return replace(checkpoint, recipe=checkpoint.recipe.model_copy(update={"finetune": fine}))


def _model(context: Context, checkpoint: Checkpoint, base: Path, seed: int) -> Any:
    family = context.registry.families[checkpoint.backbone.family]
    heads = heads_of("flat", checkpoint.corpus.entity_types)
    return attach_lora(base, family, checkpoint.recipe.lora, context.labels, heads, seed)


def run_finetune(
    context: Context,
    checkpoint: Checkpoint,
    base: Path,
    train: Sequence[Document],
    dev: Sequence[Document],
    seed: int = 13,
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
        heads=heads_of("flat", checkpoint.corpus.entity_types),
        recipe=checkpoint.recipe.finetune,
        stride_tokens=checkpoint.backbone.stride_tokens,
        seed=seed,
    )
    return log, model


def plain_script(
    context: Context,
    checkpoint: Checkpoint,
    base: Path,
    train: Sequence[Document],
    seed: int = 13,
    model: Any = None,
    labels: LabelSpace | None = None,
    **options: Any,
) -> tuple[float, Any]:
    """As transformers' own token-classification example: tokenized before, padded to the longest of a batch.

    Without a model and its labels they are an adapter's.
    """
    from datasets import Dataset
    from transformers import AutoTokenizer, DataCollatorForTokenClassification, Trainer, TrainingArguments

    fine, tokenizer = checkpoint.recipe.finetune, AutoTokenizer.from_pretrained(base)
    model = model or _model(context, checkpoint, base, seed)
    windows = encode(
        tokenizer,
        [document.text for document in train],
        window_tokens=longest_window(model, tokenizer),
        stride_tokens=checkpoint.backbone.stride_tokens,
    )
    data = Dataset.from_dict(
        {
            "input_ids": [window.input_ids for window in windows],
            "labels": [label_window(w, train[w.text].spans, labels or context.labels) for w in windows],
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
                warmup_steps=fine.warmup_share,
                weight_decay=fine.weight_decay,
                max_grad_norm=fine.max_grad_norm,
                label_smoothing_factor=fine.label_smoothing,
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


def flop_per_token(base: Path) -> int:
    """Forward 2 and backward 2 per weight of the encoder's matrices; attention itself and LoRA are left out."""
    from transformers import AutoModelForTokenClassification

    model = AutoModelForTokenClassification.from_pretrained(base)
    return 4 * sum(p.numel() for name, p in model.named_parameters() if p.ndim == 2 and "embeddings" not in name)


def peak_flop_per_second(dtype: str, size: int = 2048) -> float:
    """Operations per second of the best product of two square matrices: float32, bfloat16 or int8.

    The best of a hundred, or of as many as ten seconds allow where a machine has no units for the format.
    """
    import torch

    device = best_device()
    if dtype == "bfloat16" and device.type == "cpu" and not has_bfloat16():
        size //= 8  # where it is emulated, one product of large matrices takes a minute, and is no faster
    a, b = ((10 * torch.randn(size, size, device=device)).to(getattr(torch, dtype)) for _ in range(2))
    product = torch._int_mm if dtype == "int8" else torch.mm
    wait = torch.cuda.synchronize if device.type == "cuda" else (lambda: None)
    best, first = float("inf"), time.perf_counter()
    for _ in range(100):
        wait()
        started = time.perf_counter()
        product(a, b)
        wait()
        best = min(best, time.perf_counter() - started)
        if time.perf_counter() - first > _PEAK_SECONDS:
            break
    return 2 * size**3 / best


def threads() -> int:
    """Threads of one operator."""
    import torch

    return torch.get_num_threads()
