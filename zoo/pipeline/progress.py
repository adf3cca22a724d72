"""What a build reports while it runs."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from typing_extensions import override


class StageProgress:
    """What one stage reports, as calls of a `Reporter` without the stage's name.

    Args:
        send: Takes a method's name and its arguments; None: nothing is shown.
    """

    def __init__(self, send: Callable[[tuple[str, tuple[object, ...]]], object] | None = None) -> None:
        self._send = send or _show_nothing  # a named function: progress travels to other processes

    def steps(self, total: int, done: int) -> None:
        """The stage has so many steps, of which some were done before."""
        self._send(("steps", (total, done)))

    def advance(self, steps: int) -> None:
        """Steps are done."""
        self._send(("advance", (steps,)))

    def step(self) -> None:
        """One step is done."""
        self.advance(1)

    def note(self, text: str) -> None:
        """Something worth a line."""
        self._send(("note", (text,)))

    def warn(self, text: str) -> None:
        """Something that must not be overlooked."""
        self._send(("warn", (text,)))


def _show_nothing(message: tuple[str, tuple[object, ...]]) -> None:
    """Where nobody looks."""


class Reporter:
    """Takes the progress of all stages of a run, by their ids, and shows nothing."""

    def __enter__(self) -> Reporter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def begin(self, stages: int) -> None:
        """So many stages will run."""

    def start(self, stage: str) -> None:
        """A stage begins."""

    def steps(self, stage: str, total: int, done: int) -> None:
        """A stage has so many steps, of which some were done before."""

    def advance(self, stage: str, steps: int) -> None:
        """Steps of a stage are done."""

    def note(self, stage: str, text: str) -> None:
        """Something worth a line."""

    def warn(self, stage: str, text: str) -> None:
        """Something that must not be overlooked."""

    def done(self, stage: str, outcome: str) -> None:
        """A stage has ended, well or badly."""


class ConsoleReporter(Reporter):
    """One bar for the run and one for each running stage; plain lines where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._all: TaskID | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> ConsoleReporter:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    @override
    def begin(self, stages: int) -> None:
        self._all = self._progress.add_task("all stages", total=stages, note="")

    @override
    def start(self, stage: str) -> None:
        self._task(stage)

    @override
    def steps(self, stage: str, total: int, done: int) -> None:
        self._progress.update(self._task(stage), total=total, completed=done)

    @override
    def advance(self, stage: str, steps: int) -> None:
        self._progress.advance(self._task(stage), steps)

    @override
    def note(self, stage: str, text: str) -> None:
        self._progress.update(self._task(stage), note=text)
        if not self._console.is_terminal:
            self._console.print(f"{stage}: {text}", highlight=False, markup=False)

    @override
    def warn(self, stage: str, text: str) -> None:
        self._console.print(f"{stage}: warning: {text}", highlight=False, markup=False)

    @override
    def done(self, stage: str, outcome: str) -> None:
        self._progress.remove_task(self._task(stage))
        del self._tasks[stage]
        self._console.print(f"{stage}: {outcome}", highlight=False, markup=False)
        if self._all is not None:
            self._progress.advance(self._all)

    def _task(self, stage: str) -> TaskID:
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=None, note="")
        return self._tasks[stage]
