"""`zoo errors`: sort a model's mistakes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.opening import load_tagger, open_corpora
from zoo.cli.options import (
    AsJson,
    CorpusArgument,
    MapOption,
    ModelArgument,
    RegistryOption,
    SplitOption,
    parse_renames,
)
from zoo.cli.output import percent, print_json, print_line, print_table, write_file
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.evaluation.errors import ErrorReport


def errors(
    model: ModelArgument,
    corpus: CorpusArgument,
    split: SplitOption = "test",
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with examples in context.")
    ] = None,
    quote: Annotated[
        bool, typer.Option("--quote", help="Show text of the corpus even if its licence does not allow sharing it.")
    ] = False,
    mapping: MapOption = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Sort a model's mistakes: boundary, type, nested, missed, spurious, with the strings and contexts they fall on."""
    if html is not None:
        _check_file(html)
    loaded = open_corpora([corpus], registry)[0]
    documents, renames = loaded.documents(split), parse_renames(mapping)
    from zoo.evaluation.cross import describe_model
    from zoo.evaluation.errors import analyse
    from zoo.evaluation.errors_page import render_page
    from zoo.evaluation.scoring import rename_types, tag_documents

    entry, described = loaded.entry, describe_model(model)
    quote = quote or entry.license.publishable
    report = analyse(documents, rename_types(tag_documents(load_tagger(model, renames), documents), renames))
    if html is not None:
        page = render_page(
            report,
            model=described.name,
            corpus=entry.title,
            split=split,
            license_spdx=entry.license.spdx,
            publishable=entry.license.publishable,
            quote=quote,
        )
        write_file(html, page)
    if as_json:
        print_json({"model": model, "corpus": entry.id, "split": split, **report.to_json(quote=quote)})
    else:
        _print_report(report, entry.license.spdx, quote, html)


def _print_report(report: ErrorReport, license_spdx: str, quote: bool, html: Path | None) -> None:
    rows = []
    for kind, counts in report.by_kind.items():
        strings = ", ".join(f"{text} ({n})" for text, n in report.frequent(kind, 6)) if quote else ""
        rows.append([kind, str(counts.fp), str(counts.fn), " ".join(strings.split())])
    rows.append(["all", str(report.counts.fp), str(report.counts.fn), ""])
    print_table(["class", "false positives", "false negatives", "most frequent"], rows)
    print_line()
    rows = []
    for name, kinds in report.by_type.items():
        of_type = report.per_type[name]
        scores = [percent(value) for value in (of_type.f1, of_type.precision, of_type.recall)]
        rows.append([name, *scores, *(f"{counts.fp}/{counts.fn}" for counts in kinds.values())])
    print_table(["type", "strict F1", "P", "R", *(f"{kind} FP/FN" for kind in report.by_kind)], rows)
    if not quote:
        note = f"no text is quoted: the licence of the corpus ({license_spdx}) does not clearly allow it; see --quote"
        print_line(note, wrap=False)
    if html is not None:
        print_line(f"page: {html}", wrap=False)


def _check_file(path: Path) -> None:
    """Before any work: the file can be written."""
    if path.is_dir():
        raise ZooError("--html takes a file, this is a folder", where=path, fix=f"--html {path / 'errors.html'}")
    if not path.absolute().parent.is_dir() or not os.access(path.absolute().parent, os.W_OK):
        raise ZooError("cannot write to the folder of this file", where=path, fix="make the folder, or name another")
