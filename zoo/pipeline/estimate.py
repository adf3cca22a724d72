"""What a stage will take: time, energy and disk, from what like stages took on this machine before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from zoo.errors import ZooError
from zoo.pipeline.context import Context
from zoo.pipeline.plan import Status
from zoo.pipeline.stage import Stage
from zoo.pipeline.stages import KINDS, stage_kind
from zoo.pipeline.store import Artefact
from zoo.registry.loader import Checkpoint

_DEFAULT_WATTS = 28.0
"""As codecarbon estimates a small CPU machine without RAPL."""
_START_SECONDS = 6.0
"""What a stage takes whatever its work is: it loads libraries, model and corpus."""
_COPY_SECONDS = 2.0
"""What a stage takes that only puts together what others made."""
_LEAST_SHARE = 0.2
"""Of a stage that took hardly longer than that, so much counts as work."""


@dataclass(frozen=True)
class Estimate:
    """What a stage is expected to take; `known` tells whether like stages were run here."""

    seconds: float
    energy_wh: float
    disk_bytes: float
    known: bool


@dataclass(frozen=True)
class _Measured:
    kind: str
    name: str
    seconds: float
    work: float


def estimate(statuses: Sequence[Status], context: Context) -> dict[str, Estimate]:
    """Fingerprint -> estimate, for the stages that are not done."""
    artefacts = [artefact for _, artefact in context.store.artefacts()]
    watts = [a.energy.energy_wh / a.seconds * 3600 for a in artefacts if a.energy and a.seconds > 0]
    power = median(watts) if watts else _DEFAULT_WATTS
    measured = list(_measured(artefacts, context))
    found = {}
    for status in statuses:
        stage = status.stage
        if status.state == "cached":
            continue
        kind = stage_kind(stage.kind)
        work, rate = kind.work(stage.checkpoint, stage.key, context), _rate(stage, measured)
        seconds = _START_SECONDS + work * (rate or kind.default_rate) if work else _COPY_SECONDS
        known = bool(rate) or not work
        found[stage.fingerprint] = Estimate(seconds, seconds * power / 3600, kind.disk_bytes(stage), known)
    return found


def _rate(stage: Stage, measured: Iterable[_Measured]) -> float | None:
    """Seconds per work of a kind: of stages of the same name if there are any, else of the backbone, else of all."""
    same_kind = [item for item in measured if item.kind == stage.kind]
    backbone = stage.name.partition("/")[0]
    same_backbone = [item for item in same_kind if item.name.partition("/")[0] == backbone]
    same_name = [item for item in same_kind if item.name == stage.name]
    like = same_name or same_backbone or same_kind
    return sum(item.seconds for item in like) / sum(item.work for item in like) if like else None


def _measured(artefacts: Iterable[Artefact], context: Context) -> Iterable[_Measured]:
    for artefact in artefacts:
        if artefact.kind not in KINDS or artefact.seconds <= 0:
            continue
        kind = stage_kind(artefact.kind)
        try:
            work = kind.work(_checkpoint(artefact.name, context), artefact.key, context)
        except (ZooError, KeyError, TypeError):  # of another registry, or with the key of an older version
            continue
        if work:
            seconds = max(artefact.seconds - _START_SECONDS, _LEAST_SHARE * artefact.seconds)
            yield _Measured(artefact.kind, artefact.name, seconds, work)


def _checkpoint(name: str, context: Context) -> Checkpoint:
    """The checkpoint of an artefact's name; of a backbone's, any."""
    backbone, _, corpus = name.partition("/")
    return context.registry.checkpoint(f"{backbone}/{corpus or next(iter(context.registry.corpora))}")
