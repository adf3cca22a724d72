"""`zoo corpora fetch`: download corpora."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.opening import open_corpus, open_registry
from zoo.cli.options import AsJson, RegistryOption
from zoo.cli.output import console, print_json, print_table
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.registry.loader import Registry
    from zoo.registry.schema import CorpusEntry
    from zoo.settings import Settings


def fetch(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Corpora to fetch.")] = None,
    fetch_all: Annotated[bool, typer.Option("--all", help="Every corpus of the registry.")] = False,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Fetch corpora from their public homes into the cache (ZOO_CACHE), and check their fingerprints.

    Those of corpora without registered ones are written to zoo.lock.yaml, and demanded from then on.
    """
    found, settings = open_registry(registry)
    if bool(names) == fetch_all:
        raise ZooError("name corpora, or say --all", where="zoo corpora fetch", fix="zoo corpora list shows them")
    entries = list(found.corpora.values()) if fetch_all else [found.corpus(name) for name in dict.fromkeys(names or [])]
    settings = replace(settings, corpora=None)
    failures: list[ZooError] = []
    rows: list[dict[str, Any]] = []
    for entry in entries:
        try:
            rows.append(_fetch(entry, found, settings, skip=fetch_all))
        except ZooError as error:
            if len(entries) == 1:
                raise
            failures.append(error)
            rows.append(_fetched(entry.id, "failed", source=error.what))
    if as_json:
        print_json(rows)
    else:
        shown = ("corpus", "status", "documents", "mentions", "source")
        print_table(shown, [["" if row[name] is None else str(row[name]) for name in shown] for row in rows])
    for fix in dict.fromkeys(error.fix for error in failures if error.fix):
        console(stderr=True).print(f"fix: {fix}", markup=False, highlight=False)
    if failures:
        raise typer.Exit(1)


def _fetch(entry: CorpusEntry, registry: Registry, settings: Settings, *, skip: bool) -> dict[str, Any]:
    from zoo.corpora.document import count_mentions
    from zoo.corpora.sources import availability

    where = availability(entry, registry.folders, None, cache=settings.cache)
    if where == "no source" and skip:
        return _fetched(entry.id, "skipped", source="none is known: give it by ZOO_CORPORA")
    corpus = open_corpus(entry, registry, settings)
    return _fetched(
        entry.id,
        "verified" if corpus.verified else "locked" if corpus.locked else "no fingerprint registered",
        documents=sum(map(len, corpus.splits.values())),
        mentions=sum(map(count_mentions, corpus.splits.values())),
        source=corpus.source,
    )


def _fetched(
    corpus: str, status: str, *, documents: int | None = None, mentions: int | None = None, source: str
) -> dict[str, Any]:
    return {"corpus": corpus, "status": status, "documents": documents, "mentions": mentions, "source": source}
