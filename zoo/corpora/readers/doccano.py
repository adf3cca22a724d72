"""Exports of Doccano, JSON lines: `{"id": 1, "text": ..., "label": [[0, 6, "Disease"]]}`, or with `entities`."""

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
    'a line is {"id": int, "text": str, "label": [[start, end, type]]}, or, with relations, has '
    '"entities": [{"start_offset": int, "end_offset": int, "label": str}]; export as JSONL'
)


def read_doccano(path: Path, *, repairs: Counter[str] | None = None) -> Iterator[Document]:
    """Stream the documents of an export, plain or gzip; a text without labels is a document without mentions.

    Args:
        path: The file.
        repairs: Counts records without a text, which are left out, and relations, which are ignored.

    Raises:
        ZooError: A line is not such an object, an id is repeated, or an offset is outside its text; with file and line.
    """
    repairs = Counter() if repairs is None else repairs

    def make(data: Any, where: str) -> Document | None:  # noqa: ANN401 - parsed JSON
        if not isinstance(data, dict):
            raise ZooError("the line is not an object", where=where, fix=_SHAPE)
        if relations := data.get("relations"):
            repairs["relation ignored"] += len(relations)
        record = {"id": data.get("id"), "text": data.get("text", data.get("data")), "spans": _spans(data, where)}
        return make_document(record, where, repairs)

    return read_records(path, make, shape=_SHAPE)


def _spans(data: dict[str, Any], where: str) -> list[dict[str, Any]]:
    if isinstance(entities := data.get("entities"), list) and all(isinstance(item, dict) for item in entities):
        return [{"start": e.get("start_offset"), "end": e.get("end_offset"), "type": e.get("label")} for e in entities]
    labels = data.get("label", data.get("labels"))
    if not isinstance(labels, list) or not all(isinstance(item, list) and len(item) == 3 for item in labels):
        raise ZooError("the line has no list 'label' of [start, end, type]", where=where, fix=_SHAPE)
    return [dict(zip(("start", "end", "type"), item, strict=True)) for item in labels]
