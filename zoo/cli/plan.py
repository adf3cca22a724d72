"""The commands around a build: `zoo plan` says what it would do, `zoo tune` searches, `zoo gc` cleans up after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.build import AllOption, IdsArgument, choose, engine_for, open_context
from zoo.cli.options import AsJson, OutOption, RegistryOption, SetOption, SuiteOption
from zoo.cli.output import console, percent, print_json, print_line, print_table
from zoo.errors import ZooError

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
    from zoo.pipeline.plan import inspect, make_plan

    context = open_context(registry, out)
    checkpoints = choose(context.registry, ids or [], build_all, suite, settings_ or [])
    made = make_plan(checkpoints, context)
    statuses = inspect(made, context)
    estimates = estimate(made, statuses, context)
    if as_json:
        print_json(
            {
                "stages": [_record(status, estimates) for status in statuses],
                "unreadable": {name: str(error) for name, error in made.unreadable.items()},
            }
        )
        return
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
    rows += [["", name, "cannot", error.what, ""] for name, error in made.unreadable.items()]
    print_table(["stage", "of", "state", "why", "about"], rows)
    todo = list(estimates.values())
    if not todo:
        print_line("everything is done; a build would do nothing")
        return
    rough = "" if all(e.known for e in todo) else " (rough: not every kind of stage has run here before)"
    seconds = _duration(sum(e.seconds for e in todo))
    print_line(
        f"{len(todo)} of {len(statuses)} stages would run: about {seconds} with --jobs 1, "
        f"{sum(e.energy_wh for e in todo):.1f} Wh, {sum(e.disk_bytes for e in todo) / 1e6:,.0f} MB of disk{rough}"
    )


def tune(
    checkpoint_id: Annotated[str, typer.Argument(metavar="ID", help="Checkpoint, backbone/corpus.")],
    trials: Annotated[int | None, typer.Option("--trials", min=1, help="Trials in all.")] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", min=0.1, help="No trial starts after this.")] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes that share the study.")] = 1,
    out: OutOption = None,
    settings_: SetOption = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Search a checkpoint's hyper-parameters for the best dev F1; killed, it goes on where it was."""
    from zoo.pipeline.plan import chain, make_plan
    from zoo.pipeline.progress import ConsoleReporter
    from zoo.pipeline.schedule import Schedule
    from zoo.pipeline.stages import read_record
    from zoo.training.tune import StudySummary

    context = open_context(registry, out, tune_workers=workers)
    given = [*(settings_ or []), *([f"tune.trials={trials}"] if trials else [])]
    given += [f"tune.minutes={minutes}"] if minutes else []
    (checkpoint,) = choose(context.registry, [checkpoint_id], False, None, given)
    if not checkpoint.recipe.tune.trials:
        raise ZooError("the recipe says no search", where="tune.trials", fix="say how many with --trials")
    made = make_plan([checkpoint], context)
    for error in made.unreadable.values():
        raise error
    context.layout.check_writable()
    stages = chain(made.last[checkpoint.id])
    wanted = [stages[kind] for kind in ("dapt", "base", "tune") if kind in stages]
    missing = [stage for stage in wanted if not context.store.has(stage.kind, stage.fingerprint)]
    reporter, schedule = ConsoleReporter(console(stderr=as_json)), Schedule(missing)
    with reporter, context.store.in_use():
        reporter.begin(len(missing))
        engine_for("local", 1, None).run(schedule, context, reporter)
    for failure in schedule.failures.values():
        raise ZooError(failure.message)
    folder = context.store.get("tune", stages["tune"].fingerprint)
    summary = read_record(folder, StudySummary)
    if as_json:
        print_json(summary.model_dump(mode="json"))
        return
    print_table(
        ["trial", "state", "dev F1", "epochs", "seconds", "values"],
        [
            [
                f"{t.number}{' *' if t.number == summary.best_trial else ''}",
                t.state,
                percent(t.dev_micro_f1) if t.dev_micro_f1 is not None else "",
                str(t.epochs),
                f"{t.seconds:.0f}",
                ", ".join(f"{path.split('.')[-1]}={_short(value)}" for path, value in t.values.items()),
            ]
            for t in summary.trials
        ],
    )
    print_line(f"plots and journal: {folder}", wrap=False)
    print_line(
        f"build with the best: zoo build {checkpoint_id} " + " ".join(f"--set {item}" for item in given), wrap=False
    )


def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and stop.")] = False,
    out: OutOption = None,
    as_json: AsJson = False,
) -> None:
    """Remove artefacts that no checkpoint refers to, and what killed builds left."""
    from zoo.pipeline.collect import find_garbage, remove

    context = open_context(None, out)
    garbage = find_garbage(context)
    if not dry_run:
        for item in garbage:
            remove(item, context)
    if as_json:
        print_json([{"path": str(g.path), "what": g.what, "size_bytes": g.size_bytes} for g in garbage])
        return
    if garbage:
        print_table(["what", "MB", "folder"], [[g.what, f"{g.size_bytes / 1e6:.1f}", g.path.name] for g in garbage])
    verb = "would be removed" if dry_run else "removed"
    print_line(f"{len(garbage)} folders {verb}, {sum(g.size_bytes for g in garbage) / 1e6:,.1f} MB")


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


def _short(value: Any) -> str:  # noqa: ANN401 - any value of a recipe
    return f"{value:.3g}" if isinstance(value, float) else str(value)
