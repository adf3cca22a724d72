"""The training of a checkpoint's adapter.

Where its recipe was searched for, the search's best trial is that of the first seed; the others train what it found.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import override

from zoo.evaluation.result import EpochRecord
from zoo.modeling.heads import Ceiling
from zoo.pipeline.context import Context
from zoo.pipeline.stage import Job, Stage, StageKind
from zoo.pipeline.stages.adapter import TRAINING_FILE, TrainRecord, train_adapter, training_key, training_work
from zoo.pipeline.stages.base import KIND as BASE
from zoo.pipeline.stages.tune import BEST
from zoo.pipeline.stages.tune import KIND as TUNE
from zoo.pipeline.store import RESUME
from zoo.registry.loader import Checkpoint
from zoo.registry.recipes import Recipe
from zoo.training.finetune import Progress


class Train(StageKind[TrainRecord]):
    """Fine-tunes an adapter on the base."""

    name = "train"
    code = 11
    record = TrainRecord
    record_file = TRAINING_FILE
    default_rate = 2.4e-5

    @override
    def plan(self, checkpoint: Checkpoint, context: Context, seed: int | None = None) -> Stage:
        """The training with one of the seeds of a recipe; None: the first, which the search has, too."""
        first = checkpoint.recipe.seed
        own = checkpoint if seed in (None, first) else checkpoint.with_seed(seed)
        shown = own.recipe.seed if own.recipe.seeds > 1 else None
        if checkpoint.recipe.tune.trials:
            tune = TUNE.plan(checkpoint, context)
            base = tune.inputs["base"]
            key = {"tune": tune.fingerprint, "code": self.code}
            key |= {} if own is checkpoint else {"seed": own.recipe.seed}
            return Stage(self.name, checkpoint.id, key, (base, tune), own, shown)
        base = BASE.plan(checkpoint, context)
        key = {**training_key(own, context), "base": base.fingerprint, "code": self.code}
        return Stage(self.name, checkpoint.id, key, (base,), own, shown)

    @override
    def run(self, job: Job) -> None:
        recipe = job.stage.checkpoint.recipe
        if "tune" in job.stage.inputs:
            best = job.input("tune") / BEST
            if "seed" not in job.stage.key:  # the best trial is the training: the same recipe, data and seed
                shutil.copytree(best, job.work, dirs_exist_ok=True)
                for text in self.read(job.work).warnings:
                    job.progress.warn(text)
                return
            found = self.read(best).recipe
            recipe = Recipe.model_validate(
                {**recipe.model_dump(), "lora": found["lora"], "finetune": found["finetune"]}
            )
        progress = job.progress

        def after_epoch(log: EpochRecord) -> None:
            progress.note(f"epoch {log.epoch}: loss {log.loss:.3f}, dev F1 {100 * log.dev_micro_f1:.2f}")
            job.save_energy()

        def heads(found: Sequence[Ceiling]) -> None:
            if len(found) > 1 or len(found[0].heads) > 1:
                held = "; ".join(f"{each.name} {100 * each.share:.1f} %" for each in found[1:] or found)
                progress.note(f"{len(found[0].heads)} heads ({found[0].name}); mentions that can be held: {held}")

        def shares(drawn: Mapping[str, int]) -> None:
            if drawn:
                parts = ", ".join(
                    f"{number:,} {job.stage.checkpoint.corpus.unit}s of {name}" for name, number in drawn.items()
                )
                progress.note(f"an epoch reads {parts}")

        callbacks = Progress(
            on_heads=heads,
            on_shares=shares,
            on_start=lambda steps: progress.steps(steps, 0),
            on_resume=progress.advance,
            on_step=progress.step,
            on_epoch=after_epoch,
        )
        snapshot = job.work / RESUME / "snapshot.safetensors"
        _, record = train_adapter(job, recipe, job.work / "adapter", snapshot, callbacks, progress.warn)
        self.write(job.work, record)

    @override
    def work(self, checkpoint: Checkpoint, key: Mapping[str, Any], context: Context) -> float:
        if "tune" not in key:
            return training_work(checkpoint, key)
        return training_work(checkpoint, checkpoint.recipe.model_dump()) if "seed" in key else 0.0

    @override
    def describe(self, record: TrainRecord) -> str:
        best = record.epochs[record.best_epoch - 1]
        return f"dev F1 {100 * best.dev_micro_f1:.2f} in epoch {best.epoch} of {len(record.epochs)}"


KIND = Train()
