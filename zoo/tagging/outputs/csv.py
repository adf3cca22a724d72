"""CSV: an entity a row, with the document's id; parts of a discontinuous one as BRAT writes them: `0 3;8 13`."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from zoo.tagging.outputs.format import FileFormat, Run, entity_records
from zoo.tagging.texts import Tagged

ASSERTION_COLUMNS = ("negation", "temporality", "experiencer")


def _columns(run: Run) -> tuple[str, ...]:
    concept = ("concept_ids", "concept", "link_score") if run.linked else ()
    parts = ("fragments",) if run.fragments else ()
    said = (*ASSERTION_COLUMNS, "section") if run.asserted else ()
    model = ("model",) if len(run.models) > 1 else ()
    return ("start", "end", "type", *parts, "text", "score", *concept, *said, *model)


def _header(run: Run) -> str:
    return csv_rows([("id", *_columns(run))])


def _document(tagged: Tagged, run: Run) -> str:
    records = entity_records(tagged, run)
    for record in records:
        record.update(record.get("assertion", {}))
        record["concept_ids"] = ";".join(record.get("concept_ids", ()))
        record["fragments"] = ";".join(f"{start} {end}" for start, end in record.get("fragments", ()))
    return csv_rows([(tagged.text.id, *(record.get(name, "") for name in _columns(run))) for record in records])


def csv_rows(rows: Sequence[Sequence[object]], *, delimiter: str = ",") -> str:
    """Rows as CSV."""
    text = io.StringIO()
    usual = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    # before Python 3.13 a carriage return is not quoted, and readers see the end of a row
    quoting = csv.writer(text, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    for row in rows:
        (quoting if any("\r" in str(value) for value in row) else usual).writerow(row)
    return text.getvalue()


FORMAT = FileFormat(header=_header, document=_document)
