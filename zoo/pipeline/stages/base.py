"""The base of a backbone: the merged weights of its pre-training with the head of the whole label space."""

from __future__ import annotations

import shutil
from typing import Any

from typing_extensions import override

from zoo.modeling.adapters import BASE_INFO
from zoo.modeling.backbones import BackboneFiles, build_base
from zoo.modeling.labels import LabelSpace
from zoo.pipeline.context import Context
from zoo.pipeline.stage import Job, Stage, StageKind, digest, library_versions
from zoo.pipeline.stages.dapt import KIND as DAPT
from zoo.pipeline.stages.dapt import backbone_identity
from zoo.records import Record
from zoo.registry.loader import Checkpoint, load_registry

BASE_SEED = 0
"""One base serves recipes of any seed."""


class BaseRecord(Record):
    """`zoo_base.json`, beside the weights: how adapters know a base, whatever its folder is called."""

    origin: str
    fingerprint: str
    dapt: str | None


class Base(StageKind[BaseRecord]):
    """Merges the pre-training into the backbone and gives it the head."""

    name = "base"
    code = 1
    serves = "backbone"
    record = BaseRecord
    record_file = f"model/{BASE_INFO}"

    @override
    def plan(self, checkpoint: Checkpoint, context: Context) -> Stage:
        backbone = checkpoint.backbone
        key: dict[str, Any] = {
            "backbone": backbone_identity(backbone, context),
            "versions": library_versions(),
            "code": self.code,
            "labels": digest(context.labels.labels),
            "window_tokens": backbone.window_tokens,
            "head_modules": context.registry.families[backbone.family].head_modules,
        }
        needs = (DAPT.plan(checkpoint, context),) if checkpoint.recipe.dapt.passages else ()
        key |= {need.kind: need.fingerprint for need in needs}
        return Stage(self.name, backbone.id, key, needs, checkpoint)

    @override
    def run(self, job: Job) -> None:
        from zoo.training.dapt import merge

        context, work, backbone = job.context, job.work, job.stage.checkpoint.backbone
        family, files = context.registry.families[backbone.family], context.backbone(backbone)
        dapt = job.stage.inputs.get("dapt")
        if dapt:
            merged = work / "merged"
            merge(files.folder, family, job.input("dapt") / "adapter", merged)
            files = BackboneFiles(merged, files.origin)
        build_base(files, family, context.labels, backbone.window_tokens, work / "model", BASE_SEED)
        shutil.rmtree(work / "merged", ignore_errors=True)
        fingerprint = job.stage.fingerprint
        record = BaseRecord(origin=files.origin, fingerprint=fingerprint, dapt=dapt.fingerprint if dapt else None)
        self.write(work, record)

    @override
    def disk_bytes(self, stage: Stage) -> float:
        return 4e6 * stage.checkpoint.backbone.parameters_million


KIND = Base()


def is_canonical(stage: Stage, context: Context) -> bool:
    """Whether a base is the one that is published under its backbone's name alone.

    That is the base of the recipe that the registry has for all corpora of the backbone, with the label space that
    comes with this package: registries that append types of their own must not replace each other's bases.
    """
    registry = context.registry
    if context.labels != LabelSpace.from_entry(load_registry().labels):
        return False
    recipe = registry.recipes.for_checkpoint(f"{stage.name}/*")
    if recipe.dapt.passages != stage.checkpoint.recipe.dapt.passages:
        return False  # seen without the usual passages, which need not be here
    usual = Checkpoint(stage.checkpoint.backbone, stage.checkpoint.corpus, recipe)
    return KIND.plan(usual, context).fingerprint == stage.fingerprint
