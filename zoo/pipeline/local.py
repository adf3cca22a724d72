"""The engine of one machine: worker processes, so that a stage that is killed takes no other with it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from dataclasses import dataclass
from multiprocessing import connection, get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from zoo.modeling.processes import follow_parent
from zoo.modeling.quiet import quiet_libraries
from zoo.pipeline.context import Context
from zoo.pipeline.progress import Reporter, StageProgress
from zoo.pipeline.schedule import MEMORY_FIX, Failure, Schedule
from zoo.pipeline.stage import Stage
from zoo.pipeline.worker import try_stage

_END = "end"
_PATIENCE_SECONDS = 5.0


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection[Any, Any]
    stage: Stage | None = None


class LocalEngine:
    """Runs stages in `jobs` processes of this machine; on a machine with GPUs they take them in turn."""

    def __init__(self, jobs: int = 1) -> None:
        self.jobs = jobs

    def run(self, schedule: Schedule, context: Context, reporter: Reporter) -> None:
        """Run until nothing is left. However it ends, no worker outlives it: what they did can be resumed."""
        workers: list[_Worker] = []
        try:
            while schedule.unfinished:
                self._assign(schedule, workers, context, reporter)
                busy = {worker.pipe: worker for worker in workers if worker.stage}
                for pipe in connection.wait(list(busy)):
                    worker = busy[pipe]  # type: ignore[index]
                    try:
                        self._receive(worker.pipe.recv(), worker, schedule, reporter)
                    except (EOFError, ConnectionResetError):
                        workers.remove(worker)
                        self._died(worker, schedule, reporter)
            for worker in workers:
                worker.pipe.close()  # nothing more to do: it ends by itself
            for worker in workers:
                worker.process.join(_PATIENCE_SECONDS)
        finally:
            for worker in workers:
                worker.process.kill()
            for worker in workers:
                worker.process.join()

    def _assign(self, schedule: Schedule, workers: list[_Worker], context: Context, reporter: Reporter) -> None:
        while len([w for w in workers if w.stage]) < self.jobs and (stage := schedule.take()):
            worker = next((w for w in workers if not w.stage), None)
            if worker is None:
                used = {w.process.name for w in workers}
                slot = next(i for i in range(self.jobs) if str(i) not in used)
                workers.append(worker := _start(slot, self.jobs, context))
            worker.stage = stage
            worker.pipe.send(stage)
            reporter.start(stage.id)

    def _receive(self, message: tuple[str, Any], worker: _Worker, schedule: Schedule, reporter: Reporter) -> None:
        what, value = message
        stage = worker.stage
        assert stage is not None
        if what != _END:
            getattr(reporter, what)(stage.id, *value)
            return
        worker.stage = None
        if isinstance(value, Failure):
            schedule.failed(stage, value)
            reporter.done(stage.id, f"FAILED: {value.message}")
        else:
            schedule.done(stage)
            reporter.done(stage.id, value)

    def _died(self, worker: _Worker, schedule: Schedule, reporter: Reporter) -> None:
        worker.process.join()
        stage, code = worker.stage, worker.process.exitcode or 0
        assert stage is not None
        if code == -signal.SIGKILL:
            message = (
                f"its process was killed (out of memory?)\n  fix: {MEMORY_FIX}; the same command goes on from there"
            )
        else:
            cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            message = f"its process ended without a word ({cause})"
        schedule.failed(stage, Failure(stage.id, message))
        reporter.done(stage.id, f"FAILED: {message}")


def _start(slot: int, jobs: int, context: Context) -> _Worker:
    # Where that is safe, workers are forked from a process that has imported the libraries, once for all.
    start = get_context("forkserver") if sys.platform == "linux" else get_context("spawn")
    start.set_forkserver_preload(["zoo.pipeline.preload"])  # of no effect with spawn
    quiet = "ignore::UserWarning:multiprocessing.resource_tracker"  # of a killed worker, which leaves a semaphore
    if quiet not in sys.warnoptions:
        sys.warnoptions.append(quiet)  # the tracker is a process that takes these along
    here, there = start.Pipe()
    process = start.Process(
        target=work, args=(there, slot, _threads(jobs), dict(os.environ), context), name=str(slot), daemon=False
    )
    resource_tracker.ensure_running()  # it unblocks the signal when it starts
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # inherited, until `follow_parent` is reached
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    there.close()
    return _Worker(process, here)


def _threads(jobs: int) -> int | None:
    """Threads of a worker: several with a thread per core each would stand in each other's way; None: the default."""
    return max(1, (os.cpu_count() or 1) // jobs) if jobs > 1 and "OMP_NUM_THREADS" not in os.environ else None


def work(
    pipe: Connection[Any, Any], slot: int, threads: int | None, environment: dict[str, str], context: Context
) -> None:
    """What a worker process does: stages, one after the other, until the pipe is closed."""
    import torch

    os.environ.clear()  # that of the process it was forked from may be older
    os.environ.update(environment)
    follow_parent()
    quiet_libraries()
    if threads:
        torch.set_num_threads(threads)
    if torch.cuda.is_available():
        torch.cuda.set_device(slot % torch.cuda.device_count())
    with contextlib.suppress(EOFError):
        while True:
            stage: Stage = pipe.recv()
            pipe.send((_END, try_stage(stage, context, StageProgress(pipe.send))))
