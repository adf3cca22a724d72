"""`zoo plan`: what a build would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.cli.opening import choose, open_context
from zoo.cli.options import AllOption, AsJson, IdsArgument, OutOption, RegistryOption, SetOption, SuiteOption
from zoo.cli.output import print_json, print_line, print_table

if TYPE_CHECKING:
    from zoo.pipeline.estimate import Estimate
    from zoo.pipeline.plan import Status


def plan(
    ids: IdsArgument = None,
    build_all: AllOption = False,
    suite: SuiteOption = None,
    out: OutOption = None,
    settings_: SetOption = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Say which stages a build would run and why, and about what they take; nothing is written."""
    from zoo.pipeline.estimate import estimate
    from zoo.pipeline.plan import inspect, make_plan, obstacles

    context = open_context(registry, out)
    checkpoints = choose(context.registry, ids or [], build_all, suite, settings_ or [])
    made = make_plan(checkpoints, context)
    statuses = inspect(made, context)
    estimates = estimate(statuses, context)
    missing = obstacles(made, statuses, context)
    if as_json:
        print_json(
            {
                "stages": [_record(status, estimates) for status in statuses],
                "unreadable": {name: str(error) for name, error in made.unreadable.items()},
                "obstacles": missing,
            }
        )
        return
    stopped = {name for names in missing.values() for name in names}
    possible = {s.fingerprint for name, last in made.last.items() if name not in stopped for s in last.inputs_first()}
    statuses = [status for status in statuses if status.stage.fingerprint in possible]
    rows = [
        [
            status.stage.kind,
            status.stage.name,
            status.state,
            status.reason,
            _duration(e.seconds) if (e := estimates.get(status.stage.fingerprint)) else "",
        ]
        for status in statuses
    ]
    if rows:
        print_table(["stage", "of", "state", "why", "about"], rows)
    for what, names in missing.items():
        of = names[0] if len(names) == 1 else f"{len(names)} checkpoints, the first {names[0]}"
        print_line(f"cannot build {of}: {what}", wrap=False)
    todo = [estimates[name] for name in possible if name in estimates]
    if not todo:
        if not missing:
            print_line("everything is done; a build would do nothing")
        return
    rough = "" if all(e.known for e in todo) else " (rough: not every kind of stage has run here before)"
    seconds = _duration(sum(e.seconds for e in todo))
    print_line(
        f"{len(todo)} of {len(statuses)} stages would run: about {seconds} with --jobs 1, "
        f"{sum(e.energy_wh for e in todo):.1f} Wh, {sum(e.disk_bytes for e in todo) / 1e6:,.0f} MB of disk{rough}"
    )


def _record(status: Status, estimates: dict[str, Estimate]) -> dict[str, Any]:
    expected = estimates.get(status.stage.fingerprint)
    return {
        "kind": status.stage.kind,
        "name": status.stage.name,
        "fingerprint": status.stage.fingerprint,
        "state": status.state,
        "reason": status.reason,
        "needs": [need.fingerprint for need in status.stage.needs],
        "estimate": vars(expected) if expected else None,
    }


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
