"""`zoo ontologies list`: the ontologies of the registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.cli.opening import open_registry
from zoo.cli.options import AsJson, RegistryOption
from zoo.cli.output import print_json, print_table, type_names


def list_(registry: RegistryOption = None, as_json: AsJson = False) -> None:
    """List the ontologies of the registry, and where their files would come from."""
    from zoo.ontologies.sources import availability
    from zoo.registry.lock import LOCK_FILE, read_lock

    found, settings = open_registry(registry)
    locked = read_lock(Path(LOCK_FILE)).ontologies
    rows = []
    for entry in found.ontologies.values():
        folder = found.folders[f"ontologies/{entry.id}"]
        known = entry if entry.concepts is not None else locked.get(entry.id)
        rows.append(
            {
                "id": entry.id,
                "title": entry.title,
                "entity_types": list(entry.types),
                "format": entry.format,
                "version": entry.version,
                "license": entry.license.spdx,
                "publishable": entry.license.publishable,
                "concepts": known.concepts if known else None,
                "names": known.names if known else None,
                "files": availability(entry, folder, settings.ontologies, cache=settings.cache),
            }
        )
    if as_json:
        print_json(rows)
        return
    columns = ["ontology", "types", "version", "concepts", "names", "licence", "publishable", "files"]
    print_table(columns, list(map(_row, rows)))


def _row(row: dict[str, Any]) -> list[str]:
    counts = [f"{row[name]:,}" if row[name] is not None else "" for name in ("concepts", "names")]
    publishable = "yes" if row["publishable"] else "no"
    types = type_names(row["entity_types"], 3)
    return [row["id"], types, row["version"], *counts, row["license"], publishable, row["files"]]
