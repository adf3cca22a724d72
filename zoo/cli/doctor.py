"""`zoo doctor`: what stands in the way on this machine."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.options import AsJson, OutOption, RegistryOption
from zoo.cli.output import print_json, print_line, print_table

if TYPE_CHECKING:
    from zoo.doctor.check import Check


def doctor(
    out: OutOption = None,
    registry: RegistryOption = None,
    suite: Annotated[
        str | None,
        typer.Option(
            "--suite", metavar="NAME", help="Whose homes are asked [default: your own suites, or quickstart]."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check machine, libraries, folders, registry, Hub and the homes of a suite; exit code 1 if there is a problem."""
    from zoo.doctor.examine import examine
    from zoo.doctor.project import load_settings

    settings, read = load_settings()
    settings = replace(settings, out=out or settings.out, registry=registry or settings.registry)
    checks = [read, *examine(settings, suite=suite)]
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        _print_checks(checks)
    if any(check.state == "problem" for check in checks):
        raise typer.Exit(1)


def _print_checks(checks: list[Check]) -> None:
    rows = []
    for check in checks:
        rows.append([check.name, check.state, check.finding])
        if check.fix:
            rows.append(["", "", f"fix: {check.fix}" if check.state != "ok" else check.fix])
    print_table(["check", "state", "finding"], rows)
    states = Counter(check.state for check in checks)
    print_line(f"{len(checks)} checks, problems: {states['problem']}, warnings: {states['warning']}")
