"""Documents to be tagged: plain text, JSON lines, CSV and PubMed XML, one file or a folder of them, one at a time."""

from __future__ import annotations

import csv
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from zoo.corpora.files import numbered_lines, open_text, parse_json, read_text
from zoo.errors import ZooError
from zoo.passages.readers.pubmed import read_pubmed
from zoo.tagging.texts import Text

Format = Literal["text", "jsonl", "csv", "pubmed-xml"]
SUFFIXES: dict[str, Format] = {".txt": "text", ".jsonl": "jsonl", ".csv": "csv", ".xml": "pubmed-xml"}
"""By its name, plain or with `.gz`; a single file with another name is plain text."""
STANDARD_INPUT = Path("-")


@dataclass(frozen=True, slots=True)
class Fields:
    """Names of the fields (JSON lines) or columns (CSV) that hold id and text."""

    id: str = "id"
    text: str = "text"


def read_texts(
    path: Path,
    format: Format | None = None,
    fields: Fields | None = None,
    *,
    skipped: Counter[str] | None = None,
) -> Iterator[Text]:
    """Stream the documents of a file, of all files of a folder and its subfolders in order of their names, or of `-`.

    Args:
        path: File, folder, or `-` for standard input, which is one document.
        format: How files are written; None: as their names say (`SUFFIXES`).
        fields: Where JSON lines and CSV have id and text.
        skipped: Counts records without a text.

    Raises:
        ZooError: There is no such file, the folder holds none that can be read, or a file is malformed; with file and
            line.
    """
    fields = fields or Fields()
    skipped = Counter() if skipped is None else skipped
    if path == STANDARD_INPUT:
        yield Text("-", _standard_input())
        return
    if not path.is_dir():
        yield from _read(path, format or format_of(path), path.stem, fields, skipped)
        return
    found = False
    for file in _files(path, format):
        found = True
        name = file.relative_to(path).as_posix()
        # Records of several files may have the same ids.
        for text in _read(file, format or SUFFIXES[_suffix(file)], _without_suffix(name), fields, skipped):
            yield text if text.id == _without_suffix(name) else replace(text, id=f"{name}#{text.id}")
    if not found:
        names = ", ".join(f"*{suffix}" for suffix in SUFFIXES)
        raise ZooError("the folder holds nothing to tag", where=path, fix=f"put files named {names} (or .gz) there")


def _files(folder: Path, format: Format | None) -> Iterator[Path]:
    for here, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            kind = SUFFIXES.get(_suffix(Path(name)))
            if not name.startswith(".") and kind and format in (None, kind):
                yield Path(here) / name


def _suffix(path: Path) -> str:
    return Path(path.stem).suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()


def _without_suffix(name: str) -> str:
    return name.removesuffix(".gz").rpartition(".")[0]


def format_of(path: Path) -> Format:
    """How a single file is written, by its name."""
    return SUFFIXES.get(_suffix(path), "text")


def _read(path: Path, format: Format, name: str, fields: Fields, skipped: Counter[str]) -> Iterator[Text]:
    match format:
        case "text":
            yield Text(name, read_text(path))
        case "jsonl":
            yield from _json_lines(path, fields, skipped)
        case "csv":
            yield from _csv(path, fields)
        case "pubmed-xml":
            articles = read_pubmed(path, titles=True, skipped=skipped)
            yield from (Text(article.id, article.text, derived=True) for article in articles)


def _json_lines(path: Path, fields: Fields, skipped: Counter[str]) -> Iterator[Text]:
    fix = f'a line is {{"{fields.id}": str, "{fields.text}": str}}; other names with --id-field and --text-field'
    count = 0
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        count += 1
        where = f"{path}:{number}"
        record = parse_json(line, where=where, fix=fix)
        if not isinstance(record, dict) or not isinstance(record.get(fields.text, 0), str | None):
            raise ZooError(f"the line has no text field {fields.text!r}", where=where, fix=fix)
        name = record.get(fields.id)
        if not isinstance(name, str | int | float | None):
            raise ZooError(f"the id is neither text nor number: {name!r}", where=where, fix=fix)
        if record[fields.text] is None:
            skipped["record without a text"] += 1
        else:
            yield Text(str(count if name is None else name), record[fields.text])


def _csv(path: Path, fields: Fields) -> Iterator[Text]:
    csv.field_size_limit(sys.maxsize)
    with open_text(path) as file:
        rows = csv.DictReader(file, strict=True)
        try:
            if fields.text not in (rows.fieldnames or ()):
                known = ", ".join(rows.fieldnames or ()) or "none"
                raise ZooError(
                    f"no column {fields.text!r} in the first line; there are: {known}",
                    where=f"{path}:1",
                    fix="name the column with --text-field",
                )
            for count, row in enumerate(rows, start=1):
                if row.get(fields.text) is None:
                    raise ZooError(f"the row has no {fields.text!r}", where=f"{path}:{rows.line_num}")
                yield Text(row.get(fields.id) or str(count), row[fields.text])
        except csv.Error as error:
            raise ZooError(f"not valid CSV: {error}", where=f"{path}:{rows.line_num}") from None


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ZooError(
            f"not UTF-8: byte {error.start}", where="standard input", fix="convert it (iconv -t UTF-8)"
        ) from None
