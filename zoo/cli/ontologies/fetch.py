"""`zoo ontologies fetch`: download ontologies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.opening import open_ontology, open_registry
from zoo.cli.options import AsJson, RegistryOption
from zoo.cli.output import console, print_json, print_table
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.registry.loader import Registry
    from zoo.registry.ontology_entry import OntologyEntry
    from zoo.settings import Settings


def fetch(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Ontologies to fetch.")] = None,
    fetch_all: Annotated[bool, typer.Option("--all", help="Every ontology of the registry that has a home.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Take what is at home now, where files are replaced there; lock that.")
    ] = False,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Fetch ontologies from their public homes into the cache (ZOO_CACHE), and read them.

    Those without a registered fingerprint are written to zoo.lock.yaml, and demanded from then on.
    """
    found, settings = open_registry(registry)
    if bool(names) == fetch_all:
        raise ZooError("name ontologies, or say --all", where="zoo ontologies fetch", fix="zoo ontologies list")
    chosen = [found.ontology(name) for name in dict.fromkeys(names or [])]
    entries = [entry for entry in found.ontologies.values() if entry.sources] if fetch_all else chosen
    settings = replace(settings, ontologies=None)
    failures: list[ZooError] = []
    rows: list[dict[str, Any]] = []
    for entry in entries:
        try:
            if again:
                _forget(entry, settings)
            rows.append(_fetch(entry, found, settings))
        except ZooError as error:
            if len(entries) == 1:
                raise
            failures.append(error)
            empty = dict.fromkeys(("concepts", "names", "version"))
            rows.append({"ontology": entry.id, "status": "failed", **empty, "source": error.what})
    if as_json:
        print_json(rows)
    else:
        columns = ("ontology", "status", "concepts", "names", "version", "source")
        print_table(columns, [[_shown(row[name]) for name in columns] for row in rows])
    for fix in dict.fromkeys(error.fix for error in failures if error.fix):
        console(stderr=True).print(f"fix: {fix}", markup=False, highlight=False)
    if failures:
        raise typer.Exit(1)


def _forget(entry: OntologyEntry, settings: Settings) -> None:
    from zoo.ontologies.sources import forget_downloads
    from zoo.registry.lock import LOCK_FILE, unlock_ontology

    if settings.offline:
        raise ZooError("--again asks the network, and this is offline", fix="unset HF_HUB_OFFLINE and ZOO_OFFLINE")
    forget_downloads(entry, settings.cache)
    unlock_ontology(Path(LOCK_FILE), entry.id)


def _fetch(entry: OntologyEntry, registry: Registry, settings: Settings) -> dict[str, Any]:
    ontology = open_ontology(entry, registry, settings)
    status = "verified" if ontology.verified else "locked" if ontology.locked else "no fingerprint registered"
    return {
        "ontology": entry.id,
        "status": status,
        "concepts": len(ontology.concepts),
        "names": ontology.names,
        "version": ontology.version,
        "source": ontology.source,
    }


def _shown(value: int | str | None) -> str:
    return f"{value:,}" if isinstance(value, int) else value or ""
