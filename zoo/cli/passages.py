"""`zoo passages list`, `show` and `check`: raw text for pre-training, and what would be trained on."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.leakage import load_corpora
from zoo.cli.options import AsJson, RegistryOption, open_registry
from zoo.cli.output import print_json, print_line, print_step, print_table

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.passages.mixture import PassageCounts
    from zoo.registry.loader import Registry
    from zoo.registry.schema import PassageEntry
    from zoo.settings import Settings

_EXAMPLES = 3
_EXCERPT_CHARACTERS = 240
_COLUMNS = {
    "read": "read",
    "cut_pieces": "more by cutting",
    "too_short": "too short",
    "not_sampled": "not sampled",
    "test_overlap": "test text",
    "exact_duplicates": "exact duplicates",
    "near_duplicates": "near duplicates",
    "kept_train": "train",
    "kept_heldout": "held out",
    "kept_words": "words kept",
}


def list_passages(registry: RegistryOption = None, as_json: AsJson = False) -> None:
    """List the passages of the registry, and where their files would come from."""
    found, settings = open_registry(registry)
    rows = []
    for entry in found.passages.values():
        place = _find(entry, found, settings)
        rows.append(
            {
                "id": entry.id,
                "title": entry.title,
                "format": entry.format,
                "license": entry.license.spdx,
                "publishable": entry.license.publishable,
                "passages": entry.passages,
                "sample": entry.sample,
                "weight": entry.weight,
                "files": place[0] if place else "no source",
            }
        )
    if as_json:
        print_json(rows)
    else:
        columns = ["passages", "title", "format", "sample", "weight", "licence", "publishable", "files"]
        print_table(columns, list(map(_row, rows)))


def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="Passages of the registry.")],
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Show passages: licence, how they are read and drawn, where their files are, and the first of them."""
    from zoo.passages.passage import SUFFIXES, load_passages, passage_files

    found, settings = open_registry(registry)
    entry = found.passage(name)
    data: dict[str, Any] = {**entry.model_dump(mode="json"), "files": "no source", "file_count": 0, "size_bytes": 0}
    data["examples"] = []
    if place := _find(entry, found, settings):
        files = list(passage_files(place[1], entry.format))
        data |= {"files": place[0], "file_count": len(files), "size_bytes": sum(file.stat().st_size for file in files)}
        stream = load_passages(entry, registry_folder=_folder(entry, found), local=settings.passages)
        data["examples"] = [
            {"id": passage.id, "source": passage.source, "text": passage.text[:_EXCERPT_CHARACTERS]}
            for passage in islice(stream, _EXAMPLES)
        ]
    if as_json:
        print_json(data)
        return
    print_line(f"{entry.title} ({entry.format})")
    print_line(f"licence: {entry.license.spdx} ({entry.license.source})")
    print_line(f"models trained on them may {'' if entry.license.publishable else 'not '}be published")
    for text in (entry.license.note, entry.note, entry.homepage):
        if text:
            print_line(text)
    sample = f"a sample of {entry.sample:,}" if entry.sample else "all"
    print_line(f"drawn: {sample}, weight {entry.weight:g}")
    if not place:
        target = f"{settings.passages or '$ZOO_PASSAGES'}/{entry.id}/"
        print_line(f"files: none on this machine; put them into {target}, as *{SUFFIXES[entry.format][0]}[.gz]")
        return
    print_line(f"files: {data['files']}, {data['file_count']:,}, {data['size_bytes'] / 1e6:,.1f} MB")
    for example in data["examples"]:
        print_line(f"\n{example['id']}: {' '.join(example['text'].split())}")


def check(
    names: Annotated[list[str], typer.Argument(metavar="ID...", help="Passages of the registry, as a mixture.")],
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Count what pre-training would keep: after length, duplicates, and the test text of corpora that are here."""
    from zoo.passages.mixture import mixture_license, passages_fingerprint, prepare_passages

    found, settings = open_registry(registry)
    entries = [found.passage(name) for name in names]
    fingerprint = passages_fingerprint(entries, folders=found.folders, local=settings.passages)
    left_out: dict[str, str] = {}
    print_step("reads test sets")
    corpora = load_corpora(found, settings, [], left_out)
    print_step("reads passages")
    counts = prepare_passages(entries, corpora, folders=found.folders, local=settings.passages, seed=0).counts
    licenses, publishable, reasons = mixture_license(entries)
    if as_json:
        print_json(
            {
                "fingerprint": fingerprint,
                "counts": counts.model_dump(mode="json"),
                "licenses": list(licenses),
                "publishable": publishable,
                "reasons": list(reasons),
                "test_sets": [corpus.entry.id for corpus in corpora],
                "not_checked": left_out,
            }
        )
        return
    rows = [*counts.entries.items()] + ([("all", counts.total)] if len(entries) > 1 else [])
    print_table(["passages", *_COLUMNS.values()], [_counts_row(name, item) for name, item in rows])
    for name, item in counts.entries.items():
        for reason, number in item.skipped.items():
            print_line(f"{name}: {number:,} not read: {reason}")
    print_line(f"clear of the test text of: {', '.join(corpus.entry.id for corpus in corpora) or 'nothing'}")
    for name, why in left_out.items():
        print_line(f"not checked: {name}: {why}")
    print_line(f"licences: {', '.join(licenses)}")
    for reason in reasons:
        print_line(f"not to be published: {reason}")


def _find(entry: PassageEntry, registry: Registry, settings: Settings) -> tuple[str, Path] | None:
    from zoo.passages.passage import find_passages

    return find_passages(entry, _folder(entry, registry), settings.passages)


def _folder(entry: PassageEntry, registry: Registry) -> Path:
    return registry.folders[f"passages/{entry.id}"]


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


def _counts_row(name: str, counts: PassageCounts) -> list[str]:
    return [name, *(f"{getattr(counts, field):,}" for field in _COLUMNS)]
