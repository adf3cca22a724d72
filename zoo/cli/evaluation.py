"""The commands that look closer at a model: `zoo errors`, `zoo robustness`, `zoo cross`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.options import (
    AsJson,
    CorpusArgument,
    MapOption,
    ModelArgument,
    RegistryOption,
    Split,
    SplitOption,
    load_tagger,
    open_corpus,
    open_registry,
    parse_renames,
)
from zoo.cli.output import percent, print_json, print_line, print_step, print_table
from zoo.errors import ZooError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zoo.corpora.load import Corpus
    from zoo.evaluation.errors import ErrorReport


def errors(
    model: ModelArgument,
    corpus: CorpusArgument,
    split: SplitOption = Split.test,
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
    """Sort a model's mistakes: boundary, type, missed, spurious, with the strings and contexts they fall on."""
    if html is not None:
        _check_file(html)
    loaded = _corpora([corpus], registry)[0]
    documents, renames = loaded.splits[split.value], parse_renames(mapping)
    from zoo.evaluation.cross import describe_model
    from zoo.evaluation.errors import analyse
    from zoo.evaluation.errors_page import render_page
    from zoo.evaluation.scoring import rename_types, tag_documents

    entry, described = loaded.entry, describe_model(model)
    quote = quote or entry.license.publishable
    report = analyse(documents, rename_types(tag_documents(load_tagger(model), documents), renames))
    if html is not None:
        page = render_page(
            report,
            model=described.name,
            corpus=entry.title,
            split=split.value,
            license_spdx=entry.license.spdx,
            publishable=entry.license.publishable,
            quote=quote,
        )
        _write(html, page)
    if as_json:
        print_json({"model": model, "corpus": entry.id, "split": split.value, **report.to_json(quote=quote)})
    else:
        _print_report(report, entry.license.spdx, quote, html)


def robustness(
    model: ModelArgument,
    corpus: CorpusArgument,
    split: SplitOption = Split.test,
    seed: Annotated[int, typer.Option("--seed", help="Seed of typos and line breaks.")] = 0,
    mapping: MapOption = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Score a model on the same text in other case, with typos, without punctuation, abbreviated, broken into lines."""
    loaded = _corpora([corpus], registry)[0]
    documents, renames = loaded.splits[split.value], parse_renames(mapping)
    from zoo.evaluation.robustness import robustness as measure

    scores = measure(load_tagger(model), documents, mapping=renames, seed=seed, progress=print_step)
    if as_json:
        perturbations = {name: score._asdict() for name, score in scores.items()}
        print_json(
            {
                "model": model,
                "corpus": corpus,
                "split": split.value,
                "seed": seed,
                "documents": len(documents),
                "scores": perturbations,
            }
        )
        return
    print_table(
        ["text", "strict F1", "loss", "documents changed"],
        [
            [name, percent(s.micro_f1), percent(s.loss) if name != "original" else "", str(s.changed_documents)]
            for name, s in scores.items()
        ],
    )


def cross(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="Checkpoint folders, adapters, model folders or Hub ids.")
    ],
    corpora: Annotated[str, typer.Option("--corpora", metavar="A,B,...", help="Corpus ids, separated by commas.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write cross.csv, cross.json and cross.png here.")
    ] = None,
    mapping: MapOption = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Score models on the test splits of corpora that share entity types with them, and draw the matrix."""
    from zoo.pipeline.layout import Layout

    renames = parse_renames(mapping)
    names = [name.strip() for name in corpora.split(",") if name.strip()]
    if not names:
        raise ZooError(
            "no corpus was named", where="--corpora", fix="for example --corpora bc5cdr-disease,ncbi-disease"
        )
    loaded = _corpora(names, registry)
    from zoo.evaluation.cross import REDUCED_NOTE, heat_map
    from zoo.evaluation.cross import cross as score
    from zoo.modeling.quiet import quiet_libraries
    from zoo.tagging.tagger import resolve_model

    for model in models:
        resolve_model(model)  # a misspelt folder must not end hours of scoring
    if out is not None:
        Layout(out).check_writable()
    quiet_libraries()
    matrix = score(
        models,
        loaded,
        mapping=renames,
        progress=lambda model, corpus: print_step(f"{model} on {corpus}"),
    )
    if out is not None:
        picture = heat_map(matrix)
        _write(out / "cross.csv", matrix.to_csv())
        _write(out / "cross.json", json.dumps(matrix.to_json(), indent=2) + "\n")
        _write(out / "cross.png", picture)
    if as_json:
        print_json(matrix.to_json())
        return
    rows = []
    for name in matrix.models:
        cells = [matrix.cells[name, corpus] for corpus in matrix.corpora]
        marks = {"comparable": "", "reduced": "*", "not comparable": ""}
        rows.append([name, *(percent(c.score.micro_f1) + marks[c.status] if c.score else "" for c in cells)])
    print_table(["model", *matrix.corpora], rows)
    if any(cell.status == "reduced" for cell in matrix.cells.values()):
        print_line(f"* {REDUCED_NOTE}", wrap=False)
    for cell in (cell for cell in matrix.cells.values() if cell.note):
        print_line(f"{cell.model} on {cell.corpus}: {cell.note}", wrap=False)
    if out is not None:
        print_line(f"written to {out}", wrap=False)


def _corpora(names: Iterable[str], registry: Path | None) -> list[Corpus]:
    """Corpora by their ids, each read once; none is read if one is unknown."""
    found, settings = open_registry(registry)
    entries = [found.corpus(name) for name in dict.fromkeys(names)]
    return [open_corpus(entry, found, settings) for entry in entries]


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


def _write(path: Path, content: str | bytes) -> None:
    from zoo.files import write_whole

    try:
        write_whole(path, content)
    except OSError as error:
        raise ZooError(f"cannot write the file: {error.strerror or error}", where=path) from None
