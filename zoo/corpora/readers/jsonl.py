"""JSON lines: `{"id": ..., "text": ..., "spans": [{"start": 0, "end": 4, "type": "Gene"}]}`, offsets `[start, end)`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from zoo.corpora.document import Document, Span
from zoo.corpora.files import read_records
from zoo.corpora.readers.mentions import SHARED, join_parts
from zoo.errors import ZooError

_SHAPE = (
    'a line is {"id": str, "text": str, "spans": [{"start": int, "end": int, "type": str}]}; a span may also have '
    '"concept_ids": [str] and, if it is discontinuous, "fragments": [[start, end], ...]'
)


def read_jsonl(path: Path, *, repairs: Counter[str] | None = None) -> Iterator[Document]:
    """Stream the documents of a JSON-lines file, plain or gzip; an id may be a number.

    Args:
        path: The file.
        repairs: Counts records without a text (null), which are left out.

    Raises:
        ZooError: A line is not such an object, an id is repeated, or an offset is outside its text; with file and line.
    """
    repairs = Counter() if repairs is None else repairs
    return read_records(path, lambda data, where: make_document(data, where, repairs), shape=_SHAPE)


def make_document(data: Any, where: str, repairs: Counter[str]) -> Document | None:  # noqa: ANN401 - parsed JSON
    """A document of parsed JSON in the shape of this format; exports of annotation tools are brought into it.

    Args:
        data: The parsed JSON.
        where: Where it stands, for error messages.
        repairs: Counts records without a text (null).

    Returns:
        The document; None for a record without a text.

    Raises:
        ZooError: It has another shape, or an offset is outside the text.
    """
    if isinstance(data, dict) and data.get("text", "") is None:
        repairs["record without a text left out"] += 1
        return None
    name = data.get("id") if isinstance(data, dict) else None
    if type(name) not in (str, int) or not isinstance(data.get("text"), str):
        raise ZooError("the line has no text field 'id' or 'text'", where=where, fix=_SHAPE)
    items = data.get("spans")
    if not isinstance(items, list):
        # A missing list is not an empty one: under a misspelt name all mentions would be lost without a word.
        raise ZooError("the line has no list 'spans'", where=where, fix=f"{_SHAPE}; without mentions it is []")
    spans = sorted(_span(item, len(data["text"]), where, repairs) for item in items)
    return Document(str(name), data["text"], tuple(spans))


def _span(item: Any, length: int, where: str, repairs: Counter[str]) -> Span:  # noqa: ANN401 - parsed JSON
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
    concepts = item.get("concept_ids", [])
    if not isinstance(concepts, list) or not all(isinstance(concept, str) for concept in concepts):
        raise ZooError(f"'concept_ids' is not a list of texts: {concepts!r}", where=where, fix=_SHAPE)
    fragments = _fragments(item.get("fragments", []), start, end, where)
    if any(one[1] > other[0] for one, other in pairwise(fragments)):
        repairs[SHARED] += 1
        fragments = join_parts(fragments)
    return Span(start, end, name, tuple(concepts), fragments if len(fragments) > 1 else ())


def _fragments(items: Any, start: int, end: int, where: str) -> tuple[tuple[int, int], ...]:  # noqa: ANN401 - parsed JSON
    """The parts of a discontinuous mention: at least two, in order of their start, from its start to its end."""
    if items == []:
        return ()
    pairs = items if isinstance(items, list) else [items]
    if not all(isinstance(pair, list) and len(pair) == 2 and all(type(edge) is int for edge in pair) for pair in pairs):
        raise ZooError(f"'fragments' is not a list of pairs of integers: {items!r}", where=where, fix=_SHAPE)
    whole = bool(pairs) and (pairs[0][0], max(edge for _, edge in pairs)) == (start, end)
    if len(pairs) < 2 or pairs != sorted(pairs) or any(one >= other for one, other in pairs) or not whole:
        raise ZooError(
            f"the fragments {items} are not the parts of the span [{start}, {end})",
            where=where,
            fix="fragments are two or more, in order, and go from the span's start to its end",
        )
    return tuple((pair[0], pair[1]) for pair in pairs)
