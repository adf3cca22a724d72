"""`zoo corpora list`: the corpora of the registry."""

from __future__ import annotations

from typing import Any

from zoo.cli.opening import open_registry
from zoo.cli.options import AsJson, RegistryOption
from zoo.cli.output import print_json, print_table, type_names


def list_(registry: RegistryOption = None, as_json: AsJson = False) -> None:
    """List the corpora of the registry, and where their files would come from."""
    from zoo.corpora.sources import availability
    from zoo.registry.schema import SPLITS

    found, settings = open_registry(registry)
    rows = []
    for entry in found.corpora.values():
        where = availability(entry, found.folders, settings.corpora, cache=settings.cache)
        rows.append(
            {
                "id": entry.id,
                "title": entry.title,
                "entity_types": list(entry.entity_types),
                "unit": entry.unit,
                "overlaps": entry.overlaps,
                "license": entry.license.spdx,
                "publishable": entry.license.publishable,
                "files": where,
                "splits": {split: entry.splits[split].model_dump() for split in SPLITS if split in entry.splits},
            }
        )
    if as_json:
        print_json(rows)
        return
    print_table(
        ["corpus", "types", "unit", "train / dev / test", "mentions", "overlaps", "licence", "files"],
        list(map(_row, rows)),
    )


def _row(row: dict[str, Any]) -> list[str]:
    infos = row["splits"].values()
    counts = " / ".join(f"{info['documents']:,}" for info in infos if info["documents"] is not None)
    mentions = sum(info["mentions"] or 0 for info in infos)
    shown = type_names(row["entity_types"], 4)
    overlaps = "" if row["overlaps"] == "error" else row["overlaps"]
    known = f"{mentions:,}" if mentions else ""
    return [row["id"], shown, row["unit"], counts, known, overlaps, row["license"], row["files"]]
