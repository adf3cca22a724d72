"""`zoo corpora check`: what stands in more than one split, corpus or passage file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.opening import load_corpora, open_registry
from zoo.cli.options import AsJson, RegistryOption
from zoo.cli.output import print_json, print_line, print_table
from zoo.errors import ZooError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.evaluation.leakage import LeakageReport, Overlap
    from zoo.passages.contamination import PassageOverlap
    from zoo.passages.passage import Passage
    from zoo.registry.loader import Registry
    from zoo.settings import Settings


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Corpora to check; none means all that are on this machine."),
    ] = None,
    passages: Annotated[
        list[str] | None,
        typer.Option(
            "--passages",
            metavar="FILE_OR_ID",
            help="Raw text to look for test sets in: a file, folder or registry id; none means those of the registry.",
        ),
    ] = None,
    threshold: Annotated[
        float, typer.Option("--threshold", help="Least Jaccard similarity of a near duplicate, 0.5 to 1.")
    ] = 0.8,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Find texts that leak: between splits, from train to other corpora's test, from raw passages to test."""
    found, settings = open_registry(registry)
    report = run_check(found, settings, names or [], passages or [], threshold)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        _print_report(report)


def run_check(
    registry: Registry, settings: Settings, names: list[str], passages: list[str], threshold: float
) -> LeakageReport:
    """Check corpora and passages.

    Args:
        registry: What exists.
        settings: Where local corpora and downloads are.
        names: Corpora to check, fetched where they are not here; empty: all that are here.
        passages: Files, folders or registry ids; empty: all entries of the registry that are here.
        threshold: Least Jaccard similarity of a near duplicate, from 0.5 to 1.

    Raises:
        ZooError: A name is unknown, something that was named cannot be read, or the threshold is out of range.
    """
    from zoo.corpora.similarity import bands
    from zoo.evaluation.leakage import LeakageReport, check_corpora
    from zoo.passages.contamination import check_passages

    bands(threshold)  # refuses a bad threshold before the corpora are read
    sources = [_passages(item, registry, settings) for item in passages]
    chosen = [registry.corpus(name) for name in dict.fromkeys(names)]
    left_out: dict[str, str] = {}
    corpora = load_corpora(registry, settings, [entry.id for entry in chosen], left_out)
    ids = [entry.id for entry in chosen] or [corpus.entry.id for corpus in corpora]
    within, across = check_corpora(corpora, names=ids, threshold=threshold)
    tests = [corpus for corpus in corpora if corpus.entry.id in ids]
    overlaps: list[PassageOverlap] = []
    for name, stream in sources:
        overlaps += check_passages(name, stream, tests)
    for name in registry.passages if not passages else ():
        try:
            overlaps += check_passages(name, _passages(name, registry, settings)[1], tests)
        except ZooError as error:
            left_out[f"passages/{name}"] = error.what
    return LeakageReport(
        threshold=threshold, within=within, across=across, passages=tuple(overlaps), not_checked=left_out
    )


def _passages(item: str, registry: Registry, settings: Settings) -> tuple[str, Iterator[Passage]]:
    """Name and stream of a registry entry, a file or a folder."""
    from zoo.passages.load import load_passages, read_passage_files

    if item in registry.passages:
        folder = registry.folders[f"passages/{item}"]
        return item, load_passages(registry.passages[item], registry_folder=folder, local=settings.passages)
    path = Path(item)
    if not path.exists():
        raise ZooError(
            f"{item!r} is neither a file, a folder nor passages of the registry",
            where="--passages",
            fix=did_you_mean(item, registry.passages),
        )
    return path.name, read_passage_files(path)


def _print_report(report: LeakageReport) -> None:
    columns = ["from", "to", "texts of", "compared", "exact", "near", "leaked", "5+ words", "example"]
    print_table(columns, [_row(item) for item in report.within])
    hits = [item for item in report.across if item.leaked]
    if hits:
        print_line("\ntrain against the test split of other corpora")
        print_table(columns, [_row(item) for item in sorted(hits, key=lambda item: -item.longer)])
    for name in dict.fromkeys(item.passages for item in report.passages):
        overlaps = [item for item in report.passages if item.passages == name]
        held = [item for item in overlaps if item.leaked_documents]
        print_line(
            f"\n{name}: {overlaps[0].passages_read:,} passages are clear of {len(overlaps) - len(held)} "
            f"of {len(overlaps)} test splits"
        )
        if held:
            columns = ["in passages", "documents", "with a 13-word run", "with a whole sentence", "example"]
            print_table(columns, [_passage_row(item) for item in held])
    print_line()
    for name, why in report.not_checked.items():
        print_line(f"not checked: {name}: {why}")
    print_line(
        f"near: similarity of at least {report.threshold}. {report.normalisation}. "
        f"{len(report.across) - len(hits)} of {len(report.across)} comparisons of train with a foreign test are clear."
    )


def _row(item: Overlap) -> list[str]:
    return [
        f"{item.reference_corpus} {item.reference_split}",
        f"{item.corpus} {item.split}",
        f"{item.level}s",
        f"{item.texts:,}",
        str(item.exact),
        str(item.near),
        f"{100 * item.leaked_share:.2f} %",
        str(item.longer),
        _cut(item.examples[0].text) if item.examples else "",
    ]


def _passage_row(item: PassageOverlap) -> list[str]:
    return [
        f"{item.corpus} test",
        f"{item.documents:,}",
        str(item.run_documents),
        str(item.sentence_documents),
        _cut(item.examples[0].words),
    ]


def _cut(text: str, characters: int = 48) -> str:
    line = " ".join(text.split())
    return line if len(line) <= characters else line[: characters - 3] + "..."
