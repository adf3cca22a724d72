"""Scale on paper: a thousand checkpoints on clusters of 8, 64 and 512 workers, simulated stage by stage.

    python benchmarks/cluster.py [--checkpoints 1000] [--workers 8 64 512] [--machines ...] [--out builds]

The checkpoints are those of the paper's suites with their recipes, repeated with further backbones until there are
enough. Times of stages are what `zoo plan` says: from like stages measured in `--out` on this machine, or for a named
GPU. Each worker does one stage at a time, the first in the plan whose inputs are done, as builds have it. One process
pushes, as with `zoo build --push`: one commit a repository within the Hub's limits (1,000 requests in 5 minutes; 128
commits an hour, which the Hub counts per repository, taken here for all together); then it scores each adapter again to
verify it. Requests a repository are those counted by `rehearsal.py`.

Writes `benchmarks/results/cluster.{json,md,png}`. The bottleneck is what alone would take the longest: the longest
chain of stages, all work over all workers, the Hub's limits, or verification.
"""

from __future__ import annotations

import argparse
import heapq
import json
import shlex
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from zoo.pipeline.context import Context
from zoo.pipeline.estimate import THIS_MACHINE, Estimate, estimate
from zoo.pipeline.plan import inspect, make_plan
from zoo.pipeline.stage import Stage
from zoo.registry.loader import load_registry
from zoo.settings import Settings

RESULTS = Path(__file__).parent / "results"
SUITES = ("openmed", "openmed-base")
REQUESTS, REQUESTS_SECONDS = 1000, 300.0
COMMITS, COMMITS_SECONDS = 128, 3600.0
HOUR = 3600.0


@dataclass(frozen=True)
class Task:
    """A stage of the simulation."""

    name: str
    kind: str
    seconds: float
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Zoo:
    """What is simulated: tasks in an order in which inputs come first, and what of them makes a checkpoint.

    Attributes:
        last: Checkpoint -> the tasks it is done with.
        base_of: Checkpoint -> its base's task.
        verify_seconds: Checkpoint -> time to score it again.
    """

    tasks: tuple[Task, ...]
    last: Mapping[str, tuple[str, ...]]
    base_of: Mapping[str, str]
    verify_seconds: Mapping[str, float]
    disk_bytes: float


def main() -> None:
    """Simulate and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=int, default=1000)
    parser.add_argument("--workers", nargs="*", type=int, default=[8, 64, 512])
    parser.add_argument("--machines", nargs="*", default=[THIS_MACHINE, "A100 80GB SXM"])
    parser.add_argument("--out", type=Path, default=Path("builds"))
    arguments = parser.parse_args()
    requests, runs, measured = _requests_per_repository(), [], []
    for machine in arguments.machines:
        zoo, known = _zoo(arguments.out, machine, arguments.checkpoints)
        measured += known
        runs += [{"machine": machine, **simulate(zoo, workers, requests)} for workers in arguments.workers]
    data = {
        "command": shlex.join(["python", "benchmarks/cluster.py", *sys.argv[1:]]),
        "measured_kinds": measured,
        "checkpoints": len(zoo.last),
        "bases": len(set(zoo.base_of.values())),
        "stages": len(zoo.tasks),
        "requests_per_repository": requests,
        "disk_gb": zoo.disk_bytes / 1e9,
        "runs": [{name: value for name, value in run.items() if name != "curves"} for run in runs],
    }
    (RESULTS / "cluster.json").write_text(json.dumps(data, indent=1) + "\n")
    (RESULTS / "cluster.md").write_text(_table(data))
    _plot(runs)
    sys.stdout.write(_table(data))


def _zoo(out: Path, machine: str, wanted: int) -> tuple[Zoo, list[str]]:
    """The zoo, and the kinds of stages whose times were measured here."""
    settings = replace(Settings.load(), out=out)
    context = Context(load_registry(settings.registry), settings, may_fetch=False)
    checkpoints = [c for suite in SUITES for c in context.registry.suite_checkpoints(suite)]
    plan = make_plan(checkpoints, context)
    estimates = estimate(inspect(plan, context), context)

    def seconds(stage: Stage) -> float:
        expected: Estimate | None = estimates.get(stage.fingerprint)
        if expected is None:  # done already
            return 0.0
        return expected.seconds if machine == THIS_MACHINE else expected.gpu_seconds[machine]

    groups: dict[str, list[str]] = {}
    for checkpoint in checkpoints:
        groups.setdefault(checkpoint.backbone.id, []).append(checkpoint.id)
    tasks: dict[str, Task] = {}
    last: dict[str, tuple[str, ...]] = {}
    base_of: dict[str, str] = {}
    verify: dict[str, float] = {}
    disk: dict[str, float] = {}
    copy = 0
    while len(last) < wanted:
        for names in groups.values():
            for name in islice(names, wanted - len(last)):
                ends = plan.lasts(name)
                for end in ends:
                    for stage in end.inputs_first():
                        key = f"{stage.fingerprint} {copy}"
                        needs = tuple(f"{need.fingerprint} {copy}" for need in stage.needs)
                        tasks.setdefault(key, Task(key, stage.kind, seconds(stage), needs))
                        disk[key] = estimates[stage.fingerprint].disk_bytes if stage.fingerprint in estimates else 0.0
                        if stage.kind == "base":
                            base_of[f"{name} {copy}"] = key
                last[f"{name} {copy}"] = tuple(f"{end.fingerprint} {copy}" for end in ends)
                verify[f"{name} {copy}"] = seconds(ends[0])
        copy += 1
    known = {
        s.kind
        for end in plan.last.values()
        for s in end.inputs_first()
        if (e := estimates.get(s.fingerprint)) and e.known
    }
    measured = sorted(known) if machine == THIS_MACHINE else []
    return Zoo(tuple(tasks.values()), last, base_of, verify, sum(disk.values())), measured


def simulate(zoo: Zoo, workers: int, requests: float) -> dict[str, Any]:
    """One cluster.

    Args:
        zoo: What is to be made.
        workers: Stages that run at once.
        requests: To the Hub for one repository, its verification included.
    """
    users: dict[str, list[str]] = {task.name: [] for task in zoo.tasks}
    for task in zoo.tasks:
        for need in task.needs:
            users[need].append(task.name)
    ahead: dict[str, float] = {}  # seconds from the start of a task to the end of all that waits for it
    for task in reversed(zoo.tasks):
        ahead[task.name] = task.seconds + max((ahead[user] for user in users[task.name]), default=0.0)
    tasks, missing = {task.name: task for task in zoo.tasks}, {task.name: len(set(task.needs)) for task in zoo.tasks}
    place = {task.name: number for number, task in enumerate(zoo.tasks)}
    ready = [(place[name], name) for name, number in missing.items() if not number]
    heapq.heapify(ready)
    running: list[tuple[float, str]] = []
    done: dict[str, float] = {}
    now = 0.0
    while ready or running:
        while ready and len(running) < workers:
            name = heapq.heappop(ready)[1]
            heapq.heappush(running, (now + tasks[name].seconds, name))
        now, name = heapq.heappop(running)
        done[name] = now
        for user in set(users[name]):
            missing[user] -= 1
            if not missing[user]:
                heapq.heappush(ready, (place[user], user))
    built = {name: max(done[end] for end in ends) for name, ends in zoo.last.items()}
    pushed, verified = _published(zoo, built, requests)
    work, repositories = sum(task.seconds for task in zoo.tasks), len(built) + len(set(zoo.base_of.values()))
    bounds = {
        "the longest chain of stages": max(ahead.values()),
        "work over workers": work / workers,
        "requests to the Hub": repositories * requests / REQUESTS * REQUESTS_SECONDS,
        "commits to the Hub": repositories / COMMITS * COMMITS_SECONDS,
        "verification by one process": sum(zoo.verify_seconds.values()),
    }
    return {
        "workers": workers,
        "built_h": max(built.values()) / HOUR,
        "pushed_h": max(pushed) / HOUR,
        "verified_h": verified / HOUR,
        "busy_share": work / (workers * max(built.values())),
        "bounds_h": {name: seconds / HOUR for name, seconds in bounds.items()},
        "bottleneck": max(bounds, key=bounds.__getitem__),
        "curves": {"built": sorted(built.values()), "pushed": sorted(pushed)},
    }


def _published(zoo: Zoo, built: Mapping[str, float], requests: float) -> tuple[list[float], float]:
    """When each checkpoint is on the Hub, and when all are verified: pushed as they are built, then scored."""
    asked: deque[float] = deque()
    commits: deque[float] = deque()
    bases: set[str] = set()
    now, pushed = 0.0, []
    for name, moment in sorted(built.items(), key=lambda item: item[1]):
        now = max(now, moment)
        for _ in range(1 if zoo.base_of[name] in bases else 2):
            now = _wait(commits, now, COMMITS, COMMITS_SECONDS, 1)
            now = _wait(asked, now, REQUESTS, REQUESTS_SECONDS, round(requests))
        bases.add(zoo.base_of[name])
        pushed.append(now)
    return pushed, now + sum(zoo.verify_seconds.values())


def _wait(before: deque[float], now: float, most: int, seconds: float, number: int) -> float:
    """The moment at which so many more fit into a sliding window; notes them."""
    for _ in range(number):
        if len(before) == most:
            now = max(now, before.popleft() + seconds)
        before.append(now)
    return now


def _requests_per_repository() -> float:
    rehearsed = json.loads((RESULTS / "rehearsal.json").read_text())
    return float(rehearsed["requests_per_repository"])


def _table(data: dict[str, Any]) -> str:
    bounds = list(data["runs"][0]["bounds_h"])
    lines = [
        f"# {data['checkpoints']:,} checkpoints on a cluster, simulated",
        "",
        f"`{data['command']}`: {data['stages']:,} stages of {data['bases']} backbones with the recipes of the paper's",
        "suites. Times of a worker like this machine by the kinds of stages that were measured here on smaller models "
        f"({', '.join(data['measured_kinds']) or 'none'}), of a GPU by its peak rate (zoo/pipeline/gpus.py).",
        f"{data['requests_per_repository']:.0f} requests a repository, {data['disk_gb']:,.0f} GB of artefacts.",
        "",
        "| each worker like | workers | built, h | pushed, h | verified, h | busy | bottleneck | "
        + "".join(f"{b}, h | " for b in bounds),
        "|" + "---|" * (7 + len(bounds)),
        *(
            f"| {r['machine']} | {r['workers']} | {r['built_h']:,.1f} | {r['pushed_h']:,.1f} | {r['verified_h']:,.1f} "
            f"| {100 * r['busy_share']:.0f} % | **{r['bottleneck']}** | "
            + "".join(f"{r['bounds_h'][b]:,.1f} | " for b in bounds)
            for r in data["runs"]
        ),
        "",
        "The last columns are what each of them alone would take.",
        "",
        "![checkpoints built and pushed over time](cluster.png)",
    ]
    return "\n".join([*lines, ""])


def _plot(runs: Sequence[Mapping[str, Any]]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    machines = list(dict.fromkeys(run["machine"] for run in runs))
    figure, axes = plt.subplots(1, len(machines), figsize=(5.5 * len(machines), 4), squeeze=False, sharey=True)
    for axis, machine in zip(axes[0], machines, strict=True):
        shown = [run for run in runs if run["machine"] == machine]
        for run, colour in zip(shown, ("#0072b2", "#d55e00", "#009e73", "#e69f00", "#56b4e9"), strict=False):
            for name, style in (("built", "-"), ("pushed", ":")):
                hours = [seconds / HOUR for seconds in run["curves"][name]]
                label = f"{run['workers']} workers, {name}"
                axis.plot(hours, range(1, len(hours) + 1), style, color=colour, label=label)
        axis.set_title(f"each worker like {machine}", fontsize=10)
        axis.set_xscale("log")
        axis.set_xlabel("hours")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    axes[0][0].set_ylabel("checkpoints")
    figure.tight_layout()
    figure.savefig(RESULTS / "cluster.png", dpi=140)


if __name__ == "__main__":
    main()
