"""JSON lines with offsets: what is read back, what is refused."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.corpora.writers import RUNNING_DOCUMENTS, jsonl
from zoo.corpora.document import Document, Span, fingerprint
from zoo.corpora.readers.jsonl import read_jsonl
from zoo.errors import ZooError

BROKEN = Document("105", "Breast and ovarian cancer", (Span(0, 25, "Disease", ("D1",), ((0, 6), (19, 25))),))


def test_written_documents_are_read_back(tmp_path: Path) -> None:
    documents = [*RUNNING_DOCUMENTS, BROKEN]
    (tmp_path / "x.jsonl").write_text(jsonl(documents).replace("\n", "\n\n"), encoding="utf-8")
    assert list(read_jsonl(tmp_path / "x.jsonl")) == documents


def test_real_documents(shared_data: Path, tmp_path: Path) -> None:
    from zoo.corpora.readers.pubtator import read_pubtator

    documents = list(read_pubtator(shared_data / "standoff" / "ncbi-disease" / "NCBI_dev.PubTator.gz"))
    (tmp_path / "x.jsonl").write_text(jsonl(documents), encoding="utf-8")
    assert list(read_jsonl(tmp_path / "x.jsonl")) == documents


def line(**fields: Any) -> str:
    return json.dumps({"id": "a", "text": "Aspirin helps", "spans": []} | fields)


def span(**fields: Any) -> str:
    return line(spans=[{"start": 0, "end": 7, "type": "Chemical"} | fields])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "not valid JSON"),
        ("[]", "no text field"),
        (line(id=None), "no text field"),
        (line(text=5), "no text field"),
        (line(text="\ud83d"), "surrogate"),
        ('{"id": "a", "text": "x"}', "no list 'spans'"),
        (line(spans={}), "no list 'spans'"),
        (line(spans=["x"]), "not an object"),
        (span(start="0"), "integers"),
        (span(start=0.0), "integers"),
        (span(end=True), "integers"),
        (span(type=""), "'type'"),
        (span(start=-1), "outside the text"),
        (span(end=14), "outside the text"),
        (span(start=7), "outside the text"),
        (span(concept_ids="D1"), "not a list of texts"),
        (span(concept_ids=[1]), "not a list of texts"),
        (span(fragments="0 7"), "pairs of integers"),
        (span(fragments=[[0, 3, 7]]), "pairs of integers"),
        (span(fragments=[[0, 7]]), "not the parts"),
        (span(fragments=[[0, 3], [4, 6]]), "not the parts"),
        (span(fragments=[[4, 7], [0, 3]]), "not the parts"),
        (line(id="first"), "stands in line 1 already"),
    ],
)
def test_malformed_lines_are_named(text: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(f"{line(id='first')}\n\n{text}\n")
    with pytest.raises(ZooError, match=what) as caught:
        list(read_jsonl(tmp_path / "x.jsonl"))
    assert str(caught.value.where).endswith("x.jsonl:3")


@pytest.mark.parametrize(
    ("fragments", "joined"), [([[0, 3], [2, 7]], ()), ([[0, 2], [3, 5], [4, 6], [4, 7]], ((0, 2), (3, 7)))]
)
def test_fragments_that_share_characters_are_joined_and_counted(
    fragments: list[list[int]], joined: tuple[tuple[int, int], ...], tmp_path: Path
) -> None:
    (tmp_path / "x.jsonl").write_text(span(fragments=fragments))
    repairs: Counter[str] = Counter()
    (document,) = read_jsonl(tmp_path / "x.jsonl", repairs=repairs)
    assert document.spans == (Span(0, 7, "Chemical", fragments=joined),)
    assert repairs == {"fragments that share characters joined": 1}


def test_what_is_read_has_a_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(line(text="\ud83d\ude00 x"), encoding="utf-8")
    assert fingerprint(read_jsonl(tmp_path / "x.jsonl"))


def test_records_without_a_text_are_left_out_and_ids_may_be_numbers(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(f"{line(id=5)}\n{line(id=6, text=None)}\n{line(id='a')}\n")
    repairs: Counter[str] = Counter()
    assert [document.id for document in read_jsonl(tmp_path / "x.jsonl", repairs=repairs)] == ["5", "a"]
    assert repairs == {"record without a text left out": 1}
