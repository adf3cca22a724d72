"""The notes of MIMIC-III, a local NOTEEVENTS.csv; only for who has access to it, and never published."""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from zoo.corpora.files import open_text
from zoo.errors import ZooError
from zoo.passages.passage import Passage

_COLUMNS = ("ROW_ID", "SUBJECT_ID", "CATEGORY", "ISERROR", "TEXT")
_FIX = "give NOTEEVENTS.csv or NOTEEVENTS.csv.gz of MIMIC-III as PhysioNet has it"
_MARK = re.compile(r"\[\*\*([^\[\]]{0,200}?)\*\*\]")
_DATE = re.compile(r"[\d/-]*\d[\d/-]*")
_AGE = "Age over 90"
_NO_WORDS = re.compile(r"\([^)]*\)|\d+")
_Rows = Iterator[tuple[int, list[str]]]


def read_mimic(path: Path, *, skipped: Counter[str] | None = None) -> Iterator[Passage]:
    """Stream the notes of a file, plain or gzip; ids are `mimic-<ROW_ID>`, and a patient's notes are one document.

    Args:
        path: NOTEEVENTS.csv with its header; the columns may stand in any order.
        skipped: Counts rows that are marked as errors (ISERROR is 1), and notes without text.

    Raises:
        ZooError: A column is missing, a row is malformed, or the file cannot be read; with file and line.
    """
    skipped = Counter() if skipped is None else skipped
    rows = _rows(path)
    _, header = next(rows, (1, []))
    names = [name.strip().upper() for name in header]
    if missing := [name for name in _COLUMNS if name not in names]:
        raise ZooError(f"the header has no column {', '.join(missing)}", where=f"{path}:1", fix=_FIX)
    row_id, subject, category, error, text = (names.index(name) for name in _COLUMNS)
    for line, row in rows:
        if len(row) != len(names):
            raise ZooError(f"the row has {len(row)} fields, the header {len(names)}", where=f"{path}:{line}", fix=_FIX)
        if row[error].strip() == "1":
            skipped["note marked as an error"] += 1
        elif not (note := readable(row[text]).strip()):
            skipped["note without text"] += 1
        else:
            source = f"MIMIC-III/{row[category].strip()}"
            yield Passage(f"mimic-{row[row_id]}", note, source, document=f"mimic-patient-{row[subject]}")


def readable(text: str) -> str:
    """Replace de-identification marks by the words they name, so that no brackets or serial numbers are learned.

    `[**Hospital1 18**]` becomes `Hospital`, `[**Known lastname (un) 123**]` `Known lastname`; a date stays as it is
    (`[**2151-7-16**]`: dates are shifted already), and so does `Age over 90`; an empty mark vanishes.
    """
    return _MARK.sub(lambda match: _words(match[1]), text)


def _words(mark: str) -> str:
    mark = " ".join(mark.split())
    if _DATE.fullmatch(mark) or mark == _AGE:
        return mark
    return " ".join(_NO_WORDS.sub(" ", mark).split())


def _rows(path: Path) -> _Rows:
    """Rows that are not blank, each with the line it ends in."""
    with open_text(path) as file:
        csv.field_size_limit(sys.maxsize)  # a stay's notes may be long, and other readers lift the limit too
        reader = csv.reader(file, strict=True)
        try:
            for row in reader:
                if row:
                    yield reader.line_num, row
        except csv.Error as error:
            raise ZooError(f"not valid CSV: {error}", where=f"{path}:{reader.line_num}", fix=_FIX) from None
