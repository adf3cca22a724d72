"""Tables of one's own: a line a concept, or a line a name."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zoo.corpora.files import numbered_lines
from zoo.errors import ZooError
from zoo.ontologies.concept import Concept, Synonym
from zoo.ontologies.readers.reading import Reading

_COLUMNS = {
    "id": ("id", "code", "concept_id", "identifier"),
    "name": ("name", "term", "label", "title"),
    "synonyms": ("synonyms", "synonym"),
    "alternative_ids": ("alternative_ids", "alternative_id"),
    "parents": ("parents", "parent"),
    "types": ("types", "type"),
    "definition": ("definition", "description"),
    "xrefs": ("xrefs", "xref"),
}
"""Column -> what a header may call it."""
_FIX = (
    "the first line names the columns, in any order, separated by tabs, commas or semicolons: id, name, and if you "
    "have them synonyms, alternative_ids, parents, types (each joined by |), definition"
)


@dataclass
class _Rows:
    """What the rows of an id say, without repeats."""

    names: dict[str, None] = field(default_factory=dict)
    lists: dict[str, dict[str, None]] = field(default_factory=dict)
    definition: str = ""


def read_table(path: Path, reading: Reading, *, same_as: Sequence[str] = ()) -> Iterator[Concept]:
    """The concepts of a table, plain or gzip; rows of one id are one concept, the first name is the preferred one.

    Args:
        path: The file: tab-separated as it stands, or comma- or semicolon-separated with quotes (RFC 4180).
        reading: Gets what was left out.
        same_as: Prefixes in the column xrefs that become alternative ids.

    Raises:
        ZooError: The first line does not name id and name, or a row has more columns, with file and line.
    """
    found: dict[str, _Rows] = {}
    for number, row in _rows(path, reading):
        concept_id = row.get("id", "").strip()
        if not concept_id:
            reading.repair("rows without an id left out", f"{path}:{number}")
            continue
        rows = found.setdefault(concept_id, _Rows())
        texts = (row.get("name", ""), *_listed(row, "synonyms"))
        rows.names.update(dict.fromkeys(text for text in texts if text.strip()))
        for column in ("alternative_ids", "parents", "types"):
            rows.lists.setdefault(column, {}).update(dict.fromkeys(_listed(row, column)))
        matches = [item for item in _listed(row, "xrefs") if item.partition(":")[0] in same_as]
        rows.lists["alternative_ids"].update(dict.fromkeys(matches))
        rows.definition = rows.definition or row.get("definition", "").strip()
    for concept_id, rows in found.items():
        names = list(rows.names) or [""]
        yield Concept(
            id=concept_id,
            name=names[0],
            synonyms=tuple(map(Synonym, names[1:])),
            definition=rows.definition,
            **{column: tuple(items) for column, items in rows.lists.items()},
        )


def _rows(path: Path, reading: Reading) -> Iterator[tuple[int, dict[str, str]]]:
    """Line and cells by column of each row."""
    header = next((line for _, line in numbered_lines(path)), "")
    delimiter = max("\t,;", key=header.count)
    rows = _split(path) if delimiter == "\t" else _quoted(path, delimiter)
    columns = [_column(name) for name in next(rows)[1]]
    missing = [name for name in ("id", "name") if name not in columns]
    if missing:
        raise ZooError(f"the first line names no {missing[0]}", where=f"{path}:1", fix=_FIX)
    for name in sorted(set(columns) - set(_COLUMNS)):
        reading.repair(f"the column {name!r} is not read", f"{path}:1")
    for number, cells in rows:
        if len(cells) > len(columns):
            what = f"{len(cells)} columns, the first line names {len(columns)}"
            raise ZooError(what, where=f"{path}:{number}", fix=_FIX)
        if any(cell.strip() for cell in cells):
            yield number, dict(zip(columns, cells, strict=False))


def _split(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows of a tab-separated file: a quotation mark is one."""
    for number, line in numbered_lines(path):
        yield number, line.split("\t")


def _quoted(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows of a file whose cells may be quoted, and go on in the next line then; each with its first line."""
    at = 0

    def lines() -> Iterator[str]:
        nonlocal at
        for number, line in numbered_lines(path):
            at = number
            yield f"{line}\n"

    rows = csv.reader(lines(), delimiter=delimiter, strict=True)
    while True:
        first = at + 1
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise ZooError(f"not a row of the table: {error}", where=f"{path}:{first}", fix=_FIX) from None
        yield first, cells


def _column(name: str) -> str:
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    return next((column for column, names in _COLUMNS.items() if plain in names), name.strip())


def _listed(row: dict[str, str], column: str) -> list[str]:
    return [item.strip() for item in row.get(column, "").split("|") if item.strip()]
