"""Exports of annotation tools: Label Studio, Doccano and Prodigy."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.corpora.notes import Add
from zoo.corpora.document import Document, Span
from zoo.corpora.readers.doccano import read_doccano
from zoo.corpora.readers.label_studio import read_label_studio
from zoo.corpora.readers.prodigy import read_prodigy
from zoo.errors import ZooError
from zoo.registry.schema import SPLITS

TEXT = "No asthma, no 😀 gout."
SPANS = (Span(3, 9, "Disease"), Span(16, 20, "Disease"))
Reader = Any


def region(start: int, end: int, text: str | None = None, labels: Any = ("Disease",)) -> dict[str, Any]:
    value = {"start": start, "end": end, "text": TEXT[start:end] if text is None else text, "labels": list(labels)}
    return {"id": "x", "from_name": "label", "to_name": "text", "type": "labels", "value": value}


def task(*results: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"id": 1, "data": {"text": TEXT}, "annotations": [{"id": 5, "result": list(results)}], **fields}


def read(reader: Reader, path: Path, data: Any) -> tuple[list[Document], Counter[str]]:
    lines = [json.dumps(data, indent=1)] if reader is read_label_studio else map(json.dumps, data)
    path.write_text("\n".join(lines), encoding="utf-8")
    repairs: Counter[str] = Counter()
    return list(reader(path, repairs=repairs)), repairs


@pytest.mark.parametrize(
    ("reader", "items"),
    [
        (read_label_studio, [task(region(3, 9), region(16, 20))]),
        (read_label_studio, [{"id": 1, "text": TEXT, "label": [region(16, 20)["value"], region(3, 9)["value"]]}]),
        (read_label_studio, [task(region(3, 9), region(16, 20), data={"note": TEXT, "number": 3})]),
        (read_doccano, [{"id": 1, "text": TEXT, "label": [[16, 20, "Disease"], [3, 9, "Disease"]], "Comments": []}]),
        (read_doccano, [{"id": 1, "data": TEXT, "labels": [[3, 9, "Disease"], [16, 20, "Disease"]]}]),
        (
            read_doccano,
            [
                {
                    "id": 1,
                    "text": TEXT,
                    "entities": [
                        {"id": i, "label": "Disease", "start_offset": s.start, "end_offset": s.end}
                        for i, s in enumerate(SPANS)
                    ],
                    "relations": [],
                }
            ],
        ),
        (
            read_prodigy,
            [
                {
                    "text": TEXT,
                    "_input_hash": 1,
                    "spans": [{"start": s.start, "end": s.end, "label": s.type, "token_start": 1} for s in SPANS],
                    "answer": "accept",
                }
            ],
        ),
    ],
)
def test_mentions_stand_where_they_were_annotated(reader: Reader, items: list[Any], tmp_path: Path) -> None:
    assert read(reader, tmp_path / "x", items) == ([Document("1", TEXT, SPANS)], Counter())


def test_what_label_studio_leaves_open_is_counted(tmp_path: Path) -> None:
    cancelled = {"was_cancelled": True, "result": [region(0, 2)]}
    tasks = [
        task(region(3, 9), {"type": "relation", "from_id": "a"}),
        {"id": 2, "data": {"text": TEXT}, "annotations": []},
        {"id": 3, "data": {"text": TEXT}, "annotations": [cancelled, {"result": []}, {"result": [region(3, 9)]}]},
        task(region(4, 10, "asthma"), region(0, 2, "elsewhere"), region(16, 20, labels=("Disease", "Joint")), id=4),
        task(id=5, data={"text": None}),
    ]
    documents, repairs = read(read_label_studio, tmp_path / "x.json", tasks)
    assert [(d.id, [s.key for s in d.spans]) for d in documents] == [
        ("1", [(3, 9, "Disease")]),
        ("3", []),
        ("4", [(3, 9, "Disease"), (16, 20, "Disease"), (16, 20, "Joint")]),
    ]
    assert repairs == {
        "result of the kind relation ignored": 1,
        "task without an annotation left out": 1,
        "further annotation of a task left out": 1,
        "mention moved to where its text stands": 1,
        "mention left out: its text is not at its offsets": 1,
        "record without a text left out": 1,
    }


def test_answers_of_prodigy_decide_what_stays(tmp_path: Path) -> None:
    items = [
        {"text": "one", "_input_hash": -7, "answer": "accept"},
        {"text": "two", "answer": "reject", "_input_hash": 8},
        {"text": "three", "answer": "ignore"},
        {"text": "one", "_input_hash": -7, "spans": [{"start": 0, "end": 3, "label": "X"}]},
        {"text": "five", "spans": None},
    ]
    documents, repairs = read(read_prodigy, tmp_path / "x.jsonl", items)
    assert documents == [Document("-7", "one"), Document("5", "five")]
    assert repairs == {
        "text with the answer reject left out": 1,
        "text with the answer ignore left out": 1,
        "further answer for a text left out": 1,
    }


@pytest.mark.parametrize(
    ("reader", "items", "what"),
    [
        (read_label_studio, [1], "not an object"),
        (
            read_label_studio,
            [{"id": 1, "data": {"a": "x", "b": "y"}, "annotations": [{"result": []}]}],
            "no field 'text'",
        ),
        (read_label_studio, [{"id": 1, "data": {"text": TEXT}, "annotations": [{"result": {}}]}], "no list 'result'"),
        (read_label_studio, [task({"type": "labels", "value": {"start": 0, "end": 1}})], "no list 'labels'"),
        (
            read_label_studio,
            [task(region(0, 2) | {"value": {"start": "/p[1]", "end": 2, "labels": ["A"]}})],
            "integers",
        ),
        (read_label_studio, [task(region(0, 99) | {"value": {"start": 0, "end": 99, "labels": ["A"]}})], "outside"),
        (read_doccano, [{"id": 1, "text": "x", "label": ["positive"]}], "no list 'label'"),
        (read_doccano, [{"id": 1, "text": "x"}], "no list 'label'"),
        (read_doccano, [{"id": 1, "text": "x", "label": [[0, 2, "A"]]}], "outside the text"),
        (read_doccano, [[]], "not an object"),
        (read_doccano, [{"id": 1, "text": "x", "label": []}] * 2, "stands in line 1 already"),
        (read_prodigy, [{"text": "x", "spans": [{"start": 0, "end": 1}]}], "'type'"),
        (read_prodigy, [{"text": "x", "spans": [3]}], "list 'spans'"),
        (read_prodigy, ["x"], "list 'spans'"),
    ],
)
def test_what_is_no_such_export_is_refused(reader: Reader, items: list[Any], what: str, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=what) as caught:
        read(reader, tmp_path / "x.json", items)
    assert "x.json:" in str(caught.value.where) and caught.value.fix


@pytest.mark.parametrize("format", ["label-studio", "doccano", "prodigy"])
def test_an_export_becomes_a_corpus(add: Add, tmp_path: Path, format: str) -> None:
    texts = [f"Patient {i} has asthma." for i in range(20)]
    start, end = texts[0].index("asthma"), texts[0].index(".")
    shift = [len(str(i)) - 1 for i in range(20)]
    name = "export.json" if format == "label-studio" else "export.jsonl"
    if format == "label-studio":
        items = [
            task(region(start + n, end + n, "asthma"), id=i, data={"text": text})
            for i, (text, n) in enumerate(zip(texts, shift, strict=True))
        ]
        content = json.dumps(items)
    elif format == "doccano":
        labels = [[[start + n, end + n, "Disease"]] for n in shift]
        content = "\n".join(json.dumps({"id": i, "text": texts[i], "label": labels[i]}) for i in range(20))
    else:
        spans = [[{"start": start + n, "end": end + n, "label": "Disease"}] for n in shift]
        content = "\n".join(json.dumps({"text": texts[i], "spans": spans[i], "answer": "accept"}) for i in range(20))
    (tmp_path / name).write_text(content)
    added = add(path=tmp_path / name, format=format, types={"Disease": "Disease"})
    assert [len(added.corpus.splits[split]) for split in SPLITS] == [14, 2, 4]
    assert all(d.text[s.start : s.end] == "asthma" for d in added.corpus.splits["train"] for s in d.spans)
