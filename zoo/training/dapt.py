"""Domain-adaptive pre-training (DAPT): LoRA and masked language modelling on passages.

The encoder alone goes into the base; the language-modelling head only serves the objective. Where a backbone comes
without one (sentence encoders, replaced-token discriminators), a head is first trained on the frozen encoder for as
many steps as DAPT has, and stays as it is afterwards: the perplexities before and after then differ by LoRA alone.

On several devices each process takes its part of every batch, and gradients are summed: see `dapt_processes`.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from zoo.errors import ZooError
from zoo.modeling.batches import longest_window
from zoo.modeling.device import best_device, use_bfloat16
from zoo.modeling.lora import open_dropout
from zoo.records import Record
from zoo.registry.recipes import DaptRecipe
from zoo.registry.schema import Family
from zoo.training.batching import epoch_batches, pass_starts
from zoo.training.masked_lm import (
    encode_passages,
    head_parameters,
    load_masked_language_model,
    masked_batch,
    masked_loss,
    perplexity,
)
from zoo.training.sequences import Ints, TokenSequences
from zoo.training.snapshot import (
    Snapshot,
    optimizer_tensors,
    random_state,
    read_snapshot,
    restore_optimizer,
    restore_random_state,
)

if TYPE_CHECKING:
    import torch
    from accelerate import PartialState
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_SNAPSHOT_SECONDS = 60.0
"""At most this much work is lost when a run is killed; when a snapshot is taken does not change the outcome."""


class DaptLog(Record):
    """What a run of DAPT gave."""

    perplexity_before: float = Field(description="held-out, of masked tokens; masks are the same before and after")
    perplexity_after: float
    heldout_tokens: int = Field(description="masked tokens that the perplexities are means over")
    head_trained: bool = Field(description="the backbone had no language-modelling head: one was trained first")
    steps: int = Field(description="of LoRA; as many before them trained the head where it was new")
    tokens: int = Field(description="of the training passages that LoRA saw, special tokens included")
    train_seconds: float
    precision: str
    trained_parameters: int = Field(description="of LoRA")
    losses: tuple[tuple[str, int, float], ...] = Field(description="phase, step, mean loss since the one before")


@dataclass
class DaptProgress:
    """Callbacks of a run: phase and its steps, steps done before a resume, one step, a line of text."""

    on_phase: Callable[[str, int, int], None] = field(default=lambda name, steps, done: None)
    on_step: Callable[[], None] = field(default=lambda: None)
    on_note: Callable[[str], None] = field(default=lambda text: None)


def adapt(
    backbone: Path,
    family: Family,
    texts: Sequence[str],
    epochs: Sequence[Sequence[int] | Ints],
    heldout: Sequence[str],
    *,
    recipe: DaptRecipe,
    destination: Path,
    snapshot_path: Path | None = None,
    progress: DaptProgress | None = None,
    log_every: int = 10,
) -> DaptLog:
    """Train LoRA on a backbone by masked language modelling and write the adapter.

    Args:
        backbone: Folder of the backbone.
        family: Names of its modules.
        texts: Texts to train on; read once, a thousand at a time.
        epochs: Numbers of the texts of each epoch, in order.
        heldout: Texts that perplexity is measured on.
        recipe: Hyper-parameters.
        destination: Folder that the PEFT adapter of the masked language model is written to.
        snapshot_path: File that the state is kept in; if it is there, training goes on from it.
        progress: Callbacks.
        log_every: Steps between two losses of the log.

    Raises:
        ZooError: The loss is not finite, or there is nothing to train on.
    """
    from accelerate import PartialState
    from transformers import AutoTokenizer, set_seed

    progress, processes = progress or DaptProgress(), PartialState(cpu=best_device().type == "cpu")
    tokenizer = AutoTokenizer.from_pretrained(backbone)
    if tokenizer.mask_token is None:
        raise ZooError("the tokenizer has no mask token: masked language modelling needs one", where=backbone)
    set_seed(recipe.seed)
    encoder, new_head = load_masked_language_model(backbone, family)
    encoder.to(best_device())
    model = attach(encoder, family, recipe)
    length = min(recipe.length_tokens, longest_window(encoder, tokenizer))
    sequences = TokenSequences(tokenizer, texts, length)
    numbers = [sequences.of(epoch) for epoch in epochs]
    held = list(chain.from_iterable(encode_passages(tokenizer, heldout, length)))
    if not all(map(len, numbers)) or not held:
        raise ZooError("there are no passages to train on, or none to measure perplexity on", where="dapt.passages")
    run = _Run(model, tokenizer, recipe, family, sequences, numbers, snapshot_path, progress, log_every, processes)
    run.resume()
    if processes.num_processes > 1:  # each has its own dropout
        set_seed(recipe.seed + processes.process_index)
    if new_head and run.phase == "head":
        run.train("head", head_parameters(encoder), recipe.head_learning_rate)
    if run.before is None:
        with model.disable_adapter():
            run.before = perplexity(model, tokenizer, held, recipe, family)[0]
        progress.on_note(f"held-out perplexity before: {run.before:.2f}")
        run.phase, run.step = "lora", 0
    lora = [p for name, p in model.named_parameters() if "lora_" in name]
    run.train("lora", lora, recipe.learning_rate)
    after, masked = perplexity(model, tokenizer, held, recipe, family)
    progress.on_note(f"held-out perplexity after: {after:.2f}")
    if processes.is_main_process:
        model.save_pretrained(destination, safe_serialization=True)
        (destination / "README.md").unlink(missing_ok=True)
    return DaptLog(
        head_trained=new_head,
        steps=run.steps,
        tokens=sum(int(sequences.lengths[epoch].sum()) for epoch in numbers),
        perplexity_before=run.before,
        perplexity_after=after,
        heldout_tokens=masked,
        losses=tuple(run.losses),
        trained_parameters=sum(p.numel() for p in lora),
        train_seconds=run.seconds,
        precision="bfloat16 autocast" if use_bfloat16(recipe.precision) else "float32",
    )


def attach(encoder: PreTrainedModel, family: Family, recipe: DaptRecipe) -> PeftModel:
    """Wrap a masked language model with LoRA; everything else is frozen."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=list(recipe.targets or family.dapt_targets),
    )
    try:
        return get_peft_model(encoder, config)
    except ValueError as error:
        raise ZooError(f"PEFT cannot attach LoRA: {error}", where="dapt.targets") from None


def merge(backbone: Path, family: Family, adapter: Path, destination: Path) -> None:
    """Write the backbone with the LoRA matrices of DAPT added to its weights, as a masked language model."""
    from peft import PeftModel
    from transformers import AutoTokenizer

    encoder, _ = load_masked_language_model(backbone, family)
    merged: Any = PeftModel.from_pretrained(encoder, str(adapter)).merge_and_unload()
    merged.save_pretrained(destination)
    AutoTokenizer.from_pretrained(backbone).save_pretrained(destination)


class _Run:
    """Two phases of training over the same batches, with snapshots."""

    def __init__(
        self,
        model: PeftModel,
        tokenizer: PreTrainedTokenizerBase,
        recipe: DaptRecipe,
        family: Family,
        sequences: TokenSequences,
        epochs: Sequence[Ints],
        snapshot_path: Path | None,
        progress: DaptProgress,
        log_every: int,
        processes: PartialState,
    ) -> None:
        self.processes = processes
        self.model, self.tokenizer, self.recipe, self.family = model, tokenizer, recipe, family
        self.sequences, self.epochs = sequences, epochs
        self.snapshot_path, self.progress, self.log_every = snapshot_path, progress, log_every
        self.steps = sum(math.ceil(len(epoch) / recipe.batch_size) for epoch in epochs)
        self.phase, self.step, self.seconds = "head", 0, 0.0
        self.before: float | None = None
        self.losses: list[tuple[str, int, float]] = []
        self._snapshot: Snapshot | None = None

    def resume(self) -> None:
        """Take over the state of a killed run."""
        self._snapshot = read_snapshot(self.snapshot_path) if self.snapshot_path else None
        if self._snapshot is None:
            return
        values: Any = self._snapshot.values
        self.phase, self.step, self.before = values["phase"], values["step"], values["before"]
        self.seconds = values["seconds"]
        self.losses = [(phase, step, loss) for phase, step, loss in values["losses"]]
        self.model.load_state_dict(self._snapshot.part("model"), strict=False)

    def train(self, phase: str, parameters: Sequence[torch.nn.Parameter], learning_rate: float) -> None:
        """Train the given parameters alone, from the step of the snapshot on."""
        import torch
        from transformers import get_cosine_schedule_with_warmup

        from zoo.kernels.train import training_kernels

        recipe, bfloat16 = self.recipe, use_bfloat16(self.recipe.precision)
        for parameter in self.model.parameters():
            parameter.requires_grad_(False)
        for parameter in parameters:
            parameter.requires_grad_(True)
        optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=recipe.weight_decay, fused=True)
        schedule = get_cosine_schedule_with_warmup(optimizer, min(recipe.warmup_steps, self.steps // 10), self.steps)
        if self._snapshot is not None and self.step:
            restore_optimizer(optimizer, self._snapshot, self._snapshot.values["groups"])
            schedule.last_epoch = self.step
            restore_random_state(self._snapshot)
        self._snapshot = None
        self.progress.on_phase(phase, self.steps, self.step)
        if phase == "head":  # it learns to read the backbone as it is, and as perplexity is measured on it
            self.model.eval()
        else:
            open_dropout(self.model, backbone=recipe.backbone_dropout)
        saved = started = time.perf_counter()
        before = self.seconds
        recent: list[float] = []
        with training_kernels(self.model, bfloat16=bfloat16) as packs:
            for step, batch in enumerate(self._batches(), start=1):
                if step <= self.step:
                    continue
                recent.append(self._step(phase, step, batch, bfloat16=bfloat16, packs=packs))
                self._sum_gradients(parameters)
                torch.nn.utils.clip_grad_norm_(parameters, recipe.max_grad_norm)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad(set_to_none=True)
                self.step = step
                self.progress.on_step()
                if step % self.log_every == 0 or step == self.steps:
                    self.losses.append((phase, step, sum(recent) / len(recent)))
                    self.progress.on_note(f"{phase} step {step}/{self.steps}: loss {self.losses[-1][2]:.3f}")
                    recent = []
                    self.seconds = before + time.perf_counter() - started
                    if time.perf_counter() - saved > _SNAPSHOT_SECONDS:
                        self._save(phase, optimizer)
                        saved = time.perf_counter()

    def _batches(self) -> Iterator[list[list[int]]]:
        rng = random.Random(self.recipe.seed)
        for epoch in self.epochs:
            for batch in epoch_batches(self.sequences.lengths[epoch].tolist(), self.recipe.batch_size, rng):
                yield [self.sequences[number] for number in epoch[batch].tolist()]

    def _step(self, phase: str, step: int, batch: Sequence[list[int]], *, bfloat16: bool, packs: bool) -> float:
        """Gradients of this process's part of a batch, in passes of up to `micro_batch_size` sequences; mean loss."""
        import torch
        from accelerate.utils import reduce

        starts = pass_starts([len(sequence) for sequence in batch], self.recipe.micro_batch_size, packs=packs)
        parts = [
            masked_batch(
                self.tokenizer,
                batch[start:stop],
                self.recipe.masked_share,
                ((self.recipe.seed * 2 + (phase == "lora")) << 40) + (step << 16) + start,
                table_for=self.model if packs else None,
            )
            for start, stop in pairwise([*starts, len(batch)])
        ]
        masked = sum(part.labelled for part in parts)
        mean = 0.0
        for part in parts[self.processes.process_index :: self.processes.num_processes]:
            loss: Any = masked_loss(self.model, self.family, part, bfloat16=bfloat16)
            (loss / max(masked, 1)).backward()
            mean += float(loss.detach()) / max(masked, 1)
        if self.processes.num_processes > 1:
            mean = float(reduce(torch.tensor(mean, device=self.processes.device), "sum"))
        if not math.isfinite(mean):
            raise ZooError(
                f"the loss of DAPT became {mean} at step {step}",
                where=f"dapt, {phase}",
                fix="lower dapt.learning_rate, or set dapt.precision=float32",
            )
        return mean

    def _sum_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Losses are divided by the masked tokens of the whole batch, so that sums over processes are its gradients."""
        import torch
        from accelerate.utils import reduce

        if self.processes.num_processes > 1:
            for parameter in parameters:
                own = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                parameter.grad = reduce(own, "sum")

    def _save(self, phase: str, optimizer: torch.optim.Optimizer) -> None:
        if self.snapshot_path is None or not self.processes.is_main_process:
            return
        trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
        head = {id(p) for p in head_parameters(self.model.get_base_model())}
        tensors = {f"model.{name}": p for name, p in self.model.named_parameters() if id(p) in trained or id(p) in head}
        values = {
            "phase": phase,
            "step": self.step,
            "before": self.before,
            "seconds": self.seconds,
            "losses": self.losses,
            "groups": optimizer.state_dict()["param_groups"],
        }
        Snapshot(tensors | optimizer_tensors(optimizer) | random_state(), values).save(self.snapshot_path)
