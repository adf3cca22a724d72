"""What a stage will take: time, energy and disk, from what like stages took on this machine before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from zoo.energy import grams_per_wh
from zoo.errors import ZooError
from zoo.pipeline.context import Context
from zoo.pipeline.gpus import GPUS, PAPER_EMISSIONS_G, PAPER_HOURS
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
    """What a stage is expected to take; `known` tells whether like stages were run here.

    Attributes:
        gpu_seconds: Name of a GPU -> time there, by zoo/pipeline/gpus.py.
    """

    seconds: float
    energy_wh: float
    disk_bytes: float
    known: bool
    gpu_seconds: Mapping[str, float]


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
        seconds = _seconds(stage, work, work * (rate or kind.default_rate))
        known = bool(rate) or not work
        on = {gpu.name: _seconds(stage, work, gpu.seconds(work * kind.flop_per_work)) for gpu in GPUS}
        found[stage.fingerprint] = Estimate(seconds, seconds * power / 3600, kind.disk_bytes(stage), known, on)
    return found


def _seconds(stage: Stage, work: float, seconds: float) -> float:
    """Time of a stage whose work alone takes so many seconds: it has to start, and it may have a budget."""
    if not work:
        return _COPY_SECONDS
    return _START_SECONDS + stage_kind(stage.kind).within_budget(stage.key, seconds)


@dataclass(frozen=True)
class Total:
    """What all stages of a backbone that would run take together on one machine, one after another.

    Attributes:
        known: Whether like stages have run there before, all of them; never of a GPU that is not here.
    """

    seconds: float
    energy_wh: float
    emissions_g: float
    known: bool

    @property
    def breaks(self) -> list[str]:
        """Which of the paper's two figures it exceeds."""
        over = {f"{PAPER_HOURS:g} h": self.seconds > 3600 * PAPER_HOURS}
        over[f"{PAPER_EMISSIONS_G / 1000:g} kg"] = self.emissions_g > PAPER_EMISSIONS_G
        return [name for name, broken in over.items() if broken]


@dataclass(frozen=True)
class BackboneTotal:
    """The totals of a backbone.

    Attributes:
        machines: `this machine`, then the GPUs of zoo/pipeline/gpus.py -> what it takes there.
    """

    backbone: str
    checkpoints: int
    stages: int
    disk_bytes: float
    machines: Mapping[str, Total]


THIS_MACHINE = "this machine"


def totals(statuses: Sequence[Status], estimates: Mapping[str, Estimate], country: str | None) -> list[BackboneTotal]:
    """Totals of the stages that would run, a backbone each.

    Args:
        statuses: Of the stages of a plan.
        estimates: What `estimate` gave for them.
        country: Validated ISO 3166 alpha-3 code of the electricity; None: the world average.
    """
    grams = grams_per_wh(country)
    groups: dict[str, list[Stage]] = {}
    for status in statuses:
        if status.stage.fingerprint in estimates:
            groups.setdefault(status.stage.checkpoint.backbone.id, []).append(status.stage)
    found = []
    for backbone, stages in groups.items():
        each = [estimates[stage.fingerprint] for stage in stages]
        here_wh = sum(e.energy_wh for e in each)
        here = Total(sum(e.seconds for e in each), here_wh, here_wh * grams, all(e.known for e in each))
        machines = {THIS_MACHINE: here}
        for gpu in GPUS:
            seconds = sum(e.gpu_seconds[gpu.name] for e in each)
            energy_wh = seconds * gpu.board_w / 3600
            machines[gpu.name] = Total(seconds, energy_wh, energy_wh * grams, known=False)
        checkpoints = len({stage.checkpoint.id for stage in stages if stage_kind(stage.kind).serves == "checkpoint"})
        disk_bytes = sum(e.disk_bytes for e in each)
        found.append(BackboneTotal(backbone, checkpoints, len(stages), disk_bytes, machines))
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
            work = kind.work(_checkpoint(artefact, context), artefact.key, context)
        except (ZooError, KeyError, TypeError):  # of another registry, or with the key of an older version
            continue
        if work:
            seconds = max(artefact.seconds - _START_SECONDS, _LEAST_SHARE * artefact.seconds)
            yield _Measured(artefact.kind, artefact.name, seconds, work)


def _checkpoint(artefact: Artefact, context: Context) -> Checkpoint:
    """The checkpoint of an artefact; any, of what serves many."""
    registry, (backbone, _, corpus) = context.registry, artefact.name.partition("/")
    if stage_kind(artefact.kind).serves == "ontology":
        backbone = next(iter(registry.backbones))
    return registry.checkpoint(f"{backbone}/{corpus or next(iter(registry.corpora))}")
