"""What a build tells while it runs."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from typing_extensions import override


class Reporter:
    """Hears about progress and says nothing; the base of those that speak."""

    def __enter__(self) -> Reporter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def begin(self, builds: int) -> None:
        """So many checkpoints will be built."""

    def stage(self, checkpoint_id: str, stage: str) -> None:
        """A stage of a checkpoint begins."""

    def steps(self, checkpoint_id: str, steps: int) -> None:
        """The stage has so many steps."""

    def step(self, checkpoint_id: str) -> None:
        """One step is done."""

    def note(self, checkpoint_id: str, text: str) -> None:
        """Something worth a line."""

    def done(self, checkpoint_id: str, outcome: str) -> None:
        """A checkpoint is finished, well or badly."""


class ConsoleReporter(Reporter):
    """One bar for all builds and one for the running one; plain lines where there is no terminal."""

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
    def begin(self, builds: int) -> None:
        self._all = self._progress.add_task("all builds", total=builds, note="")

    @override
    def stage(self, checkpoint_id: str, stage: str) -> None:
        self._progress.update(self._task(checkpoint_id), description=f"{checkpoint_id}: {stage}")

    @override
    def steps(self, checkpoint_id: str, steps: int) -> None:
        self._progress.update(self._task(checkpoint_id), total=steps, completed=0)

    @override
    def step(self, checkpoint_id: str) -> None:
        self._progress.advance(self._task(checkpoint_id))

    @override
    def note(self, checkpoint_id: str, text: str) -> None:
        self._progress.update(self._task(checkpoint_id), note=text)
        if not self._console.is_terminal:
            self._console.print(f"{checkpoint_id}: {text}", highlight=False, markup=False)

    @override
    def done(self, checkpoint_id: str, outcome: str) -> None:
        self._progress.remove_task(self._task(checkpoint_id))
        del self._tasks[checkpoint_id]
        self._console.print(f"{checkpoint_id}: {outcome}", highlight=False, markup=False)
        if self._all is not None:
            self._progress.advance(self._all)

    def _task(self, checkpoint_id: str) -> TaskID:
        if checkpoint_id not in self._tasks:
            self._tasks[checkpoint_id] = self._progress.add_task(checkpoint_id, total=None, note="")
        return self._tasks[checkpoint_id]
