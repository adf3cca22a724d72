"""`zoo passages list`: the passages of the registry."""

from __future__ import annotations

from typing import Any

from zoo.cli.opening import open_registry
from zoo.cli.options import AsJson, RegistryOption
from zoo.cli.output import print_json, print_table


def list_(registry: RegistryOption = None, as_json: AsJson = False) -> None:
    """List the passages of the registry, and where their files would come from."""
    from zoo.passages.load import find_passages

    found, settings = open_registry(registry)
    rows = []
    for entry in found.passages.values():
        place = find_passages(entry, found.folders[f"passages/{entry.id}"], settings.passages)
        rows.append(
            {
                "id": entry.id,
                "title": entry.title,
                "format": entry.format,
                "language": entry.language,
                "license": entry.license.spdx,
                "publishable": entry.license.publishable,
                "passages": entry.passages,
                "sample": entry.sample,
                "weight": entry.weight,
                "files": place[0] if place else "to fetch" if entry.remote else "no source",
            }
        )
    if as_json:
        print_json(rows)
    else:
        columns = ["passages", "title", "format", "sample", "weight", "licence", "publishable", "files"]
        print_table(columns, list(map(_row, rows)))


def _row(row: dict[str, Any]) -> list[str]:
    return [
        row["id"],
        row["title"],
        row["format"],
        f"{row['sample']:,}" if row["sample"] else "all",
        f"{row['weight']:g}",
        row["license"],
        "yes" if row["publishable"] else "no",
        row["files"],
    ]
