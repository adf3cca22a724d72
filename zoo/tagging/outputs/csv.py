"""CSV: an entity a row, with the document's id."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from zoo.tagging.outputs.format import FileFormat, entity_records
from zoo.tagging.texts import Tagged

_COLUMNS = ("id", "start", "end", "type", "text", "score")


def _header(models: Sequence[str]) -> str:
    return _rows([_COLUMNS if len(models) == 1 else (*_COLUMNS, "model")])


def _document(tagged: Tagged, models: Sequence[str]) -> str:
    columns = _COLUMNS[1:] if len(models) == 1 else (*_COLUMNS[1:], "model")
    return _rows([(tagged.text.id, *map(r.__getitem__, columns)) for r in entity_records(tagged, models)])


def _rows(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    usual = csv.writer(text, lineterminator="\n")
    # before Python 3.13 a carriage return is not quoted, and readers see the end of a row
    quoting = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    for row in rows:
        (quoting if any("\r" in str(value) for value in row) else usual).writerow(row)
    return text.getvalue()


FORMAT = FileFormat(header=_header, document=_document)
