"""`zoo build`: make checkpoints."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from zoo.cli.opening import choose, engine_for, open_context
from zoo.cli.options import (
    AddressOption,
    AllOption,
    AsJson,
    FastOption,
    IdsArgument,
    OutOption,
    PrivateOption,
    RegistryOption,
    SetOption,
    SuiteOption,
)
from zoo.cli.output import console, interval, percent, print_json, print_line, print_table
from zoo.cli.plan import plan
from zoo.cli.publications import open_publisher, print_publications, publication_record, refresh_quietly
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.evaluation.result import Result


def build(
    ids: IdsArgument = None,
    build_all: AllOption = False,
    suite: SuiteOption = None,
    out: OutOption = None,
    settings_: SetOption = None,
    fast: FastOption = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Stages side by side on this machine.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Train and score again what is done.")] = False,
    engine: Annotated[
        Literal["local", "ray"], typer.Option("--engine", help="Processes here, or tasks on a cluster.")
    ] = "local",
    address: AddressOption = None,
    push: Annotated[bool, typer.Option("--push", help="Publish what is built on the Hub, and verify it.")] = False,
    private: PrivateOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="The same as zoo plan.")] = False,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Pre-train, search, train, score and document checkpoints; what is done is not done again."""
    if private and not push:
        raise ZooError("--private is about --push", fix="add --push, or leave it out")
    if dry_run:
        plan(ids, build_all, suite, out, settings_, fast, registry, as_json)
        return
    from zoo.pipeline.progress import ConsoleReporter
    from zoo.pipeline.run import run

    context = open_context(registry, out, alone=jobs == 1 and engine == "local")
    checkpoints = choose(context.registry, ids or [], build_all, suite, settings_ or [], fast=fast)
    reporter = ConsoleReporter(console(stderr=as_json))
    with open_publisher(checkpoints, context, private, build_all, reporter) if push else nullcontext() as publisher:
        outcome = run(
            checkpoints,
            context,
            engine_for(engine, jobs, address),
            keep_going=build_all,
            reporter=reporter,
            overwrite=overwrite,
            on_built=publisher.add if publisher else lambda checkpoint: None,
        )
        published = publisher.finish() if publisher else []
    if any(item.verification for item in published):
        refresh_quietly(context.settings.out, context.registry)
    if as_json:
        failed = [{"checkpoint_id": name, "message": f.message} for name, f in outcome.failures.items()]
        built = [result.model_dump(mode="json") for result in outcome.built]
        more = {"published": [publication_record(item) for item in published]} if push else {}
        print_json({"results": built, "unchanged": list(outcome.unchanged), "failures": failed, **more})
    else:
        rows = [_summary_row(result) for result in outcome.built]
        rows += [
            [name, "FAILED: " + failure.message.splitlines()[0], "", "", "", "", "", ""]
            for name, failure in outcome.failures.items()
        ]
        if rows:
            columns = [
                "checkpoint",
                "test F1",
                "95% interval",
                "mean ± sd of seeds",
                "trained",
                "adapter MB",
                "seconds",
            ]
            print_table([*columns, "Wh / g CO2e"], rows)
        for result in outcome.built:
            for note in result.notes:
                print_line(f"{result.checkpoint_id}: {note}")
        if outcome.unchanged:
            print_line(
                f"{len(outcome.unchanged)} of {len(checkpoints)} checkpoints were up to date: nothing to do for them"
            )
        shown = context.settings.out
        print_line(f"written to {shown}; `zoo board --out {shown}` ranks them" if rows else f"see {shown}", wrap=False)
        print_publications(published)
    if code := max([1 if outcome.failures else 0, *(item.exit_code for item in published)]):
        raise typer.Exit(code)


def _summary_row(result: Result) -> list[str]:
    test, seeds = result.scores.test, result.seed_scores
    over = seeds and f"{percent(seeds.test_micro_f1.mean)} ± {percent(seeds.test_micro_f1.std)} of {len(seeds.runs)}"
    return [
        result.checkpoint_id,
        percent(test.micro_f1),
        interval(*test.ci95),
        over or "one seed",
        f"{result.trained_parameters:,} ({100 * result.trained_share:.2f} %)",
        f"{result.adapter_bytes / 1e6:.2f}",
        f"{result.train_seconds:.0f}",
        f"{result.energy.energy_wh:.2f} / {result.energy.emissions_g:.2f}",
    ]
