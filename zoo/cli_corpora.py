"""`zoo corpora ...`: what there is, fetching it, looking at it, adding one's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo import cli_leakage
from zoo.console import console, print_json, print_line, print_table
from zoo.errors import ZooError
from zoo.settings import Settings

if TYPE_CHECKING:
    from zoo.corpora.fetch import Progress
    from zoo.corpora.load import Corpus
    from zoo.corpora.overview import CorpusOverview, TypeOverview
    from zoo.registry.loader import Registry
    from zoo.registry.schema import CorpusEntry

corpora_app = typer.Typer(
    help="List, fetch, show and add corpora.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
RegistryOption = Annotated[
    Path | None,
    typer.Option(
        "--registry", metavar="DIR", help="Your own registry folder, overlaid on the packaged one [ZOO_REGISTRY]."
    ),
]


class Format(str, Enum):
    """How a user's files are written."""

    conll = "conll"
    jsonl = "jsonl"
    brat = "brat"
    pubtator = "pubtator"
    bioc = "bioc"


class Overlaps(str, Enum):
    """What becomes of mentions that share characters."""

    error = "error"
    longest = "longest"
    keep = "keep"


class Unit(str, Enum):
    """What one document of a corpus is."""

    document = "document"
    sentence = "sentence"


@corpora_app.command("list")
def list_corpora(registry: RegistryOption = None, as_json: AsJson = False) -> None:
    """List the corpora of the registry, and where their files would come from."""
    from zoo.corpora.sources import availability
    from zoo.registry.schema import SPLITS

    found, settings = _registry(registry)
    rows = []
    for entry in found.corpora.values():
        where = availability(entry, _folder(found, entry), settings.corpora, cache=settings.cache)
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


@corpora_app.command()
def fetch(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Corpora to fetch.")] = None,
    fetch_all: Annotated[bool, typer.Option("--all", help="Every corpus of the registry.")] = False,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Fetch corpora from their public homes into the cache (ZOO_CACHE), and check their fingerprints."""
    found, settings = _registry(registry)
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


@corpora_app.command()
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

    found, settings = _registry(registry)
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


@corpora_app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Id of the new corpus, for example my-notes.")],
    format_: Annotated[Format, typer.Option("--format", help="How the files are written.")],
    path: Annotated[
        Path,
        typer.Option(
            "--path", metavar="DIR_OR_FILE", help="The data; files named train, dev and test are kept as such."
        ),
    ],
    types: Annotated[
        str, typer.Option("--types", metavar="A,B=Disease", help="Types in the files; B=Disease renames B.")
    ] = "",
    overlaps: Annotated[
        Overlaps, typer.Option("--overlaps", help="Nested, overlapping and discontinuous mentions.")
    ] = Overlaps.error,
    license_: Annotated[str, typer.Option("--license", metavar="SPDX", help="Licence of the data.")] = "NOASSERTION",
    unit: Annotated[Unit | None, typer.Option("--unit", help="What one document is.")] = None,
    dev: Annotated[float, typer.Option("--dev", metavar="SHARE", help="Share of the documents for dev.")] = 0.1,
    test: Annotated[float, typer.Option("--test", metavar="SHARE", help="Share of the documents for test.")] = 0.2,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the draw.")] = 13,
    registry: Annotated[
        Path | None,
        typer.Option("--registry", metavar="DIR", help="Your registry folder [ZOO_REGISTRY; default: registry]."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add your own corpus to your registry folder: checked, split by document, ready for `zoo build`."""
    from zoo.corpora.intake import Request, add_corpus

    settings = Settings.from_env()
    folder = registry or settings.registry or Path("registry")
    added = add_corpus(
        Request(
            name=name,
            path=path,
            format=format_.value,
            types=_types(types),
            registry=folder,
            overlaps=overlaps.value,
            license_spdx=license_,
            unit=unit.value if unit else None,
            dev=dev,
            test=test,
            seed=seed,
            local=settings.corpora,
        )
    )
    entry = added.corpus.entry
    if as_json:
        record = {"path": str(added.path), "new_types": list(added.new_types), "notes": list(added.notes)}
        print_json({**record, "entry": entry.model_dump(mode="json")})
        return
    rows = [
        [s, str(i.documents), str(i.tokens), str(i.mentions), (i.fingerprint or "")[:12]]
        for s, i in entry.splits.items()
    ]
    print_table(["split", f"{entry.unit}s", "tokens", "mentions", "fingerprint"], rows)
    for note in added.notes:
        print_line(note)
    if added.new_types:
        print_line(f"new in the label space of {folder}: {', '.join(added.new_types)}")
    for what, count in added.corpus.repairs.items():
        print_line(f"{what}: {count}")
    print_line(f"written to {added.path}; next: zoo build minilm-l6/{name} --registry {folder}")


cli_leakage.register(corpora_app)


def _registry(overlay: Path | None) -> tuple[Registry, Settings]:
    from zoo.registry.loader import load_registry

    settings = Settings.from_env()
    settings = replace(settings, registry=overlay or settings.registry)
    return load_registry(settings.registry), settings


def _folder(registry: Registry, entry: CorpusEntry) -> Path:
    return registry.folders[f"corpora/{entry.id}"]


def _load(entry: CorpusEntry, registry: Registry, settings: Settings) -> Corpus:
    from zoo.corpora.fetch import FetchOptions
    from zoo.corpora.load import load_corpus

    with _download_bars() as progress:
        return load_corpus(
            entry,
            registry_folder=_folder(registry, entry),
            local=settings.corpora,
            cache=settings.cache,
            options=FetchOptions(offline=settings.offline, progress=progress),
        )


@contextmanager
def _download_bars() -> Iterator[Progress | None]:
    """One bar a file on standard error, where that is a terminal."""
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    tasks: dict[str, TaskID] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bars(*columns, console=screen, transient=True) as bars:

        def step(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done, total=total)

        yield step


def _fetch(entry: CorpusEntry, registry: Registry, settings: Settings, *, skip: bool) -> dict[str, Any]:
    from zoo.corpora.sources import availability

    where = availability(entry, _folder(registry, entry), None, cache=settings.cache)
    if where == "no source" and skip:
        return _fetched(entry.id, "skipped", source="none is known: give it by ZOO_CORPORA")
    corpus = _load(entry, registry, settings)
    splits = corpus.splits.values()
    return _fetched(
        entry.id,
        "verified" if corpus.verified else "no fingerprint registered",
        documents=sum(map(len, splits)),
        mentions=sum(len(document.spans) for documents in splits for document in documents),
        source=corpus.source,
    )


def _fetched(
    corpus: str, status: str, *, documents: int | None = None, mentions: int | None = None, source: str
) -> dict[str, Any]:
    return {"corpus": corpus, "status": status, "documents": documents, "mentions": mentions, "source": source}


def _types(argument: str) -> dict[str, str]:
    """Read `A,B=Disease` as `{"A": "A", "B": "Disease"}`."""
    types: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in argument.split(","))):
        source, equals, target = (part.strip() for part in item.partition("="))
        if not source or (equals and not target):
            raise ZooError(
                f"--types takes A,B=C, not {item!r}", where="--types", fix="for example --types Drug=Chemical"
            )
        if source in types:
            raise ZooError(f"--types names {source} twice", where="--types", fix="name it once")
        types[source] = target or source
    return types


def _write_page(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ZooError(f"cannot write the page: {error.strerror}", where=path, fix="choose another --html") from None


def _row(row: dict[str, Any]) -> list[str]:
    infos = row["splits"].values()
    counts = " / ".join(f"{info['documents']:,}" for info in infos if info["documents"] is not None)
    mentions = sum(info["mentions"] or 0 for info in infos)
    types = row["entity_types"]
    shown = ", ".join(types[:4]) + (f" and {len(types) - 4} more" if len(types) > 4 else "")
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
