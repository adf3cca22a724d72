"""The headline command rehearsed: `zoo build --all --suite openmed --push`, killed twice, and all that comes after it.

    python benchmarks/rehearsal.py [--suite openmed [--backbones ...] [--corpora ...]] [--set PATH=VALUE ...]

A Hub on loopback has tiny models in the file layouts of the real backbones; the homes of corpora and passages speak the
real protocols, slowly, brokenly and throttled at first; contents are small, addresses and entries are the registry's.
The build is killed with -9 at a third and at two thirds of its stages and started again; then comes the same command
once more, which must commit nothing, `zoo space push`, a stranger's `pipeline()` from an empty cache on each adapter,
and `zoo verify --all`. Every request and byte at each home is counted.

`--folder` keeps the project. Writes `benchmarks/results/rehearsal.{json,md}`; exit code 1: something was not as it
should be.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.builds import KINDS, finished
from tests.rehearsal import World, troubled, world
from zoo.registry.recipes import parse_settings

RESULTS = Path(__file__).parent / "results"
FAST = ("dapt.epochs=1", "dapt.batch_size=16", "tune.trials=3", "finetune.epochs=4", "evaluation.bootstrap_samples=500")
"""What is less than in the recipe: tiny models learn nothing that would need it."""
TEXTS = ("We studied kalo in detail .", "No effect on mirusa was seen after two days .")


def main() -> None:
    """Rehearse, count, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", default="openmed")
    parser.add_argument("--backbones", nargs="*", default=[], help="of the suite; none: all")
    parser.add_argument("--corpora", nargs="*", default=[], help="of the suite; none: all")
    parser.add_argument(
        "--set", nargs="*", default=list(FAST), metavar="PATH=VALUE", help="in the recipes of the world"
    )
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--quick", action="store_true", help="without `zoo verify --all`: a push has verified already")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch)
        recipe = parse_settings(arguments.set)
        with world(folder, arguments.suite, arguments.backbones, arguments.corpora, recipe) as place:
            data = {"settings": arguments.set, **rehearse(place, arguments.suite, quick=arguments.quick)}
    data["command"] = shlex.join(["python", "benchmarks/rehearsal.py", "--suite", arguments.suite])
    (arguments.results / "rehearsal.json").write_text(json.dumps(data, indent=1) + "\n")
    (arguments.results / "rehearsal.md").write_text(_table(data))
    sys.stdout.write(_table(data))
    sys.exit(1 if data["problems"] else 0)


def rehearse(place: World, suite: str, *, quick: bool = False) -> dict[str, Any]:
    """All steps, in the order in which a user takes them."""
    build = ["build", "--all", "--suite", suite, "--push"]
    troubled(place)
    seconds, problems = {}, []
    planned = json.loads(_step(place, seconds, "plan", "plan", "--all", "--suite", suite, "--json"))
    stages = Counter(stage["kind"] for stage in planned["stages"])
    total = sum(stages.values())
    kept: dict[str, tuple[int, int]] = {}
    for number in (1, 2):
        started = time.monotonic()
        with place.command(*build, log=f"killed-{number}.log") as running:
            reached = running.when(lambda: len(finished(place.out)) >= total * number / 3)  # noqa: B023 - called here
            running.kill()
        seconds[f"build, killed {number}"] = time.monotonic() - started
        if not reached:
            said = running.output[-2000:]
            problems.append(f"the build ended before it could be killed a {number}. time, and said:\n{said}")
        kept = finished(place.out)
    outcome = json.loads(_step(place, seconds, "build, to its end", *build, "--json", may_fail=True))
    again = finished(place.out)
    problems += [f"{name} was made again after a kill" for name in kept if again.get(name) != kept[name]]
    problems += [f"{item['checkpoint_id']}: {item['message']}" for item in outcome["failures"]]
    published = outcome["published"]
    before, requests = len(place.hub.asked("^POST .*/commit/")), len(place.hub.requests)
    second = json.loads(_step(place, seconds, "the same again", *build, "--json", may_fail=True))
    if commits := len(place.hub.asked("^POST .*/commit/")) - before:
        problems.append(f"the second run made {commits} commits")
    problems += [
        f"{item['repo_id']}: {item['status']} again"
        for item in second["published"]
        if item["status"] != "unchanged" and item["verified"]
    ]
    _step(place, seconds, "space push", "space", "push", "--out", place.out)
    adapters = sorted(i["repo_id"] for i in published if i["verified"] and "/" in i["subject"])
    begun = time.monotonic()
    found = place.stranger(adapters, TEXTS)
    seconds["a stranger's pipeline"] = time.monotonic() - begun
    checked = [] if quick else json.loads(_step(place, seconds, "verify", "verify", "--all", "--json", may_fail=True))
    problems += [f"{item['repo_id']}: {item['problems']}" for item in checked if not item["passed"]]
    return {
        "suite": suite,
        "stages": dict(stages),
        "made": dict(Counter(name.split("/")[0] for name in again)),
        "seconds": seconds,
        "published": [
            {name: item[name] for name in ("subject", "repo_id", "status", "verified")} for item in published
        ],
        "refused": {i["repo_id"]: i["message"] for i in published if i["status"] == "refused"},
        "verified": sum(item["passed"] for item in checked),
        "stranger": {"models": len(found), "entities": sum(map(sum, found.values()))},
        "requests_per_repository": requests / max(1, sum(item["verified"] for item in published)),
        "traffic": place.traffic(),
        "commits": len(place.hub.asked("^POST .*/commit/")),
        "spaces": [name for name in place.hub.repos if name.startswith("spaces/")],
        "problems": problems,
    }


def _step(place: World, seconds: dict[str, float], name: str, *words: object, may_fail: bool = False) -> str:
    """Run a command to its end; what it printed on standard output alone is JSON or unused."""
    begun = time.monotonic()
    done = place.run(*words)
    seconds[name] = time.monotonic() - begun
    if done.returncode > (1 if may_fail else 0):
        sys.exit(
            f"zoo {shlex.join(map(str, words))}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        )
    return done.stdout


def _table(data: dict[str, Any]) -> str:
    good = [item for item in data["published"] if item["verified"]]
    lines = [
        f"# `zoo build --all --suite {data['suite']} --push`, rehearsed on loopback",
        "",
        f"`{data['command']}`, recipes with {', '.join(data['settings'])}: tiny models in the layouts of the real",
        "ones, small corpora and passages at homes with the real protocols; the build was killed twice with -9.",
        "",
        "| stage | planned | made |",
        "|---|---|---|",
        *(f"| {kind} | {data['stages'].get(kind, 0)} | {data['made'].get(kind, 0)} |" for kind in KINDS),
        "",
        "| step | seconds |",
        "|---|---|",
        *(f"| {name} | {seconds:,.0f} |" for name, seconds in data["seconds"].items()),
        "",
        "| home | requests | bytes sent | bytes received |",
        "|---|---|---|---|",
        *(
            f"| {name} | {each['requests']:,} | {each['sent_bytes']:,} | {each.get('received_bytes', 0):,} |"
            for name, each in data["traffic"].items()
        ),
        "",
        f"{len(good)} repositories pushed and verified, {data['verified']} verified again by `zoo verify --all`;",
        f"{data['commits']} commits in all, none by the second run; Spaces: {', '.join(data['spaces']) or 'none'}.",
        f"A stranger's `pipeline()` loaded {data['stranger']['models']} adapters and found "
        f"{data['stranger']['entities']} entities.",
        "",
        f"Refused: {len(data['refused'])}" + (":" if data["refused"] else "."),
        "",
        *(f"- {name}: {why.splitlines()[0]}" for name, why in data["refused"].items()),
        "",
        *(
            ["Problems:", "", *(f"- {problem}" for problem in data["problems"])]
            if data["problems"]
            else ["No problems."]
        ),
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
