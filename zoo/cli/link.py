"""`zoo link`: link names that stand alone, or a column of them, to the concepts of an ontology."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.opening import open_linker
from zoo.cli.options import AsJson, RegistryOption
from zoo.cli.output import print_json, print_line, print_table
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.linking.columns import Kind
    from zoo.ontologies.link import Link


def link(
    ontology: Annotated[
        str, typer.Option("--ontology", metavar="ID_OR_FILE", help="An ontology, or your own .csv, .tsv or .obo file.")
    ],
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Names to link.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="PATH", help="A table: .csv, .tsv, .jsonl, or a name a line; plain or .gz."),
    ] = None,
    text_field: Annotated[str, typer.Option("--text-field", help="Column or field of the names.")] = "name",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="PATH", help="Write the table here, as it is written there; whole, or not."),
    ] = None,
    type_: Annotated[str, typer.Option("--type", help="Entity type of the names, such as Disease.")] = "*",
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="DIR_OR_ID", help="Use its trained linker, if that is for the ontology."),
    ] = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Link names to the concepts of an ontology; a table keeps its columns and gets four more."""
    if (not names) == (file is None):
        raise ZooError("give either names or --file", fix="zoo link --ontology mesh asthma, or --file names.csv")
    if out and not file:
        raise ZooError("--out needs --file", fix="or redirect the output of --json")
    if file and not file.is_file():
        raise ZooError("there is no such file", where=file)
    kind = _kind(file, out) if file else None
    linker = open_linker(ontology, model, registry)
    from zoo.linking.opening import concept_names

    concept_name = concept_names(linker.ontologies.values())
    if type_ == "*" and len(linker.ontologies) == 1:
        (type_,) = linker.ontologies

    def linked(found: list[str]) -> list[Link]:
        return linker.link_names(found, type_)

    if file is None or kind is None:
        _print_names(names or [], linked, concept_name, as_json)
        return
    from zoo.linking.columns import link_column, whole_file

    if out is None:
        link_column(file, text_field, sys.stdout, kind, linked, concept_name)
        return
    with whole_file(out) as written:
        counts = link_column(file, text_field, written, kind, linked, concept_name)
    print_line(
        f"{counts.rows:,} rows, {counts.names:,} different names, {counts.linked:,} rows linked: {out}", wrap=False
    )


def _kind(file: Path, out: Path | None) -> Kind:
    """How the table is written again."""
    from zoo.linking.columns import KINDS, kind_of

    given = kind_of(file)
    kind = kind_of(out) if out else "csv" if given == "lines" else given
    if out and out.name.endswith(".gz"):
        raise ZooError("no packed file is written", where="--out", fix=f"name it {out.name.removesuffix('.gz')}")
    if kind == "lines" or given not in ("lines", kind):
        names = ", ".join(suffix for suffix, known in KINDS.items() if given in ("lines", known))
        raise ZooError("the table would be written otherwise than it is", where="--out", fix=f"name a file {names}")
    return kind


def _print_names(
    names: list[str],
    linked: Callable[[list[str]], list[Link]],
    concept_name: Callable[[str, str], str],
    as_json: bool,
) -> None:
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "concept_ids": list(found.concept_ids),
            "concept": "; ".join(concept_name(found.ontology, i) for i in found.concept_ids),
            "score": round(found.score, 4),
            "candidates": [[c.concept_id, c.name, round(c.score, 4), c.step] for c in found.candidates],
        }
        for name, found in zip(names, linked(names), strict=True)
    ]
    if as_json:
        print_json(rows)
        return
    columns = ["name", "concept_ids", "concept", "score"]
    cells = [{**row, "concept_ids": " ".join(row["concept_ids"]), "score": f"{row['score']:.3f}"} for row in rows]
    print_table(columns, [[row[column] for column in columns] for row in cells])
