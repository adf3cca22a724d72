"""Fine-tune an adapter for token classification on one corpus."""

from __future__ import annotations

import math
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.corpora.document import Document
from zoo.errors import ZooError
from zoo.evaluation.result import EpochRecord
from zoo.evaluation.scoring import micro_f1
from zoo.modeling.batches import first_position
from zoo.modeling.device import use_bfloat16
from zoo.modeling.heads import Ceiling, Head, columns_of
from zoo.modeling.labels import LabelSpace
from zoo.modeling.lora import open_dropout
from zoo.modeling.windows import IGNORED, Window
from zoo.registry.recipes import FinetuneRecipe
from zoo.tagging.models import Block
from zoo.tagging.tagger import Tagger
from zoo.training.batching import Targets, epoch_batches, mixed_batches, pack_batch, pad_batch
from zoo.training.joining import Share, draw_epoch
from zoo.training.noise import with_noise
from zoo.training.snapshot import (
    Snapshot,
    optimizer_tensors,
    random_state,
    read_snapshot,
    restore_optimizer,
    restore_random_state,
)
from zoo.training.targets import training_windows

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


_LENGTHS = 4
"""bfloat16 batches are padded to multiples of this: oneDNN compiles its AMX kernels anew for each length it meets."""
_LEARNED = 0.05
"""Dev F1 below which a training has not begun to find anything: a few lucky mentions are no best epoch to wait from."""
_HEAD = re.compile(r"(^|\.)(modules_to_save|classifier|score)\.")


@dataclass(frozen=True)
class TrainingLog:
    """A training run: the model holds the weights of `best_epoch` afterwards."""

    epochs: tuple[EpochRecord, ...]
    best_epoch: int
    best_dev_micro_f1: float
    train_seconds: float
    precision: str


@dataclass
class Progress:
    """Callbacks of a training run."""

    on_heads: Callable[[Sequence[Ceiling]], None] = field(default=lambda ceilings: None)
    on_shares: Callable[[Mapping[str, int]], None] = field(default=lambda drawn: None)
    on_start: Callable[[int], None] = field(default=lambda steps: None)
    on_resume: Callable[[int], None] = field(default=lambda steps: None)
    on_step: Callable[[], None] = field(default=lambda: None)
    on_epoch: Callable[[EpochRecord], None] = field(default=lambda log: None)


def finetune(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    train: Sequence[Document],
    dev: Sequence[Document],
    *,
    labels: LabelSpace,
    heads: Sequence[Head],
    recipe: FinetuneRecipe,
    stride_tokens: int,
    seed: int,
    language: str = "und",
    progress: Progress | None = None,
    snapshot_path: Path | None = None,
    shares: Sequence[Share] = (),
) -> TrainingLog:
    """Train the adapter in `model` and leave the best epoch's weights (by strict dev micro-F1) in it.

    The loss is the sum of those of the heads, each over its own labels alone: logits of foreign types never enter the
    softmax, so their rows of the head keep gradient zero; weight decay leaves the head out for the same reason.

    Args:
        model: A PEFT model on a base, or a model to be trained in full.
        tokenizer: Tokenizer of the base; its `model_max_length` is the window.
        train: Training documents.
        dev: Documents for early stopping.
        labels: Label space of the base.
        heads: What the heads label; of several, the model has the rows side by side (`zoo.modeling.lora.attach_lora`).
        recipe: Hyper-parameters.
        stride_tokens: Tokens shared by neighbouring windows.
        seed: Seed of batch order, dropout and noise.
        language: Language of the corpus, a BCP 47 tag, which says what `recipe.noise` knows of shorthand.
        progress: Callbacks.
        snapshot_path: File that the state is kept in after each epoch; if it is there, training goes on from it and
            ends with the same weights as an undisturbed run.
        shares: How much of which training documents an epoch reads; empty: all of them once.

    Raises:
        ZooError: The loss is not finite.
    """
    import torch
    from transformers import get_linear_schedule_with_warmup, set_seed

    from zoo.kernels.train import training_kernels

    progress = progress or Progress()
    device = next(model.parameters()).device
    bfloat16 = use_bfloat16(recipe.precision)
    own_ids = [labels.own_ids(head.types) for head in heads]
    columns = columns_of(heads, labels)
    names = [tuple(labels.labels[label] for label in each) for each in own_ids]
    blocks = [Block(each[0], own) for each, own in zip(columns, names, strict=True)]
    several = len(heads) > 1
    tagger = Tagger.of(model, tokenizer, blocks=blocks if several else (), stride_tokens=stride_tokens)
    own = [torch.tensor(each, device=device) for each in columns]

    dev_texts = [document.text for document in dev]
    dev_windows = tagger.encode(dev_texts)

    optimizer = torch.optim.AdamW(_parameter_groups(model, recipe), lr=recipe.learning_rate, fused=True)
    windows: list[Window] = []
    size: float = sum(share.documents for share in shares) or len(train)
    drawn_anew = bool(recipe.join_sentences or recipe.noise or shares)
    if not (recipe.join_sentences or shares):
        windows, targets, weights = training_windows(tagger, [(document, 1) for document in train], labels, heads)
        size = sum(weights)
    steps = planned_steps(size, recipe)
    schedule = get_linear_schedule_with_warmup(optimizer, round(recipe.warmup_share * steps), steps)
    pad_id, first = int(tokenizer.pad_token_id or 0), first_position(model)
    trained = [p for p in model.parameters() if p.requires_grad]

    def step(pairs: Sequence[tuple[Window, Targets]], epoch: int, *, packs: bool) -> float:
        if packs:
            batch = pack_batch(pairs, pad_id=pad_id, first_position=first)
        else:
            multiple = _LENGTHS if bfloat16 else 1
            batch = pad_batch(pairs, pad_id=pad_id, step=multiple, most=tagger.window_tokens)
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            logits: torch.Tensor = model(**batch.inputs_on(device)).logits
        gold = batch.gold.to(device)
        losses = [token_loss(logits[..., own[k]], gold[k], recipe.label_smoothing) for k in range(len(heads))]
        loss = torch.stack(losses).sum()
        if not math.isfinite(value := float(loss.detach())):
            raise ZooError(
                f"the loss became {value} in epoch {epoch}",
                where="training",
                fix="lower finetune.learning_rate, or set finetune.precision=float32",
            )
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, recipe.max_grad_norm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        return value

    set_seed(seed)
    rng = random.Random(seed)
    progress.on_start(steps)
    state = _State(best=_trained(model))
    if snapshot_path and (snapshot := read_snapshot(snapshot_path)):
        state = _restore(snapshot, model, optimizer, schedule, rng)
        progress.on_resume(state.epoch * steps // recipe.epochs)
        for log in state.logs:  # heard again: a search may have been killed before it wrote the last one down
            progress.on_epoch(log)
    with training_kernels(model, bfloat16=bfloat16) as packs:
        while state.epoch < recipe.epochs and not _hopeless(state, recipe):
            open_dropout(model, backbone=recipe.backbone_dropout)
            epoch = state.epoch + 1
            epoch_started, loss_sum, tokens = time.perf_counter(), 0.0, 0
            if drawn_anew:
                runs = with_noise(draw_epoch(train, shares, recipe.join_sentences, rng), recipe.noise, rng, language)
                windows, targets, weights = training_windows(tagger, runs, labels, heads)
            lengths = [len(window) for window in windows]
            if packs:  # as a Trainer draws them; without tables, random lengths would cost padding
                batches = mixed_batches(weights, recipe.batch_size, rng)
            else:
                batches = epoch_batches(lengths, recipe.batch_size, rng, weights=weights)
            for batch in batches:
                loss_sum += step([(windows[i], targets[i]) for i in batch], epoch, packs=packs)
                tokens += sum(lengths[i] for i in batch)
                progress.on_step()
            train_seconds = time.perf_counter() - epoch_started
            model.eval()
            found = tagger.tag_windows(
                dev_texts, dev_windows, precision="bfloat16" if bfloat16 else "float32", merge=True
            )
            f1 = micro_f1(dev, found)
            state.epoch = epoch
            if f1 > state.best_f1:
                state.best_f1, state.best_epoch, state.best = f1, epoch, _trained(model)
            dev_seconds = time.perf_counter() - epoch_started - train_seconds
            state.logs.append(
                EpochRecord(
                    epoch=epoch,
                    loss=loss_sum / len(batches),
                    dev_micro_f1=f1,
                    train_seconds=train_seconds,
                    dev_seconds=dev_seconds,
                    tokens=tokens,
                )
            )
            if snapshot_path:
                _snapshot(state, model, optimizer, schedule, rng).save(snapshot_path)
            progress.on_epoch(state.logs[-1])
    model.load_state_dict(state.best, strict=False)
    model.eval()
    return TrainingLog(
        tuple(state.logs),
        state.best_epoch,
        state.best_f1,
        sum(log.train_seconds + log.dev_seconds for log in state.logs),
        "bfloat16 autocast" if bfloat16 else "float32",
    )


def planned_steps(documents: float, recipe: FinetuneRecipe) -> int:
    """Optimizer steps of a training on so many documents, if patience does not end it.

    A document of more than `zoo.training.targets.WINDOWS` windows counts as several; `noise` brings some in twice.
    """
    return recipe.epochs * math.ceil(documents * (1 + recipe.noise) / recipe.batch_size)


def token_loss(logits: torch.Tensor, gold: torch.Tensor, label_smoothing: float) -> torch.Tensor:
    """Mean cross-entropy of the tokens that have a label.

    Args:
        logits: Of the corpus's own labels, shape [B, T, L].
        gold: Place of each token's label among them, or `IGNORED`, shape [B * T].
        label_smoothing: Share of the target that all labels have alike.
    """
    import torch

    return torch.nn.functional.cross_entropy(
        logits.float().flatten(0, 1), gold, ignore_index=IGNORED, label_smoothing=label_smoothing
    )


@dataclass
class _State:
    """What changes from epoch to epoch beside weights, optimizer and random numbers."""

    best: dict[str, torch.Tensor]
    epoch: int = 0
    best_f1: float = -1.0
    best_epoch: int = 0
    logs: list[EpochRecord] = field(default_factory=list)


def _hopeless(state: _State, recipe: FinetuneRecipe) -> bool:
    """Whether patience is over.

    It counts after a third of the run, and from an F1 of `_LEARNED`: small corpora stay near 0 for several epochs.
    """
    return state.best_f1 >= _LEARNED and state.epoch - max(state.best_epoch, recipe.epochs // 3) >= recipe.patience


def _snapshot(
    state: _State,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    rng: random.Random,
) -> Snapshot:
    tensors = {f"model.{name}": tensor for name, tensor in _trained(model).items()}
    tensors |= {f"best.{name}": tensor for name, tensor in state.best.items()}
    values = {
        "epoch": state.epoch,
        "best_f1": state.best_f1,
        "best_epoch": state.best_epoch,
        "logs": [log.model_dump() for log in state.logs],
        "groups": optimizer.state_dict()["param_groups"],
        "schedule_step": schedule.last_epoch,
        "random": rng.getstate(),
    }
    return Snapshot(tensors | optimizer_tensors(optimizer) | random_state(), values)


def _restore(
    snapshot: Snapshot,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    rng: random.Random,
) -> _State:
    values: Any = snapshot.values
    model.load_state_dict(snapshot.part("model"), strict=False)
    restore_optimizer(optimizer, snapshot, values["groups"])
    schedule.last_epoch = values["schedule_step"]
    version, internal, gauss = values["random"]
    rng.setstate((version, tuple(internal), gauss))
    restore_random_state(snapshot)
    return _State(
        best=snapshot.part("best"),
        epoch=values["epoch"],
        best_f1=values["best_f1"],
        best_epoch=values["best_epoch"],
        logs=[EpochRecord(**log) for log in values["logs"]],
    )


def _parameter_groups(model: torch.nn.Module, recipe: FinetuneRecipe) -> list[dict[str, object]]:
    """Weight decay for the encoder's matrices alone: the head's foreign rows must stay as they are.

    Which is why PEFT's `create_loraplus_optimizer`, which lets the head decay, does not serve here.
    """
    groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
    for name, p in model.named_parameters():
        if p.requires_grad:
            groups.setdefault((p.ndim > 1 and not _HEAD.search(name), ".lora_B." in name), []).append(p)
    return [
        {
            "params": own,
            "weight_decay": recipe.weight_decay if decays else 0.0,
            "lr": recipe.learning_rate * (recipe.loraplus_lr_ratio if is_b else 1.0),
        }
        for (decays, is_b), own in groups.items()
    ]


def _trained(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of what is trained."""
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
