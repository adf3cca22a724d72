"""What a stage will take: time, energy and disk, from what like stages took here before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from zoo.pipeline.context import Context
from zoo.pipeline.plan import Kind, Plan, Stage, Status
from zoo.registry.schema import SplitName

_DEFAULT_SECONDS: dict[Kind, float] = {"dapt": 3.2e-5, "tune": 2.4e-5, "train": 2.4e-5, "evaluate": 6e-6}
"""Seconds per token and million parameters where nothing was built yet: MiniLM-L6 on two cores of a 2024 server."""
_DEFAULT_WATTS = 28.0
"""As codecarbon estimates a small CPU machine without RAPL."""
_SUBTOKENS = 1.35
"""Sub-tokens per word of the registered corpora, WordPiece."""
_TOKENS_PER_PASSAGE = 220
_UNKNOWN_TOKENS = 100_000
_ADAPTER_BYTES_PER_PARAMETER = 0.06
_SPLIT_BYTES = 2_000_000


@dataclass(frozen=True)
class Estimate:
    """What a stage is expected to take; `known` tells whether like stages were run here."""

    seconds: float
    energy_wh: float
    disk_bytes: float
    known: bool


def estimate(plan: Plan, statuses: Sequence[Status], context: Context) -> dict[str, Estimate]:
    """Fingerprint -> estimate, for the stages that are not done."""
    rates: dict[str, list[float]] = {}
    watts: list[float] = []
    for _, artefact in context.store.artefacts():
        work = _work_of_key(artefact.kind, artefact.name, artefact.key, context)
        if artefact.energy and artefact.seconds > 0:
            watts.append(artefact.energy.energy_wh / artefact.seconds * 3600)
            if work:
                rates.setdefault(artefact.kind, []).append(artefact.seconds / work)
    found = {}
    for status in statuses:
        stage = status.stage
        if status.state == "cached":
            continue
        work = _work_of_key(stage.kind, stage.name, stage.key, context) or 0.0
        known = stage.kind in rates
        rate = median(rates[stage.kind]) if known else _DEFAULT_SECONDS.get(stage.kind, 0.0)
        seconds = rate * work if work else 10.0
        power = median(watts) if watts else _DEFAULT_WATTS
        found[stage.fingerprint] = Estimate(seconds, seconds * power / 3600, _disk(stage), known)
    return found


def _work_of_key(kind: str, name: str, key: Mapping[str, Any], context: Context) -> float | None:
    """Tokens times million parameters; None where the registry does not know the name any more."""
    backbone_id, _, corpus_id = name.partition("/")
    backbone = context.registry.backbones.get(backbone_id)
    if backbone is None:
        return None
    if kind == "dapt":
        recipe = key["recipe"]
        counts = [
            context.registry.passages[p].passages or 0 for p in recipe["passages"] if p in context.registry.passages
        ]
        return 2 * backbone.parameters_million * float(recipe["epochs"]) * _TOKENS_PER_PASSAGE * (sum(counts) or 10_000)
    corpus = context.registry.corpora.get(corpus_id)
    if corpus is None:
        return None

    def tokens(*splits: SplitName) -> float:
        known = [info.tokens for split in splits if (info := corpus.splits.get(split)) and info.tokens]
        return _SUBTOKENS * sum(known) if known else _UNKNOWN_TOKENS

    if kind == "evaluate":
        return backbone.parameters_million * tokens("dev", "test")
    if kind in ("train", "tune"):
        trials = int(key["tune"]["trials"]) if kind == "tune" else 1
        return backbone.parameters_million * float(key["finetune"]["epochs"]) * trials * tokens("train")
    return None


def _disk(stage: Stage) -> float:
    parameters = 1e6 * stage.checkpoint.backbone.parameters_million
    sizes: dict[Kind, float] = {
        "dapt": parameters * _ADAPTER_BYTES_PER_PARAMETER,
        "base": 4 * parameters,
        "tune": 20e6,  # three plots with plotly inside
        "train": parameters * _ADAPTER_BYTES_PER_PARAMETER,
        "evaluate": _SPLIT_BYTES,
    }
    return sizes[stage.kind]
