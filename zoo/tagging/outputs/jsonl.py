"""JSON lines: a document's id and entities a line, and its text where it is not that of the input."""

from __future__ import annotations

import json

from zoo.tagging.outputs.format import FileFormat, Run, entity_records
from zoo.tagging.texts import Tagged


def _line(tagged: Tagged, run: Run) -> str:
    text = {"text": tagged.text.text} if tagged.text.derived else {}
    record = {"id": tagged.text.id, **text, "entities": entity_records(tagged, run)}
    return json.dumps(record, ensure_ascii=False) + "\n"


FORMAT = FileFormat(header=lambda _: "", document=_line)
