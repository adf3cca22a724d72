"""Which stage may run next: a stage waits for its inputs, and fails with them."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from zoo.errors import ZooError
from zoo.pipeline.context import Context
from zoo.pipeline.progress import Reporter
from zoo.pipeline.stage import Stage


@dataclass(frozen=True)
class Failure:
    """Why a stage did not end well."""

    stage: str
    message: str
    traceback: str | None = None

    @classmethod
    def of(cls, stage: Stage, error: Exception, out: object) -> Failure:
        """Put an exception into words; only a bug has a traceback."""
        if isinstance(error, ZooError):
            return cls(stage.id, str(error))
        if isinstance(error, OSError):
            what = error.strerror or str(error)
            fix = _FIXES.get(error.errno or 0, _FIX)
            return cls(stage.id, f"{what}\n  where: {error.filename or out}\n  fix: {fix}")
        if _NO_SPACE in str(error):  # safetensors has an error class of its own
            return cls(stage.id, f"{_NO_SPACE}\n  where: {out}\n  fix: {_FIXES[errno.ENOSPC]}")
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            return cls(stage.id, f"not enough memory: {error}\n  fix: {MEMORY_FIX}")
        return cls(stage.id, f"{type(error).__name__}: {error}", traceback.format_exc())


MEMORY_FIX = "lower finetune.batch_size or dapt.micro_batch_size, or build with fewer --jobs"
_NO_SPACE = "No space left on device"
_FIX = "see that the folder can be read and written"
_FIXES = {
    errno.ENOSPC: "free some space (zoo gc), or build elsewhere with --out",
    errno.EDQUOT: "your disk quota is used up: free some space",
}


class Engine(Protocol):
    """Runs the stages of a plan."""

    def run(self, schedule: Schedule, context: Context, reporter: Reporter) -> None:
        """Run until nothing is left; outcomes are told to the schedule."""


class Schedule:
    """The stages that are still to run, and what became of the others.

    Args:
        stages: Stages to run, inputs before what needs them; an input that is not among them is done.
        on_done: Called when a stage has ended well.
    """

    def __init__(self, stages: Sequence[Stage], on_done: Callable[[Stage], None] = lambda stage: None) -> None:
        self._waiting = {stage.fingerprint: stage for stage in stages}
        self._running: dict[str, Stage] = {}
        self._on_done = on_done
        self.failures: dict[str, Failure] = {}

    @property
    def unfinished(self) -> bool:
        """Whether a stage runs or waits."""
        return bool(self._waiting or self._running)

    def take(self) -> Stage | None:
        """The next stage whose inputs are all done; None if there is none now."""
        for fingerprint, stage in self._waiting.items():
            if not any(need.fingerprint in self._waiting or need.fingerprint in self._running for need in stage.needs):
                del self._waiting[fingerprint]
                self._running[fingerprint] = stage
                return stage
        return None

    def done(self, stage: Stage) -> None:
        """A stage has ended well."""
        del self._running[stage.fingerprint]
        self._on_done(stage)

    def failed(self, stage: Stage, failure: Failure) -> None:
        """A stage has failed, and with it all that needs it."""
        self._running.pop(stage.fingerprint, None)
        self.failures[stage.fingerprint] = failure
        for fingerprint, waiting in list(self._waiting.items()):
            if any(need.fingerprint in self.failures for need in waiting.needs):
                del self._waiting[fingerprint]
                self.failures[fingerprint] = failure
