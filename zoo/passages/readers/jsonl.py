"""JSON lines of passages: `{"id": ..., "text": ..., "source": ..., "document": ...}`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.corpora.files import read_records
from zoo.errors import ZooError
from zoo.passages.passage import Passage

_SHAPE = 'a line is {"id": str, "text": str, "source": str, "document": str}, source and document optional'


def read_jsonl(path: Path, *, skipped: Counter[str] | None = None) -> Iterator[Passage]:
    """Stream the passages of a file, plain or gzip.

    Args:
        path: The file.
        skipped: Counts records whose text is null.

    Raises:
        ZooError: A line is not such an object, its text is empty, or an id is repeated; with file and line.
    """
    skipped = Counter() if skipped is None else skipped
    return read_records(path, lambda data, where: _passage(data, where, skipped), shape=_SHAPE)


def _passage(data: Any, where: str, skipped: Counter[str]) -> Passage | None:  # noqa: ANN401 - parsed JSON
    if isinstance(data, dict) and data.get("text", "") is None:
        skipped["record without a text"] += 1
        return None
    if not isinstance(data, dict) or not isinstance(data.get("id"), str) or not isinstance(data.get("text"), str):
        raise ZooError("the line has no text field 'id' or 'text'", where=where, fix=_SHAPE)
    for key in ("source", "document"):
        if not isinstance(value := data.get(key, ""), str):
            raise ZooError(f"{key!r} is not a text: {value!r}", where=where, fix=_SHAPE)
    if not data["text"].strip():
        raise ZooError(f"the passage {data['id']!r} is empty", where=where, fix="remove the line")
    return Passage(data["id"], data["text"], data.get("source", ""), data.get("document", ""))
