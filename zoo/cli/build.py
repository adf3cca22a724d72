"""The commands that make checkpoints and rank them: `zoo build`, `zoo board`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.options import AsJson, OutOption, RegistryOption, SetOption, SuiteOption, open_registry
from zoo.cli.output import console, interval, percent, print_json, print_line, print_table, score_cells
from zoo.errors import ZooError
from zoo.settings import Settings

if TYPE_CHECKING:
    from zoo.registry.loader import Checkpoint, Registry


def build(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Checkpoints, backbone/corpus.")] = None,
    build_all: Annotated[bool, typer.Option("--all", help="Every checkpoint of --suite, or of all suites.")] = False,
    suite: SuiteOption = None,
    out: OutOption = None,
    settings_: SetOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be built, and stop.")] = False,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Train, score and document checkpoints."""
    from zoo.registry.recipes import parse_settings

    found, settings = open_registry(registry)
    settings = replace(settings, out=out or settings.out)
    values = parse_settings(settings_ or [])
    checkpoints = _chosen(found, ids or [], build_all, suite, values)
    if dry_run:
        _print_plan(checkpoints, found, settings, as_json)
        return
    from zoo.build.progress import ConsoleReporter
    from zoo.build.run import run

    outcome = run(checkpoints, found, settings, keep_going=build_all, reporter=ConsoleReporter(console(stderr=as_json)))
    if as_json:
        failed = [{"checkpoint_id": f.checkpoint_id, "message": f.message} for f in outcome.failures]
        print_json({"results": [r.model_dump(mode="json") for r in outcome.results], "failures": failed})
    else:
        rows = [_summary_row(result.model_dump()) for result in outcome.results]
        rows += [
            [failure.checkpoint_id, "FAILED: " + failure.message.splitlines()[0], "", "", "", "", ""]
            for failure in outcome.failures
        ]
        print_table(["checkpoint", "test F1", "95% interval", "trained", "adapter MB", "seconds", "Wh / g CO2e"], rows)
        print_line(f"written to {settings.out}; `zoo board --out {settings.out}` ranks them", wrap=False)
    if outcome.failures:
        raise typer.Exit(1)


def board(out: OutOption = None, as_json: AsJson = False) -> None:
    """Rank what was built, corpus by corpus; writes board.json and board.csv."""
    from zoo.build.run import refresh_board

    folder = out or Settings.from_env().out
    if not (folder / "checkpoints").is_dir():
        raise ZooError(
            "nothing was built here yet", where=folder, fix="run zoo build, or name another folder with --out"
        )
    rows = refresh_board(folder)
    if as_json:
        print_json(rows)
        return
    table = [
        [
            row["corpus"],
            str(row["rank"]),
            row["checkpoint_id"],
            *score_cells(
                row["test_micro_f1"],
                row["test_precision"],
                row["test_recall"],
                (row["test_ci95_low"], row["test_ci95_high"]),
            ),
            f"{row['adapter_bytes'] / 1e6:.2f}",
        ]
        for row in rows
    ]
    print_table(["corpus", "rank", "checkpoint", "test F1", "95% interval", "P", "R", "adapter MB"], table)


def _chosen(
    registry: Registry, ids: list[str], build_all: bool, suite: str | None, values: dict[str, Any]
) -> list[Checkpoint]:
    if ids and (build_all or suite):
        raise ZooError("give checkpoint ids, or --all with --suite, not both")
    if suite and not build_all:
        raise ZooError("--suite needs --all", fix=f"zoo build --all --suite {suite}")
    if not ids and not build_all:
        raise ZooError("nothing to build", fix="name checkpoints (zoo list), or say --all [--suite NAME]")
    return (
        registry.suite_checkpoints(suite, values)
        if build_all
        else [registry.checkpoint(name, values) for name in dict.fromkeys(ids)]
    )


def _print_plan(checkpoints: list[Checkpoint], registry: Registry, settings: Settings, as_json: bool) -> None:
    from zoo.build.layout import Layout

    layout = Layout(settings.out)
    rows: list[dict[str, Any]] = []
    for checkpoint in checkpoints:
        folder = layout.checkpoint(checkpoint.backbone.id, checkpoint.corpus.id)
        base = layout.base(checkpoint.backbone.id)
        rows.append(
            {
                "checkpoint_id": checkpoint.id,
                "folder": str(folder),
                "replaces_existing": folder.exists(),
                "base_exists": base.exists(),
                "epochs": checkpoint.recipe.finetune.epochs,
                "entity_types": list(checkpoint.corpus.entity_types),
            }
        )
    if as_json:
        print_json(rows)
        return
    print_table(
        ["checkpoint", "folder", "base", "epochs"],
        [
            [
                r["checkpoint_id"],
                r["folder"] + (" (replaced)" if r["replaces_existing"] else ""),
                "exists" if r["base_exists"] else "to build",
                str(r["epochs"]),
            ]
            for r in rows
        ],
    )
    print_line(f"{len(rows)} checkpoints would be built; nothing was written")


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
