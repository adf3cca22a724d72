"""JSON lines: `{"id": ..., "text": ..., "spans": [{"start": 0, "end": 4, "type": "Gene"}]}`, offsets `[start, end)`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.corpora.document import Document, Span
from zoo.corpora.files import numbered_lines
from zoo.errors import ZooError

_SHAPE = 'a line is {"id": str, "text": str, "spans": [{"start": int, "end": int, "type": str}]}'


def read_jsonl(path: Path) -> Iterator[Document]:
    """Stream the documents of a JSON-lines file, plain or gzip.

    Raises:
        ZooError: A line is not such an object, an id is repeated, or an offset is outside its text; with file and line.
    """
    seen: dict[str, int] = {}
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            data = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ZooError(f"not valid JSON: {error}", where=where, fix=_SHAPE) from None
        document = _document(data, where)
        if document.id in seen:
            raise ZooError(
                f"the id {document.id!r} stands in line {seen[document.id]} already",
                where=where,
                fix="ids are unique in a file",
            )
        seen[document.id] = number
        yield document


def _document(data: Any, where: str) -> Document:  # noqa: ANN401 - parsed JSON
    if not isinstance(data, dict) or not isinstance(data.get("id"), str) or not isinstance(data.get("text"), str):
        raise ZooError("the line has no text field 'id' or 'text'", where=where, fix=_SHAPE)
    items = data.get("spans", [])
    if not isinstance(items, list):
        raise ZooError("'spans' is not a list", where=where, fix=_SHAPE)
    spans = sorted(_span(item, len(data["text"]), where) for item in items)
    return Document(data["id"], data["text"], tuple(spans))


def _span(item: Any, length: int, where: str) -> Span:  # noqa: ANN401 - parsed JSON
    if not isinstance(item, dict):
        raise ZooError(f"a span is not an object: {item!r}", where=where, fix=_SHAPE)
    start, end, name = item.get("start"), item.get("end"), item.get("type")
    if type(start) is not int or type(end) is not int or not isinstance(name, str) or not name:
        raise ZooError(f"a span needs integers 'start', 'end' and a 'type': {item!r}", where=where, fix=_SHAPE)
    if not 0 <= start < end <= length:
        raise ZooError(
            f"the span [{start}, {end}) is outside the text of {length} characters",
            where=where,
            fix="offsets are half-open, in characters",
        )
    concepts = item.get("concept_ids", ())
    return Span(
        start, end, name, tuple(str(concept) for concept in concepts) if isinstance(concepts, (list, tuple)) else ()
    )
