"""Exports of Prodigy, JSON lines: `{"text": ..., "spans": [{"start": 0, "end": 6, "label": ...}], "answer": ...}`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.corpora.document import Document
from zoo.corpora.files import read_records
from zoo.corpora.readers.jsonl import make_document
from zoo.errors import ZooError

_SHAPE = (
    'a line is {"text": str, "spans": [{"start": int, "end": int, "label": str}], "answer": "accept"}, as '
    "prodigy db-out writes it"
)


def read_prodigy(path: Path, *, repairs: Counter[str] | None = None) -> Iterator[Document]:
    """Stream the accepted texts of an export, plain or gzip.

    An id is the text's `_input_hash`, or the number of its line. Of a text that was annotated more than once the first
    answer stays.

    Args:
        path: The file.
        repairs: Counts what is left out: texts that were rejected or ignored, further answers, records without a text.

    Raises:
        ZooError: A line is not such an object, or an offset is outside its text; with file and line.
    """
    repairs = Counter() if repairs is None else repairs
    seen: set[str] = set()

    def make(data: Any, where: str) -> Document | None:  # noqa: ANN401 - parsed JSON
        spans = data.get("spans") or [] if isinstance(data, dict) else None
        if not isinstance(spans, list) or not all(isinstance(span, dict) for span in spans):
            raise ZooError("the line is not an object with a list 'spans'", where=where, fix=_SHAPE)
        if (answer := data.get("answer", "accept")) != "accept":
            repairs[f"text with the answer {answer} left out"] += 1
            return None
        name = str(data.get("_input_hash", where.rpartition(":")[2]))
        if name in seen:
            repairs["further answer for a text left out"] += 1
            return None
        seen.add(name)
        named = [{"start": span.get("start"), "end": span.get("end"), "type": span.get("label")} for span in spans]
        return make_document({"id": name, "text": data.get("text"), "spans": named}, where, repairs)

    return read_records(path, make, shape=_SHAPE)
