"""The engine of a cluster: each stage is a Ray task; artefacts travel through the shared store."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from zoo.pipeline.context import Context
from zoo.pipeline.progress import Reporter, StageProgress
from zoo.pipeline.schedule import Failure, Schedule
from zoo.pipeline.stage import Stage
from zoo.pipeline.worker import try_stage
from zoo.scale.cluster import joined

_RETRIES = 3
"""A task whose node or process is lost is run again so often; it goes on from what the shared folder holds."""


class RayEngine:
    """Runs stages as tasks of a Ray cluster.

    Every node needs this package, the backbones and the corpora (or the network), and the output folder: on a shared
    file system at the same path, or its own together with a remote store (`ZOO_STORE`, any fsspec URL).

    Args:
        address: Address of a running cluster, `auto` for the one of this machine; None starts one on this machine.
        cpus_per_stage: Cores that a stage claims.
        gpus_per_stage: GPUs that a stage claims; None: one where the cluster has any.
    """

    def __init__(
        self, address: str | None = None, *, cpus_per_stage: float = 1, gpus_per_stage: float | None = None
    ) -> None:
        self.address, self.cpus, self.gpus = address, cpus_per_stage, gpus_per_stage

    def run(self, schedule: Schedule, context: Context, reporter: Reporter) -> None:
        """Run until nothing is left.

        Raises:
            ZooError: Ray is not installed, or there is no cluster at the address.
        """
        with joined(self.address) as ray:
            self._run(ray, schedule, replace(context, alone=False), reporter)

    def _run(self, ray: Any, schedule: Schedule, context: Context, reporter: Reporter) -> None:  # noqa: ANN401
        gpus = self.gpus if self.gpus is not None else float(ray.cluster_resources().get("GPU", 0) > 0)
        task: Callable[..., Any] = ray.remote(
            num_cpus=self.cpus, num_gpus=gpus, max_retries=_RETRIES, retry_exceptions=False
        )(_work).remote
        shared, running = ray.put(context), {}
        while schedule.unfinished:
            while stage := schedule.take():
                running[task(stage, shared, self.cpus)] = stage
                reporter.start(stage.id)
            (ended,), _ = ray.wait(list(running), num_returns=1)
            stage = running.pop(ended)
            try:
                outcome: str | Failure = ray.get(ended)
            except ray.exceptions.RayError as error:
                outcome = Failure(stage.id, f"lost {_RETRIES + 1} times by the cluster: {str(error).splitlines()[0]}")
            if isinstance(outcome, Failure):
                schedule.failed(stage, outcome)
                reporter.done(stage.id, f"FAILED: {outcome.message}")
            else:
                schedule.done(stage)
                reporter.done(stage.id, outcome)


def _work(stage: Stage, context: Context, cpus: float) -> str | Failure:
    """A stage, on some node."""
    import torch

    with contextlib.suppress(RuntimeError):  # threads can be set before the first parallel work alone
        torch.set_num_threads(max(1, int(cpus)))
    return try_stage(stage, context, StageProgress())
