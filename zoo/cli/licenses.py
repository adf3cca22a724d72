"""`zoo licenses`: what may be published."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from zoo.cli.opening import open_registry
from zoo.cli.options import AsJson, RegistryOption, SetOption, SuiteOption
from zoo.cli.output import print_json, print_line, print_table
from zoo.errors import ZooError


def licenses(
    checkpoint_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="A checkpoint, backbone/corpus; none: all of --suite.")
    ] = None,
    suite: SuiteOption = None,
    settings_: SetOption = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Say what the licences of backbone, corpus and passages allow: publicly, privately only, or not at all."""
    if checkpoint_id and suite:
        raise ZooError("give a checkpoint id or --suite, not both")
    if markdown and (as_json or not suite):
        raise ZooError("--markdown prints the table of a suite", fix="zoo licenses --suite openmed --markdown")
    from zoo.cards.license_table import license_page, license_rows
    from zoo.cards.licenses import WORDS
    from zoo.registry.recipes import parse_settings

    found = open_registry(registry)[0]
    values = parse_settings(settings_ or [])
    checkpoints = [found.checkpoint(checkpoint_id, values)] if checkpoint_id else found.suite_checkpoints(suite, values)
    if markdown:
        sys.stdout.write(license_page(suite or "", checkpoints, found))
        return
    rows = license_rows(checkpoints, found)
    if as_json:
        print_json(rows[0] if checkpoint_id else rows)
    elif checkpoint_id:
        _print_verdict(rows[0])
    else:
        columns = ["checkpoint", "backbone", "corpus", "passages", "may be published", "licence"]
        print_table(columns, [_row(row) for row in rows])
        print_line(f"{len(rows)} checkpoints, {sum(row['publishable'] == 'public' for row in rows)} {WORDS['public']}")


def _row(row: dict[str, Any]) -> list[str]:
    from zoo.cards.licenses import WORDS

    passages = ", ".join(row["passages_licenses"].values())
    license_ = row["license"] if row["publishable"] == "public" else ""
    return [
        row["id"],
        row["backbone_license"],
        row["corpus_license"],
        passages,
        WORDS[row["publishable"]],
        license_,
    ]


def _print_verdict(row: dict[str, Any]) -> None:
    from zoo.cards.licenses import WORDS

    under = f", under {row['license']}" if row["publishable"] == "public" else ""
    print_line(f"{row['id']}: may be published {WORDS[row['publishable']]}{under}", wrap=False)
    for heading, key in (
        ("why not publicly", "reasons"),
        ("notes", "notes"),
        ("name", "attribution"),
        ("vocabulary", "vocabularies"),
    ):
        for line in row[key]:
            print_line(f"  {heading}: {line}", wrap=False)
    if row["publishable"] == "private":
        print_line("  zoo push --private takes it", wrap=False)
