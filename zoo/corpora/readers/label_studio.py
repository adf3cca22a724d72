"""Exports of Label Studio, JSON or JSON-MIN: tasks with regions of `labels` in their text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.corpora.document import Document
from zoo.corpora.json_stream import stream_json
from zoo.corpora.readers.jsonl import make_document
from zoo.corpora.readers.mentions import align_mention
from zoo.errors import ZooError

_FIX = 'export as JSON or JSON-MIN: a list of {"id": int, "data": {"text": str}, "annotations": [{"result": [...]}]}'


def read_label_studio(path: Path, *, repairs: Counter[str] | None = None) -> Iterator[Document]:
    """Stream the annotated tasks of an export, plain or gzip.

    Of a task with several annotations the first that was not cancelled stays. A mention whose text is not at its
    offsets follows the rules of `align_mention`; a region with several labels is a mention of each.

    Args:
        path: The file.
        repairs: Counts what is left out (tasks without an annotation, further annotations, regions of other kinds than
            labels of a text) or repaired.

    Raises:
        ZooError: The file is not JSON, or a task has another shape; with file and line.
    """
    repairs = Counter() if repairs is None else repairs
    for line, task in stream_json(path, fix=_FIX):
        where = f"{path}:{line}"
        if not isinstance(task, dict):
            raise ZooError("a task is not an object", where=where, fix=_FIX)
        regions = _regions(task, where, repairs)
        if regions is None:
            repairs["task without an annotation left out"] += 1
            continue
        text = _text(task, where)
        spans = [span for region in regions for span in _spans(region, text, where, repairs)]
        if document := make_document({"id": task.get("id"), "text": text, "spans": spans}, where, repairs):
            yield document


def _text(task: dict[str, Any], where: str) -> str | None:
    """The task's text: `text`, or the only field that holds one."""
    data = task.get("data", task)
    if isinstance(data, dict) and "text" in data and isinstance(data["text"], str | None):
        return data["text"]
    texts = [value for value in data.values() if isinstance(value, str)] if isinstance(data, dict) else []
    if len(texts) != 1 or data is task:
        raise ZooError("the task has no field 'text'", where=where, fix=_FIX)
    return str(texts[0])


def _regions(task: dict[str, Any], where: str, repairs: Counter[str]) -> list[dict[str, Any]] | None:
    """Regions as `{start, end, text, labels}`; None where nobody has annotated the task."""
    if "annotations" not in task and "completions" not in task:
        lists = (value for value in task.values() if isinstance(value, list))  # JSON-MIN: named as the user's tag is
        found = [item for items in lists for item in items if isinstance(item, dict) and "labels" in item]
        if not found and "annotation_id" not in task:
            raise ZooError("not a task with its annotations", where=where, fix=_FIX)
        return _labels([{"type": "labels", "value": value} for value in found], where, repairs)
    made = [item for item in task.get("annotations", task.get("completions")) or () if isinstance(item, dict)]
    kept = [item for item in made if not item.get("was_cancelled")]
    if not kept:
        return None
    repairs.update({"further annotation of a task left out": len(kept) - 1} if len(kept) > 1 else {})
    return _labels(kept[0].get("result"), where, repairs)


def _labels(results: Any, where: str, repairs: Counter[str]) -> list[dict[str, Any]]:  # noqa: ANN401 - parsed JSON
    if not isinstance(results, list) or not all(isinstance(item, dict) for item in results):
        raise ZooError("an annotation has no list 'result' of objects", where=where, fix=_FIX)
    regions = []
    for item in results:
        if item.get("type") != "labels":
            repairs[f"result of the kind {item.get('type')} ignored"] += 1
        elif not isinstance(value := item.get("value"), dict) or not isinstance(value.get("labels"), list):
            raise ZooError(f"a region has no list 'labels': {item!r:.80}", where=where, fix=_FIX)
        else:
            regions.append(value)
    return regions


def _spans(region: dict[str, Any], text: str | None, where: str, repairs: Counter[str]) -> Iterator[dict[str, Any]]:
    start, end, quoted = region.get("start"), region.get("end"), region.get("text")
    if type(start) is not int or type(end) is not int:
        raise ZooError(f"a region needs integers 'start' and 'end': {region!r:.80}", where=where, fix=_FIX)
    place = align_mention(text, start, end, quoted, repairs) if text and isinstance(quoted, str) else (start, end)
    if place:
        yield from ({"start": place[0], "end": place[1], "type": label} for label in region["labels"])
