"""`zoo passages fetch`: passages from their public homes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.opening import open_registry
from zoo.cli.options import AsJson, RegistryOption
from zoo.cli.output import console, download_bars, print_json, print_step, print_table
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.registry.passage_entry import PassageEntry
    from zoo.settings import Settings


def fetch(
    names: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Passages to fetch.")] = None,
    fetch_all: Annotated[bool, typer.Option("--all", help="All that have a home to fetch them from.")] = False,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Fetch passages from their public homes into the cache (ZOO_CACHE), and write what was taken to zoo.lock.yaml.

    What the lock names is taken again as it was, and refused where it has changed. Killed, it goes on where it was.
    """
    found, settings = open_registry(registry)
    if bool(names) == fetch_all:
        raise ZooError("name passages, or say --all", where="zoo passages fetch", fix="zoo passages list shows them")
    entries = (
        [entry for entry in found.passages.values() if entry.remote]
        if fetch_all
        else [found.passage(name) for name in dict.fromkeys(names or [])]
    )
    for entry in entries:
        if entry.remote is None:
            home = f"get the files from {entry.homepage}, " if entry.homepage else ""
            raise ZooError(
                f"no home to fetch {entry.id} from is known",
                where=f"passages/{entry.id}.yaml: sources",
                fix=f"{home}put them into ZOO_PASSAGES/{entry.id}/",
            )
    failures: list[ZooError] = []
    rows: list[dict[str, Any]] = []
    for entry in entries:
        try:
            rows.append(_fetch(entry, settings))
        except ZooError as error:
            if len(entries) == 1:
                raise
            failures.append(error)
            rows.append(_row(entry.id, "failed", source=error.what))
    if as_json:
        print_json(rows)
    else:
        shown = ("passages", "status", "records", "parts", "fetched", "source")
        print_table(shown, [["" if row[name] is None else str(row[name]) for name in shown] for row in rows])
    for fix in dict.fromkeys(error.fix for error in failures if error.fix):
        console(stderr=True).print(f"fix: {fix}", markup=False, highlight=False)
    if failures:
        raise typer.Exit(1)


def _fetch(entry: PassageEntry, settings: Settings) -> dict[str, Any]:
    from zoo.corpora.retry import FetchOptions
    from zoo.passages.fetch import fetch_passages
    from zoo.registry.lock import LOCK_FILE, read_lock

    was_locked = read_lock(Path(LOCK_FILE)).of(entry) is not None
    print_step(f"fetches {entry.id}")
    with download_bars() as progress:
        options = FetchOptions.of(settings, progress=progress)
        item = fetch_passages(entry, cache=settings.cache, options=options)
    return _row(
        entry.id,
        "as locked" if was_locked else "locked now",
        records=item.records,
        parts=len(item.parts),
        fetched=item.fetched.isoformat(),
        source=item.source.kind,
    )


def _row(
    passages: str,
    status: str,
    *,
    records: int | None = None,
    parts: int | None = None,
    fetched: str | None = None,
    source: str,
) -> dict[str, Any]:
    return {
        "passages": passages,
        "status": status,
        "records": records,
        "parts": parts,
        "fetched": fetched,
        "source": source,
    }
