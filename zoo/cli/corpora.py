"""`zoo corpora list`, `fetch` and `show`: what there is, getting it, looking at it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.options import AsJson, RegistryOption, open_corpus, open_registry
from zoo.cli.output import console, download_bars, print_json, print_line, print_table, type_names
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.corpora.load import Corpus
    from zoo.corpora.overview import CorpusOverview, TypeOverview
    from zoo.registry.loader import Registry
    from zoo.registry.schema import CorpusEntry
    from zoo.settings import Settings


def list_corpora(registry: RegistryOption = None, as_json: AsJson = False) -> None:
    """List the corpora of the registry, and where their files would come from."""
    from zoo.corpora.sources import availability
    from zoo.registry.schema import SPLITS

    found, settings = open_registry(registry)
    rows = []
    for entry in found.corpora.values():
        where = availability(entry, found.folders[f"corpora/{entry.id}"], settings.corpora, cache=settings.cache)
        rows.append(
            {
                "id": entry.id,
                "title": entry.title,
                "entity_types": list(entry.entity_types),
                "unit": entry.unit,
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
        ["corpus", "types", "unit", "train / dev / test", "mentions", "licence", "files"], list(map(_row, rows))
    )


def fetch(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Corpora to fetch.")] = None,
    fetch_all: Annotated[bool, typer.Option("--all", help="Every corpus of the registry.")] = False,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Fetch corpora from their public homes into the cache (ZOO_CACHE), and check their fingerprints."""
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


def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A corpus.")],
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with plots: one file, offline.")
    ] = None,
    quote: Annotated[
        bool, typer.Option("--quote", help="Quote text in the page though the licence does not clearly allow sharing.")
    ] = False,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Show a corpus: counts, types, licence, lengths and frequencies of mentions, examples in context."""
    from zoo.corpora.overview import overview

    found, settings = open_registry(registry)
    view = overview(_load(found.corpus(name), found, settings))
    if html is not None:
        from zoo.corpora.overview_page import render_page

        _write_page(html, render_page(view, quote=quote or view.publishable))
    if as_json:
        print_json(view.model_dump(mode="json"))
    elif html is not None:
        print_line(f"written to {html}")
    else:
        _print_overview(view)


def _load(entry: CorpusEntry, registry: Registry, settings: Settings) -> Corpus:
    from zoo.corpora.download import FetchOptions

    with download_bars() as progress:
        return open_corpus(entry, registry, settings, FetchOptions(offline=settings.offline, progress=progress))


def _fetch(entry: CorpusEntry, registry: Registry, settings: Settings, *, skip: bool) -> dict[str, Any]:
    from zoo.corpora.document import count_mentions
    from zoo.corpora.sources import availability

    where = availability(entry, registry.folders[f"corpora/{entry.id}"], None, cache=settings.cache)
    if where == "no source" and skip:
        return _fetched(entry.id, "skipped", source="none is known: give it by ZOO_CORPORA")
    corpus = _load(entry, registry, settings)
    return _fetched(
        entry.id,
        "verified" if corpus.verified else "no fingerprint registered",
        documents=sum(map(len, corpus.splits.values())),
        mentions=sum(map(count_mentions, corpus.splits.values())),
        source=corpus.source,
    )


def _fetched(
    corpus: str, status: str, *, documents: int | None = None, mentions: int | None = None, source: str
) -> dict[str, Any]:
    return {"corpus": corpus, "status": status, "documents": documents, "mentions": mentions, "source": source}


def _write_page(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ZooError(f"cannot write the page: {error.strerror}", where=path, fix="choose another --html") from None


def _row(row: dict[str, Any]) -> list[str]:
    infos = row["splits"].values()
    counts = " / ".join(f"{info['documents']:,}" for info in infos if info["documents"] is not None)
    mentions = sum(info["mentions"] or 0 for info in infos)
    shown = type_names(row["entity_types"], 4)
    return [row["id"], shown, row["unit"], counts, f"{mentions:,}" if mentions else "", row["license"], row["files"]]


def _print_overview(view: CorpusOverview) -> None:
    print_line(f"{view.title}: {view.description}")
    print_line(f"licence: {view.license} ({view.license_source}); source: {view.source}")
    for text in (view.citation, view.homepage, view.note, *(f"{what}: {n}" for what, n in view.repairs.items())):
        if text:
            print_line(text)
    print_line("fingerprints as registered" if view.verified else "no fingerprint is registered for every split")
    print_line()
    columns = ["split", f"{view.unit}s", "without mentions", "tokens", "mentions", "seen in train", "fingerprint"]
    rows = [
        [
            split,
            f"{item.documents:,}",
            f"{item.documents_without_mentions:,}",
            f"{item.tokens:,}",
            f"{item.mentions:,}",
            f"{100 * item.seen_in_train / item.mentions:.1f} %"
            if item.seen_in_train is not None and item.mentions
            else "",
            item.fingerprint[:12],
        ]
        for split, item in view.splits.items()
    ]
    print_table(columns, rows)
    for name, kind in view.types.items():
        print_line()
        _print_type(name, kind, view)


def _print_type(name: str, kind: TypeOverview, view: CorpusOverview) -> None:
    per_split = ", ".join(f"{split} {item.mentions_per_type[name]:,}" for split, item in view.splits.items())
    print_line(f"{name}: {kind.mentions:,} mentions ({per_split}), {kind.forms:,} distinct texts")
    print_line("  words: " + ", ".join(f"{length}: {count:,}" for length, count in kind.length_words.items()))
    print_line(
        "  texts by occurrences: " + ", ".join(f"{often}: {count:,}" for often, count in kind.frequencies.items())
    )
    print_line("  frequent: " + ", ".join(f"{text} ({count})" for text, count in kind.frequent))
    for example in kind.examples:
        text = f"{example.before}[{example.mention}]{example.after}"
        print_line(f"  {example.document_id}: {' '.join(text.split())}")
