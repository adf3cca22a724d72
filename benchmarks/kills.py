"""A build killed with -9 at random moments: does the same command always end as if nothing had happened?

    python benchmarks/kills.py                      # --suite quickstart, 40 kills: a few hours on a small machine
    python benchmarks/kills.py --tiny               # tiny models with random weights, 40 kills: half an hour

An undisturbed build is measured first. Then, kill by kill: the same build in an empty folder, killed with all its
workers, and the same command again, to its end. Half of the moments are drawn evenly over the whole duration; a quarter
lies at a random point of each kind of stage in turn; a quarter is the moment at which a stage of each kind has begun to
write its artefact. What is compared: names of all files, weights, predictions, scores and records but for seconds,
energy and dates; and that no artefact that was there at the kill is another file afterwards. Moments are seeded.

Writes `benchmarks/results/kills.{json,md}` after every kill and ends with 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
sys.path.insert(0, str(ROOT))
from tests import builds  # noqa: E402 - shared with the tests

_TRIES = 5
"""A run that is faster than the first may end before its moment: then another moment is drawn."""


@dataclass(frozen=True)
class Moment:
    """When to kill.

    Attributes:
        how: `any` (share of the whole duration), `in` (share of a stage's), `writing` (a stage writes its artefact).
    """

    how: str
    share: float
    stage: str | None = None


@dataclass(frozen=True)
class Undisturbed:
    """What the first build gave.

    Attributes:
        spans: Stage (`kind/fingerprint`) -> seconds from the start of the build to its begin, and its duration.
        names: Stage -> kind and name.
    """

    seconds: float
    content: dict[str, Any]
    spans: dict[str, tuple[float, float]]
    names: dict[str, str]


@dataclass
class Kill:
    """One kill, and what the same command did afterwards."""

    number: int
    moment: str
    second: float
    running: list[str]
    finished_before: int
    rerun_exit_code: int
    rerun_seconds: float
    rerun_stages: list[str]
    made_again: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether all came out as undisturbed, and nothing was done twice."""
        return not (self.rerun_exit_code or self.made_again or self.differences)


def main() -> None:
    """Kill and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", default="quickstart")
    parser.add_argument("--registry", type=Path, help="overlay registry of the suite")
    parser.add_argument("--tiny", action="store_true", help="two checkpoints of a tiny registry, made here")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="recipe, as in zoo build")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        work = Path(folder)
        command = _command(arguments, work)
        first = _undisturbed(command, work)
        kills: list[Kill] = []
        for number, moments in enumerate(_moments(arguments.kills, arguments.seed, first), start=1):
            kills.append(_kill(number, moments, command, work, first))
            sys.stderr.write(f"{_row(kills[-1])}\n")
            _write(arguments, first, kills)
    if len(kills) < arguments.kills or not all(kill.same for kill in kills):
        sys.exit(1)


def _command(arguments: argparse.Namespace, work: Path) -> list[object]:
    settings = [word for value in arguments.set for word in ("--set", value)]
    shared = ["--out", work / "out", "--jobs", arguments.jobs, *settings]
    if not arguments.tiny:
        registry = ["--registry", arguments.registry] if arguments.registry else []
        return ["build", "--all", "--suite", arguments.suite, *registry, *shared]
    from tests.tiny import save_tiny_backbone

    for family in ("bert", "electra", "roberta"):
        save_tiny_backbone(family, work / "models" / family)
    registry_folder = builds.write_registry(work / "registry", work / "models")
    return ["build", "tiny-bert/tiny", "tiny-bert/other", "--registry", registry_folder, *shared]


def _undisturbed(command: list[object], work: Path) -> Undisturbed:
    """Build once, and see when each stage runs."""
    out = work / "out"
    seen: dict[str, tuple[float, float]] = {}
    started = time.monotonic()
    with builds.started(command, work / "log.txt", cwd=work) as build:

        def look() -> bool:
            now = time.monotonic() - started
            for stage in builds.in_work(out):
                seen[stage] = (seen.get(stage, (now, now))[0], now)
            return False

        build.when(look)
        seconds = time.monotonic() - started
        if build.wait():
            sys.exit(f"the undisturbed build failed:\n{build.output}")
    names = {}
    for stage in builds.finished(out):
        artefact = json.loads((out / "artefacts" / stage / "artefact.json").read_bytes())
        names[stage] = f"{artefact['kind']} {artefact['name']}"
    spans = {stage: (begin, end - begin) for stage, (begin, end) in seen.items()}
    return Undisturbed(seconds, builds.content(out), spans, names)


def _moments(kills: int, seed: int, first: Undisturbed) -> list[list[Moment]]:
    """For each kill a moment, and further ones should it come too late."""
    rng = random.Random(seed)
    kinds = [kind for kind in builds.KINDS if any(stage.startswith(f"{kind}/") for stage in first.spans)]
    found = []
    for number in range(kills):
        how = ("any", "in", "any", "writing")[number % 4]
        kind = kinds[number // 4 % len(kinds)]
        stages = sorted(stage for stage in first.spans if stage.startswith(f"{kind}/"))
        tries = [Moment(how, rng.random(), rng.choice(stages) if how != "any" else None) for _ in range(_TRIES)]
        found.append(tries)
    return found


def _kill(number: int, moments: list[Moment], command: list[object], work: Path, first: Undisturbed) -> Kill:
    out = work / "out"
    for moment in moments:
        shutil.rmtree(out, ignore_errors=True)
        started = time.monotonic()
        with builds.started(command, work / "log.txt", cwd=work) as build:
            build.when(_condition(moment, out, started, first))
            second = time.monotonic() - started
            build.kill()
        if build.process.returncode < 0:
            break
    else:
        sys.exit(f"kill {number}: the build always ended before its moment")
    before = builds.finished(out)
    running = [
        first.names.get(stage, stage) + (", writing" if writing else "")
        for stage, writing in builds.in_work(out).items()
    ]
    if not running:
        running = ["assembling" if len(before) == len(first.names) else "between stages" if before else "starting"]
    started = time.monotonic()
    with builds.started(command, work / "log.txt", cwd=work) as build:
        exit_code = build.wait(timeout=24 * 3600)
    told = builds.stages_told(build.output)
    again = {stage for stage in before if stage.partition("/")[2][:12] in told}
    return Kill(
        number=number,
        moment=moment.how if moment.stage is None else f"{moment.how} {moment.stage.partition('/')[0]}",
        second=second,
        running=running,
        finished_before=len(before),
        rerun_exit_code=exit_code,
        rerun_seconds=time.monotonic() - started,
        rerun_stages=[first.names.get(stage, stage) for stage in builds.finished(out) if stage not in before],
        made_again=sorted(first.names.get(stage, stage) for stage in {*again, *builds.made_again(before, out)}),
        differences=builds.differences(first.content, builds.content(out)),
    )


def _condition(moment: Moment, out: Path, started: float, first: Undisturbed) -> Callable[[], bool]:
    """What is true from the moment on."""
    if moment.stage is None:
        return lambda: time.monotonic() - started >= moment.share * first.seconds
    stage, begun = moment.stage, [0.0]

    def reached() -> bool:
        state = builds.in_work(out)
        if stage not in state and stage not in builds.finished(out):
            return False
        if moment.how == "writing":
            return state.get(stage, True)
        begun[0] = begun[0] or time.monotonic()
        return time.monotonic() - begun[0] >= moment.share * first.spans[stage][1]

    return reached


def _row(kill: Kill) -> str:
    outcome = "the same" if kill.same else "**differs**: " + ", ".join([*kill.made_again, *kill.differences][:5])
    if kill.rerun_exit_code:
        outcome += f" (exit {kill.rerun_exit_code})"
    return (
        f"| {kill.number} | {kill.moment} | {kill.second:.1f} | {'; '.join(kill.running)} | {kill.finished_before} "
        f"| {len(kill.rerun_stages)} | {kill.rerun_seconds:.1f} | {outcome} |"
    )


def _write(arguments: argparse.Namespace, first: Undisturbed, kills: list[Kill]) -> None:
    command = "python benchmarks/kills.py" + "".join(f" {word}" for word in sys.argv[1:])
    same = sum(kill.same for kill in kills)
    data = {
        "command": command,
        "machine": {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "asked": arguments.kills,
        "same": same,
        "undisturbed": {
            "seconds": first.seconds,
            "stages": [
                {"name": first.names[stage], "begin_seconds": begin, "seconds": seconds}
                for stage, (begin, seconds) in sorted(first.spans.items(), key=lambda item: item[1])
            ],
        },
        "kills": [{**asdict(kill), "same": kill.same} for kill in kills],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "kills.json").write_text(json.dumps(data, indent=1) + "\n")
    lines = [
        "# Builds killed with -9",
        "",
        f"`{command}`: {len(first.names)} stages, {first.seconds:.0f} s undisturbed, {os.cpu_count()} cores. After "
        f"{same} of {len(kills)} kills the same",
        "command ended with the same files, weights, predictions and scores as the undisturbed build, and ran no stage",
        "again that was finished at the kill.",
        "",
        "| kill | moment | second | what ran | stages finished | run afterwards | in s | outcome |",
        "|---:|---|---:|---|---:|---:|---:|---|",
        *map(_row, kills),
    ]
    (RESULTS / "kills.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
