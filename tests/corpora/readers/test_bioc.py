"""BioC XML and JSON: offsets of passages, several locations, sentences, concept ids; errors name file and place."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.corpora.writers import RUNNING_DOCUMENTS, bioc
from zoo.corpora.document import Document, Span
from zoo.corpora.readers.bioc import read_bioc
from zoo.corpora.readers.pubtator import read_pubtator
from zoo.errors import ZooError

XML = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE collection SYSTEM "BioC.dtd">
<collection><source>s</source><date>d</date><key>k</key>
<document><id>7</id>
<passage><infon key="type">title</infon><offset>0</offset><text>Breast &amp; ovarian cancer.</text>
<annotation id="1"><infon key="type">Disease</infon><infon key="MESH">D001943|D010051</infon>
<location offset="0" length="6"/><location offset="17" length="6"/><text>Breast cancer</text></annotation>
<relation id="r"><node refid="1" role="x"/></relation>
</passage>
<passage><offset>27</offset>
<sentence><offset>27</offset><text>It spreads.</text></sentence>
<sentence><offset>39</offset><text>Not asthma.</text>
<annotation id="2"><infon key="type">Disease</infon><location offset="43" length="6"/><text>asthma</text></annotation>
</sentence></passage>
</document></collection>
"""


def read(path: Path, text: str) -> tuple[list[Document], Counter[str]]:
    path.write_text(text, encoding="utf-8")
    repairs: Counter[str] = Counter()
    return list(read_bioc(path, repairs=repairs)), repairs


def collection(*passages: dict[str, Any], **fields: object) -> str:
    """A BioC JSON collection of one document."""
    empty: dict[str, Any] = {"infons": {}, "sentences": [], "annotations": [], "relations": []}
    document = {
        "id": "7",
        "infons": {},
        "relations": [],
        "passages": [empty | passage for passage in passages],
    } | fields
    return json.dumps({"source": "", "date": "", "key": "", "infons": {}, "documents": [document]})


def annotation(start: int, length: int, text: str | None, **infons: object) -> dict[str, Any]:
    place = {"offset": start, "length": length}
    return {"id": "1", "infons": {"type": "Disease", **infons}, "text": text, "locations": [place]}


@pytest.mark.parametrize("form", ["xml", "json"])
@pytest.mark.parametrize("packed", [False, True])
def test_written_documents_are_read_back(form: str, packed: bool, tmp_path: Path) -> None:
    data = bioc(RUNNING_DOCUMENTS, form).encode()
    path = tmp_path / f"x.{form}{'.gz' if packed else ''}"
    path.write_bytes(gzip.compress(data) if packed else data)
    repairs: Counter[str] = Counter()
    assert list(read_bioc(path, repairs=repairs)) == list(RUNNING_DOCUMENTS)
    assert not repairs


def test_xml(tmp_path: Path) -> None:
    documents, repairs = read(tmp_path / "x.xml", XML)
    assert documents == [
        Document(
            "7",
            "Breast & ovarian cancer.   It spreads. Not asthma.",
            (Span(0, 23, "Disease", ("D001943", "D010051"), ((0, 6), (17, 23))), Span(43, 49, "Disease")),
        )
    ]
    assert repairs == {"relation ignored": 1}


def test_parts_over_white_space_are_joined(tmp_path: Path) -> None:
    xml = XML.replace(
        '<location offset="17" length="6"/><text>Breast cancer', '<location offset="7" length="1"/><text>Breast &amp;'
    )
    documents, repairs = read(tmp_path / "x.xml", xml)
    assert documents[0].spans[0] == Span(0, 8, "Disease", ("D001943", "D010051"))
    assert repairs == {"relation ignored": 1, "parts of a mention joined over white space": 1}


@pytest.mark.parametrize(
    ("item", "place", "repair"),
    [
        (annotation(4, 6, "asthma"), (4, 10), None),
        (annotation(4, 6, None), (4, 10), None),
        (annotation(2, 6, "asthma"), (4, 10), "mention moved to where its text stands"),
        (annotation(4, 6, "asthme"), (4, 10), "mention spelt otherwise than the text at its offsets"),
        (annotation(4, 6, "cancer"), None, "mention left out: its text is not at its offsets"),
        (annotation(4, 60, None), None, "mention left out: its text is not at its offsets"),
        (annotation(4, 0, None), None, "mention left out: its text is not at its offsets"),
        (annotation(4, 6, "asthma") | {"locations": []}, None, "annotation without a location ignored"),
    ],
)
def test_places_of_annotations(
    item: dict[str, Any], place: tuple[int, int] | None, repair: str | None, tmp_path: Path
) -> None:
    documents, repairs = read(
        tmp_path / "x.json", collection({"offset": 0, "text": "Not asthma.", "annotations": [item]})
    )
    assert [(span.start, span.end) for span in documents[0].spans] == ([place] if place else [])
    assert repairs == ({repair: 1} if repair else {})


@pytest.mark.parametrize(
    ("infons", "ids"),
    [
        ({"identifier": "D1|D2"}, ("D1", "D2")),
        ({"Identifier": "D1"}, ("D1",)),
        ({"NCBI_Gene": "7157", "MESH": "D1"}, ("D1", "7157")),
        ({"identifier": None, "note": "D1"}, ()),
        ({"identifier": "-"}, ()),
        ({"identifier": 9606}, ("9606",)),
    ],
)
def test_concept_ids(infons: dict[str, Any], ids: tuple[str, ...], tmp_path: Path) -> None:
    item = annotation(4, 6, "asthma", **infons)
    documents, _ = read(tmp_path / "x.json", collection({"offset": 0, "text": "Not asthma.", "annotations": [item]}))
    assert documents[0].spans[0].concept_ids == ids


def test_a_list_of_collections(tmp_path: Path) -> None:
    one, other = (collection({"offset": 0, "text": "Text."}, id=name) for name in ("a", "b"))
    assert [document.id for document in read(tmp_path / "x.json", f"[{one}, {other}]")[0]] == ["a", "b"]


def test_repeated_documents(tmp_path: Path) -> None:
    passage = {"offset": 0, "text": "Not asthma.", "annotations": [annotation(4, 6, "asthma")]}
    documents, repairs = read(tmp_path / "x.json", f"[{collection(passage)}, {collection(passage)}]")
    assert len(documents) == 1
    assert repairs == {"repeated document left out": 1, "mention of a repeated document left out": 1}
    with pytest.raises(ZooError, match="two different documents"):
        read(tmp_path / "x.json", f"[{collection(passage)}, {collection(passage | {'text': 'No, asthma!'})}]")


FINE = {"offset": 0, "text": "Not asthma."}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (XML.replace("</passage>", "", 1), "not valid XML"),
        (XML[: len(XML) // 2], "not valid XML"),
        ("<html><p>x</p></html>", "no <collection>"),
        (XML.replace('offset="0"', 'offset="x"'), "not BioC XML"),
        (XML.replace('offset="0"', ""), "not BioC XML"),
        (XML.replace('length="6"', 'length="-6"', 1), "malformed"),
        (XML.replace("<offset>27<", "<offset><"), "not BioC XML"),
        (XML.replace("<offset>39<", "<offset>30<"), "overlap"),
        (XML.replace("<id>7</id>", ""), "no id"),
        (XML.replace('key="type">Disease', 'key="tipe">Disease'), "has no type"),
        ("", "not valid JSON"),
        ("plain text", "not valid JSON"),
        ('{"a": 1}', "no list 'documents'"),
        ("[1]", "no list 'documents'"),
        ('{"documents": [1]}', "not BioC JSON"),
        (collection({"text": "No offset."}), "no field 'offset'"),
        (collection({"offset": "0", "text": "x"}), "malformed"),
        (collection({"offset": True, "text": "x"}), "malformed"),
        (collection({"offset": 0, "text": 5}), "malformed"),
        (collection(FINE, FINE), "overlap"),
        (collection(FINE, FINE | {"offset": 10**12}), "too far apart"),
        (collection(FINE, id=None), "no id"),
        (collection(FINE | {"annotations": [annotation(4, 6, "asthma") | {"infons": []}]}), "has no type"),
        (collection(FINE | {"annotations": [annotation(4, 6, "asthma") | {"infons": "type"}]}), "malformed"),
        (collection(FINE | {"annotations": [annotation(4, 6, "asthma") | {"text": ["asthma"]}]}), "malformed"),
        (collection(FINE | {"annotations": {"id": "1"}}), "not BioC JSON"),
        (collection({"offset": 0, "text": "\\ud83d"}).replace("\\\\", "\\"), "surrogate"),
    ],
)
def test_malformed_files(text: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=what) as caught:
        read(tmp_path / "x", text)
    assert str(tmp_path / "x") in str(caught.value.where)


@pytest.mark.parametrize("form", ["xml", "json"])
def test_real_documents_written_as_bioc_are_the_same(form: str, shared_data: Path, tmp_path: Path) -> None:
    documents = list(
        read_pubtator(shared_data / "standoff" / "bc5cdr" / "CDR_sample_50_with_CID_relations.PubTator.gz")
    )
    assert read(tmp_path / "x", bioc(documents, form)) == (documents, Counter())


def test_json_lines_and_answers_of_pubtator_are_read(tmp_path: Path) -> None:
    item = {"offset": 4, "length": 6}
    found = {"id": "1", "infons": {"type": "Disease"}, "text": "asthma", "locations": [item]}
    (document,) = json.loads(collection({"offset": 0, "text": "Not asthma.", "annotations": [found]}))["documents"]
    other = {**document, "id": "8", "_id": "8|None", "pmid": 8}
    collections = [{"documents": [document]}, {"documents": [other]}]
    for text in (
        f"{json.dumps(document)}\n{json.dumps(other)}\n",
        "\n".join(map(json.dumps, collections)),
        json.dumps([document, other]),
        json.dumps({"PubTator3": [document, other]}),
    ):
        documents, repairs = read(tmp_path / "x.json", text)
        assert [(d.id, d.text, [s.key for s in d.spans]) for d in documents] == [
            (name, "Not asthma.", [(4, 10, "Disease")]) for name in ("7", "8")
        ]
        assert not repairs
    with pytest.raises(ZooError, match="no list 'documents'") as caught:
        read(tmp_path / "x.json", f"{json.dumps(document)}\n{{}}\n")
    assert str(caught.value.where).endswith("x.json:2")
