"""The commands that look closer at a model: `zoo errors`, `zoo robustness`, `zoo cross`."""

from __future__ import annotations

import json
import os
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.corpora.load import Corpus
    from zoo.evaluation.errors import ErrorReport


class Split(str, Enum):
    """A split, as an option."""

    train = "train"
    dev = "dev"
    test = "test"


ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="Checkpoint folder, adapter, model folder or Hub id.")
]
CorpusArgument = Annotated[str, typer.Argument(metavar="CORPUS", help="Corpus id.")]
SplitOption = Annotated[Split, typer.Option("--split")]
MapOption = Annotated[
    list[str] | None, typer.Option("--map", metavar="FROM=TO", help="Rename a type that the model predicts.")
]
RegistryOption = Annotated[
    Path | None,
    typer.Option(
        "--registry", metavar="DIR", help="Your own registry folder, overlaid on the packaged one [ZOO_REGISTRY]."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


def register(app: typer.Typer) -> None:
    """Mount the commands of this module on an app."""
    for command in (errors, robustness, cross):
        app.command()(command)


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
    from zoo.cli import _print_json, _quiet_libraries

    if html is not None:
        _check_file(html)
    loaded = _corpora(corpus, registry)[0]
    documents, renames = loaded.splits[split.value], _renames(mapping)
    from zoo.evaluation.cross import describe_model
    from zoo.evaluation.errors import analyse
    from zoo.evaluation.errors_page import render_page
    from zoo.evaluation.scoring import rename_types, tag_documents
    from zoo.modeling.tagger import Tagger

    _quiet_libraries()
    entry, described = loaded.entry, describe_model(model)
    quote = quote or entry.license.publishable
    report = analyse(documents, rename_types(tag_documents(Tagger.load(model), documents), renames))
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
        _print_json({"model": model, "corpus": entry.id, "split": split.value, **report.to_json(quote=quote)})
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
    from zoo.cli import _console, _percent, _print_json, _print_table, _quiet_libraries

    loaded = _corpora(corpus, registry)[0]
    documents, renames = loaded.splits[split.value], _renames(mapping)
    from zoo.evaluation.robustness import robustness as measure
    from zoo.modeling.tagger import Tagger

    _quiet_libraries()
    tagger, console = Tagger.load(model), _console(stderr=True)
    scores = measure(
        tagger, documents, mapping=renames, seed=seed, progress=lambda name: console.print(f"{name} ...", style="dim")
    )
    if as_json:
        perturbations = {name: score._asdict() for name, score in scores.items()}
        _print_json(
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
    _print_table(
        ["text", "strict F1", "loss", "documents changed"],
        [
            [name, _percent(s.micro_f1), _percent(s.loss) if name != "original" else "", str(s.changed_documents)]
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
    from zoo.build.layout import Layout
    from zoo.cli import _console, _percent, _print_json, _print_table, _quiet_libraries

    renames = _renames(mapping)
    loaded = _corpora(corpora, registry)
    from zoo.evaluation.cross import REDUCED_NOTE, check_plots, heat_map
    from zoo.evaluation.cross import cross as score
    from zoo.modeling.tagger import resolve_model

    for model in models:
        resolve_model(model)  # a misspelt folder must not end hours of scoring
    if out is not None:
        check_plots()
        Layout(out).check_writable()
    _quiet_libraries()
    console = _console(stderr=True)
    matrix = score(
        models,
        loaded,
        mapping=renames,
        progress=lambda model, corpus: console.print(f"{model} on {corpus} ...", style="dim"),
    )
    if out is not None:
        picture = heat_map(matrix)
        _write(out / "cross.csv", matrix.to_csv())
        _write(out / "cross.json", json.dumps(matrix.to_json(), indent=2) + "\n")
        _write(out / "cross.png", picture)
    if as_json:
        _print_json(matrix.to_json())
        return
    rows = []
    for name in matrix.models:
        cells = [matrix.cells[name, corpus] for corpus in matrix.corpora]
        marks = {"comparable": "", "reduced": "*", "not comparable": ""}
        rows.append([name, *(_percent(c.score.micro_f1) + marks[c.status] if c.score else "" for c in cells)])
    _print_table(["model", *matrix.corpora], rows)
    out_console = _console()
    if any(cell.status == "reduced" for cell in matrix.cells.values()):
        out_console.print(f"* {REDUCED_NOTE}", highlight=False, soft_wrap=True)
    for cell in (cell for cell in matrix.cells.values() if cell.note):
        line = f"{cell.model} on {cell.corpus}: {cell.note}"
        out_console.print(line, highlight=False, markup=False, soft_wrap=True)
    if out is not None:
        out_console.print(f"written to {out}", highlight=False, markup=False, soft_wrap=True)


def _corpora(ids: str, registry: Path | None) -> list[Corpus]:
    """Corpora by their ids, separated by commas, each read once."""
    from zoo.cli import _registry
    from zoo.corpora.load import load_corpus

    found, settings = _registry(registry)
    names = list(dict.fromkeys(name.strip() for name in ids.split(",") if name.strip()))
    if not names:
        raise ZooError(
            "no corpus was named", where="--corpora", fix="for example --corpora bc5cdr-disease,ncbi-disease"
        )
    entries = [found.corpus(name) for name in names]
    return [
        load_corpus(entry, registry_folder=found.folders[f"corpora/{entry.id}"], local=settings.corpora)
        for entry in entries
    ]


def _renames(mapping: list[str] | None) -> dict[str, str]:
    from zoo.cli import _rename

    return dict(_rename(item) for item in mapping or [])


def _print_report(report: ErrorReport, license_spdx: str, quote: bool, html: Path | None) -> None:
    from zoo.cli import _console, _percent, _print_table

    rows = []
    for kind, counts in report.by_kind.items():
        strings = ", ".join(f"{text} ({n})" for text, n in report.frequent(kind, 6)) if quote else ""
        rows.append([kind, str(counts.fp), str(counts.fn), " ".join(strings.split())])
    rows.append(["all", str(report.counts.fp), str(report.counts.fn), ""])
    _print_table(["class", "false positives", "false negatives", "most frequent"], rows)
    console = _console()
    console.print()
    rows = []
    for name, kinds in report.by_type.items():
        of_type = report.per_type[name]
        scores = [_percent(value) for value in (of_type.f1, of_type.precision, of_type.recall)]
        rows.append([name, *scores, *(f"{counts.fp}/{counts.fn}" for counts in kinds.values())])
    _print_table(["type", "strict F1", "P", "R", *(f"{kind} FP/FN" for kind in report.by_kind)], rows)
    if not quote:
        note = f"no text is quoted: the licence of the corpus ({license_spdx}) does not clearly allow it; see --quote"
        console.print(note, highlight=False, markup=False, soft_wrap=True)
    if html is not None:
        console.print(f"page: {html}", highlight=False, markup=False, soft_wrap=True)


def _check_file(path: Path) -> None:
    """Before any work: the file can be written."""
    if path.is_dir():
        raise ZooError("--html takes a file, this is a folder", where=path, fix=f"--html {path / 'errors.html'}")
    if not path.absolute().parent.is_dir() or not os.access(path.absolute().parent, os.W_OK):
        raise ZooError("cannot write to the folder of this file", where=path, fix="make the folder, or name another")


def _write(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.replace(path)
    except OSError as error:
        raise ZooError(f"cannot write the file: {error.strerror or error}", where=path) from None
    finally:
        temporary.unlink(missing_ok=True)
