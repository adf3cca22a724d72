"""`zoo cross`: score models on each other's corpora."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.opening import open_corpora
from zoo.cli.options import AsJson, MapOption, RegistryOption, parse_renames
from zoo.cli.output import percent, print_json, print_line, print_step, print_table, write_file
from zoo.errors import ZooError


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
    loaded = open_corpora(names, registry)
    from zoo.evaluation.cross import REDUCED_NOTE, heat_map
    from zoo.evaluation.cross import cross as score
    from zoo.modeling.quiet import quiet_libraries
    from zoo.tagging.models import resolve_model

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
        write_file(out / "cross.csv", matrix.to_csv())
        write_file(out / "cross.json", json.dumps(matrix.to_json(), indent=2) + "\n")
        write_file(out / "cross.png", picture)
    if as_json:
        print_json(matrix.to_json())
        return
    rows = []
    for name, title in zip(matrix.models, matrix.rows, strict=True):
        cells = [matrix.cells[name, corpus] for corpus in matrix.corpora]
        marks = {"comparable": "", "reduced": "*", "not comparable": ""}
        rows.append([title, *(percent(c.score.micro_f1) + marks[c.status] if c.score else "" for c in cells)])
    print_table(["model", *matrix.columns], rows)
    if any(cell.status == "reduced" for cell in matrix.cells.values()):
        print_line(f"* {REDUCED_NOTE}", wrap=False)
    for cell in (cell for cell in matrix.cells.values() if cell.note):
        print_line(f"{cell.model} on {cell.corpus}: {cell.note}", wrap=False)
    if out is not None:
        print_line(f"written to {out}", wrap=False)
