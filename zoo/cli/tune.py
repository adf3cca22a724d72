"""`zoo tune`: search a checkpoint's hyper-parameters."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import typer

from zoo.cli.opening import choose, engine_for, open_context
from zoo.cli.options import AsJson, OutOption, RegistryOption, SetOption
from zoo.cli.output import console, percent, print_json, print_line, print_table
from zoo.errors import ZooError


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
    from zoo.pipeline.fetching import with_fetching
    from zoo.pipeline.progress import ConsoleReporter
    from zoo.pipeline.schedule import Schedule
    from zoo.pipeline.stages.tune import KIND

    context = open_context(registry, out, tune_workers=workers)
    given = [*(settings_ or []), *([f"tune.trials={trials}"] if trials else [])]
    given += [f"tune.minutes={minutes}"] if minutes else []
    (checkpoint,) = choose(context.registry, [checkpoint_id], False, None, given)
    if not checkpoint.recipe.tune.trials:
        raise ZooError("the recipe says no search", where="tune.trials", fix="say how many with --trials")
    reporter = ConsoleReporter(console(stderr=as_json))
    with reporter:
        stage = KIND.plan(checkpoint, with_fetching(context, reporter))
    context.layout.check_writable()
    missing = [each for each in stage.inputs_first() if not context.store.has(each.kind, each.fingerprint)]
    schedule = Schedule(missing)
    with reporter, context.store.in_use():
        reporter.begin(len(missing))
        engine_for("local", 1, None).run(schedule, context, reporter)
    for failure in schedule.failures.values():
        raise ZooError(failure.message)
    folder = context.store.get(stage.kind, stage.fingerprint)
    summary = KIND.read(folder)
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
    for each in summary.confirmed:
        runs = f"dev F1 {percent(each.mean)} ± {percent(each.std)} over {len(each.seeds)} seeds"
        print_line(f"trial {each.trial}: {runs}{' (taken)' if each is summary.confirmed[0] else ''}")
    print_line(f"plots and journal: {folder}", wrap=False)
    command = ["zoo", "build", checkpoint_id, *(word for item in given for word in ("--set", item))]
    command += ["--registry", str(registry)] if registry else []
    command += ["--out", str(out)] if out else []
    print_line(f"build with the best: {shlex.join(command)}", wrap=False)


def _short(value: Any) -> str:  # noqa: ANN401 - any value of a recipe
    return f"{value:.3g}" if isinstance(value, float) else str(value)
