"""A column of names in a table, each linked to its concept; the table comes back with four columns more."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TextIO

from zoo.corpora.files import numbered_lines, open_text, parse_json
from zoo.errors import ZooError
from zoo.ontologies.link import Link
from zoo.tagging.outputs.csv import csv_rows

Kind = Literal["csv", "tsv", "jsonl", "lines"]
KINDS: dict[str, Kind] = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl"}
"""By its name, plain or with `.gz`; any other file has a name a line."""
ADDED = ("concept_id", "concept", "score", "candidates")
ROWS = 1000
"""Rows that are read, linked and written together."""
Row = list[str] | dict[str, Any]
Answer = tuple[str, str, Any, Any]
"""What is added to a row, in the order of `ADDED`."""


@dataclass
class Counts:
    """How many rows a table has, how many different names, and how many rows were linked to a concept."""

    rows: int = 0
    names: int = 0
    linked: int = 0


def kind_of(path: Path) -> Kind:
    """How a table is written, by its name."""
    return KINDS.get(Path(path.name.removesuffix(".gz")).suffix.lower(), "lines")


def link_column(
    path: Path,
    field: str,
    file: TextIO,
    kind: Kind,
    link: Callable[[list[str]], list[Link]],
    concept_name: Callable[[str, str], str],
) -> Counts:
    """Link a column and write the table with what was found; every name is linked once.

    Args:
        path: The table, plain or gzip.
        field: The column (CSV, TSV) or field (JSON lines) of the names.
        file: What is written.
        kind: How it is written: as the table, or as any where that has a name a line.
        link: Links names.
        concept_name: Preferred name of a concept, from the ontology's id and its own.

    Raises:
        ZooError: The table has no such column, has one that is added, or a row is malformed; with file and line.
    """
    rows = _objects(path, field) if kind_of(path) == "jsonl" else _cells(path, field)
    counts, known = Counts(), dict[str, Answer]()
    header = next(rows)[1]
    if isinstance(header, list) and kind != "jsonl":
        file.write(_line([*header, *ADDED], kind))
    nothing: Answer = ("", "", None, []) if kind == "jsonl" else ("", "", "", "")
    while block := list(islice(rows, ROWS)):
        new = list(dict.fromkeys(name for name, _ in block if name.strip() and name not in known))
        for name, found in zip(new, link(new) if new else (), strict=True):
            known[name] = _answer(found, concept_name, cells=kind != "jsonl")
        for name, row in block:
            answer = known.get(name, nothing)
            counts.linked += bool(answer[0])
            if isinstance(row, dict):
                file.write(_line({**row, **dict(zip(ADDED, answer, strict=True))}, kind))
            else:
                cells: list[Any] = [*row, *answer]
                named = dict(zip([*header, *ADDED], cells, strict=True))
                file.write(_line(named if kind == "jsonl" else cells, kind))
        counts.rows += len(block)
    counts.names = len(known)
    return counts


def _answer(link: Link, concept_name: Callable[[str, str], str], *, cells: bool) -> Answer:
    names = "; ".join(concept_name(link.ontology, i) for i in link.concept_ids)
    seen: Any = [[c.concept_id, c.name, round(c.score, 4), c.step] for c in link.candidates]
    if cells:
        seen = "; ".join(f"{c.concept_id} {c.score:.4f}" for c in link.candidates)
    return ";".join(link.concept_ids), names, round(link.score, 4), seen


def _line(row: Row, kind: Kind) -> str:
    if isinstance(row, dict):
        return json.dumps(row, ensure_ascii=False) + "\n"
    return csv_rows([row], delimiter="\t" if kind == "tsv" else ",")


def _cells(path: Path, field: str) -> Iterator[tuple[str, Row]]:
    """The header of CSV, TSV or a name a line, then names with their rows."""
    kind = kind_of(path)
    if kind == "lines":
        yield "", [field]
        yield from ((line, [line]) for _, line in _lines(path))
        return
    csv.field_size_limit(sys.maxsize)
    with open_text(path) as file:
        rows = csv.reader(file, delimiter="\t" if kind == "tsv" else ",", strict=True)
        try:
            header = next(rows, [])
            if header.count(field) != 1:
                what = f"no column {field!r}" if field not in header else f"two columns {field!r}"
                raise ZooError(
                    f"{what} in the first line; there are: {', '.join(header) or 'none'}",
                    where=f"{path}:1",
                    fix="name the column with --text-field",
                )
            _refuse_added(header, f"{path}:1")
            yield "", header
            column = header.index(field)
            for row in rows:
                if not row:
                    continue
                if len(row) != len(header):
                    what = f"the row has {len(row)} cells, the first line {len(header)}"
                    raise ZooError(what, where=f"{path}:{rows.line_num}", fix="quote cells that hold the separator")
                yield row[column], row
        except csv.Error as error:
            raise ZooError(f"not valid {kind.upper()}: {error}", where=f"{path}:{rows.line_num}") from None


def _objects(path: Path, field: str) -> Iterator[tuple[str, Row]]:
    fix = f'a line is {{"{field}": str, ...}}; another name with --text-field'
    yield "", {}
    for number, line in _lines(path):
        where = f"{path}:{number}"
        record = parse_json(line, where=where, fix=fix)
        if not isinstance(record, dict) or not isinstance(record.get(field, 0), str | None):
            raise ZooError(f"the line has no text field {field!r}", where=where, fix=fix)
        _refuse_added(record, where)
        yield record[field] or "", record


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in numbered_lines(path) if line.strip())


def _refuse_added(names: Iterable[str], where: str) -> None:
    if there := [name for name in ADDED if name in names]:
        raise ZooError(f"there is a column {there[0]!r} already", where=where, fix="rename or remove it")


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """A text file that is written bit by bit and is there whole, or not at all.

    Raises:
        ZooError: The file is there already, or cannot be written.
    """
    if path.exists():
        raise ZooError("the file is there already", where=path, fix="remove it, or name another with --out")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8", newline="") as file:
            yield file
        temporary.replace(path)
    except OSError as error:
        raise ZooError(f"cannot write the file: {error.strerror or error}", where=path) from None
    finally:
        temporary.unlink(missing_ok=True)
