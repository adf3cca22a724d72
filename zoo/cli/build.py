"""The commands that make checkpoints and rank them: `zoo build`, `zoo board`."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.options import AsJson, OutOption, RegistryOption, SetOption, SuiteOption, open_registry
from zoo.cli.output import console, interval, percent, print_json, print_line, print_table, score_cells
from zoo.cli.publishing import PrivateOption, open_publisher, print_publications, publication_record, refresh_quietly
from zoo.errors import ZooError
from zoo.settings import Settings

if TYPE_CHECKING:
    from zoo.pipeline.context import Context
    from zoo.pipeline.schedule import Engine
    from zoo.registry.loader import Checkpoint, Registry


IdsArgument = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Checkpoints, backbone/corpus.")]
AllOption = Annotated[bool, typer.Option("--all", help="Every checkpoint of --suite, or of all suites.")]


class EngineName(str, Enum):
    """Who runs the stages, as an option."""

    local = "local"
    ray = "ray"


def build(
    ids: IdsArgument = None,
    build_all: AllOption = False,
    suite: SuiteOption = None,
    out: OutOption = None,
    settings_: SetOption = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Stages side by side on this machine.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Train and score again what is done.")] = False,
    engine: Annotated[EngineName, typer.Option("--engine", help="Processes here, or tasks on a cluster.")] = (
        EngineName.local
    ),
    address: Annotated[
        str | None, typer.Option("--address", metavar="HOST:PORT", help="Ray cluster; unset: one on this machine.")
    ] = None,
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
        from zoo.cli.plan import plan

        plan(ids, build_all, suite, out, settings_, registry, as_json)
        return
    from zoo.pipeline.progress import ConsoleReporter
    from zoo.pipeline.run import run

    context = open_context(registry, out, alone=jobs == 1 and engine is EngineName.local)
    checkpoints = choose(context.registry, ids or [], build_all, suite, settings_ or [])
    reporter = ConsoleReporter(console(stderr=as_json))
    with open_publisher(checkpoints, context, private, build_all, reporter) if push else nullcontext() as publisher:
        outcome = run(
            checkpoints,
            context,
            engine_for(engine.value, jobs, address),
            keep_going=build_all,
            reporter=reporter,
            overwrite=overwrite,
            on_built=publisher.add if publisher else lambda checkpoint: None,
        )
        published = publisher.finish() if publisher else []
    if any(item.verification for item in published):
        refresh_quietly(context.settings.out)
    if as_json:
        failed = [{"checkpoint_id": name, "message": f.message} for name, f in outcome.failures.items()]
        built = [result.model_dump(mode="json") for result in outcome.built]
        more = {"published": [publication_record(item) for item in published]} if push else {}
        print_json({"results": built, "unchanged": list(outcome.unchanged), "failures": failed, **more})
    else:
        rows = [_summary_row(result.model_dump()) for result in outcome.built]
        rows += [
            [name, "FAILED: " + failure.message.splitlines()[0], "", "", "", "", ""]
            for name, failure in outcome.failures.items()
        ]
        if rows:
            print_table(
                ["checkpoint", "test F1", "95% interval", "trained", "adapter MB", "seconds", "Wh / g CO2e"], rows
            )
        if outcome.unchanged:
            print_line(
                f"{len(outcome.unchanged)} of {len(checkpoints)} checkpoints were up to date: nothing to do for them"
            )
        shown = context.settings.out
        print_line(f"written to {shown}; `zoo board --out {shown}` ranks them" if rows else f"see {shown}", wrap=False)
        print_publications(published)
    if code := max([1 if outcome.failures else 0, *(item.exit_code for item in published)]):
        raise typer.Exit(code)


def open_context(registry: Path | None, out: Path | None, *, alone: bool = True, tune_workers: int = 1) -> Context:
    """The surroundings of a run, from options and settings."""
    from zoo.pipeline.context import Context

    found, settings = open_registry(registry)
    settings = replace(settings, out=out or settings.out)
    return Context(found, settings, remote=settings.store, alone=alone, tune_workers=tune_workers)


def engine_for(name: str, jobs: int, address: str | None) -> Engine:
    """The engine of a name.

    Raises:
        ZooError: `ray` is not installed, or an address was given to the engine of this machine.
    """
    if name == "ray":
        from zoo.pipeline.ray import RayEngine

        return RayEngine(address)
    if address:
        raise ZooError("--address is for a Ray cluster", fix="add --engine ray")
    from zoo.pipeline.local import LocalEngine

    return LocalEngine(jobs)


def board(
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Output folder [ZOO_OUT; default: builds]. Give it again for builds with other seeds; "
            "the board is written into the first.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rank what was built, corpus by corpus; writes board.json and board.csv."""
    from zoo.board.rows import refresh_board

    folders = list(dict.fromkeys(out or [Settings.load().out]))
    for folder in folders:
        if not (folder / "checkpoints").is_dir():
            raise ZooError(
                "nothing was built here yet", where=folder, fix="run zoo build, or name another folder with --out"
            )
    rows = refresh_board(folders[0], folders[1:])
    if as_json:
        print_json(rows)
        return
    ids = Counter(row["checkpoint_id"] for row in rows)
    splits = Counter(corpus for corpus, _ in {(row["corpus"], row["test_fingerprint"]) for row in rows})
    table = [
        [
            row["corpus"] + (f" (test {row['test_fingerprint'][:8]})" if splits[row["corpus"]] > 1 else ""),
            f"{row['rank']}{'=' if row['rank_shared_by'] > 1 else ''}",
            row["checkpoint_id"] + (f" (recipe {row['recipe'][:8]})" if ids[row["checkpoint_id"]] > 1 else ""),
            *score_cells(
                row["test_micro_f1"],
                row["test_precision"],
                row["test_recall"],
                (row["test_ci95_low"], row["test_ci95_high"]),
            ),
            f"{row['n_seeds']} (± {percent(row['test_micro_f1_std'])})" if row["n_seeds"] > 1 else "1",
            f"{row['adapter_bytes'] / 1e6:.2f}",
        ]
        for row in rows
    ]
    print_table(["corpus", "rank", "checkpoint", "test F1", "95% interval", "P", "R", "seeds", "adapter MB"], table)
    if any(row["rank_shared_by"] > 1 for row in rows):
        print_line("= : not separable at 95 % from the first of that rank")
    if any(row["n_seeds"] > 1 for row in rows):
        print_line("several seeds: means, ± the standard deviation of F1; the interval is over documents")


def choose(
    registry: Registry, ids: list[str], build_all: bool, suite: str | None, assignments: list[str]
) -> list[Checkpoint]:
    """The checkpoints that a command names, with the recipe values of `--set`."""
    from zoo.registry.recipes import parse_settings

    values = parse_settings(assignments)
    if ids and (build_all or suite):
        raise ZooError("give checkpoint ids, or --all with --suite, not both")
    if suite and not build_all:
        raise ZooError("--suite needs --all", fix=f"--all --suite {suite}")
    if not ids and not build_all:
        raise ZooError("nothing to build", fix="name checkpoints (zoo list), or say --all [--suite NAME]")
    return (
        registry.suite_checkpoints(suite, values)
        if build_all
        else [registry.checkpoint(name, values) for name in dict.fromkeys(ids)]
    )


def _summary_row(result: dict[str, Any]) -> list[str]:
    test, energy = result["scores"]["test"], result["energy"]
    return [
        result["checkpoint_id"],
        percent(test["micro_f1"]),
        interval(*test["ci95"]),
        f"{result['trained_parameters']:,} ({100 * result['trained_share']:.2f} %)",
        f"{result['adapter_bytes'] / 1e6:.2f}",
        f"{result['train_seconds']:.0f}",
        f"{energy['energy_wh']:.2f} / {energy['emissions_g']:.2f}",
    ]
