"""A run that is broken off goes on where its output is whole; nobody else's output is touched."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zoo.context.assertion import Assertion
from zoo.corpora.document import Document
from zoo.corpora.readers.bioc import read_bioc
from zoo.corpora.readers.brat import read_brat
from zoo.corpora.readers.jsonl import read_jsonl
from zoo.corpora.readers.pubtator import read_pubtator
from zoo.errors import ZooError
from zoo.modeling.windows import Entity
from zoo.ontologies.link import Candidate, Link
from zoo.tagging.outputs.format import Run
from zoo.tagging.outputs.output import Output
from zoo.tagging.texts import Tagged, Text


def tagged(number: int) -> Tagged:
    return Tagged(Text(f"ward/{number}", "type 2\ndiabetes"), ([Entity(0, 15, "Disease", 0.91239)],))


class Broken(Exception):
    pass


def write(path: Path, documents: int, *, kept: int | None = None, given: str = "same") -> Output:
    """Write up to `documents`; with `kept`, note that many as whole and break off after one more."""
    output = Output(path, Run(["model"]), given)
    with output.writing():
        for number in range(output.documents, documents):
            output.add(tagged(number))
            if kept is not None and output.documents == kept:
                output.keep()
            if kept is not None and output.documents == kept + 1:
                raise Broken
    return output


@pytest.mark.parametrize(
    "name", ["found.jsonl", "found.csv", "found.pubtator", "found.bioc.xml", "found.bioc.json", "brat"]
)
def test_a_broken_run_ends_as_an_undisturbed_one(tmp_path: Path, name: str) -> None:
    (tmp_path / "one").mkdir()
    write(tmp_path / "one" / name, 5)
    with pytest.raises(Broken):
        write(tmp_path / name, 5, kept=2)
    assert name == "brat" or not (tmp_path / name).exists()
    assert write(tmp_path / name, 5).documents == 5

    def files(folder: Path) -> dict[str, bytes]:
        inside = [path for path in (folder / name, *(folder / name).glob("*")) if path.is_file()]
        return {path.name: path.read_bytes() for path in inside}

    assert files(tmp_path) == files(tmp_path / "one") and files(tmp_path)
    assert not list(tmp_path.glob("*.progress")) and not list(tmp_path.glob("*.partial"))


def test_another_command_does_not_go_on_from_it(tmp_path: Path) -> None:
    with pytest.raises(Broken):
        write(tmp_path / "found.jsonl", 5, kept=2)
    with pytest.raises(ZooError, match="another model, input or option"):
        Output(tmp_path / "found.jsonl", Run(["model"]), "other")


def test_brat_has_no_mention_over_lines_and_no_path_in_a_name(tmp_path: Path) -> None:
    write(tmp_path / "brat", 1)
    assert (tmp_path / "brat" / "ward%2F0.ann").read_text() == "T1\tDisease 0 6;7 15\ttype 2 diabetes\n"
    (document,) = read_brat(tmp_path / "brat")
    assert [(s.start, s.end, s.type) for s in document.spans] == [(0, 15, "Disease")]


def test_brat_refuses_an_id_that_comes_twice(tmp_path: Path) -> None:
    output = Output(tmp_path / "brat", Run(["model"]), "x")
    with pytest.raises(ZooError, match="came before"), output.writing():
        output.add(tagged(1))
        output.add(tagged(1))


@pytest.mark.parametrize(("name", "what"), [("found.xlsx", "no format"), ("full", "not empty")])
def test_outputs_that_cannot_be(tmp_path: Path, name: str, what: str) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(ZooError, match=what):
        Output(tmp_path / name, Run(["model"]), "x")
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"


def test_a_carriage_return_in_a_mention_is_one_row_in_csv(tmp_path: Path) -> None:
    text = "PMH: chronic kidney\rdisease, asthma."
    found = Tagged(Text("a", text), ([Entity(5, 27, "Disease", 0.9), Entity(29, 35, "Disease", 0.8)],))
    output = Output(tmp_path / "o.csv", Run(["model"]), "x")
    with output.writing():
        output.add(found)
    with (tmp_path / "o.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows] == ["chronic kidney\rdisease", "asthma"]
    assert (tmp_path / "o.csv").read_bytes().count(b"\r") == 1 and b'"chronic kidney\rdisease"' in (
        tmp_path / "o.csv"
    ).read_bytes()


def test_brat_shortens_names_that_no_file_system_takes(tmp_path: Path) -> None:
    ids = ["\u4e2d" * 27, "\u4e2d" * 300, "\u4e2d" * 299 + "\u6587"]
    output = Output(tmp_path / "brat", Run(["model"]), "x")
    with output.writing():
        for number in ids:
            output.add(Tagged(Text(number, "gout"), ([Entity(0, 4, "Disease", 0.9)],)))
    names = sorted(path.name for path in (tmp_path / "brat").glob("*.ann"))
    assert len(names) == 3 and max(map(len, names)) <= 204 and all(name.startswith("%E4%B8%AD") for name in names)
    assert len(list(read_brat(tmp_path / "brat"))) == 3


NAMES = {"MESH:D006073": "Gout", "MESH:D003924": "Diabetes Mellitus, Type 2", "E11.9": "Type 2 diabetes"}
RUN = Run(["m"], lambda ontology, concept: NAMES[concept])


def linked(start: int, end: int, kind: str, *ids: str) -> Entity:
    """An entity with the link of a linker; without ids the linker abstained."""
    seen = (Candidate("MESH:D006073", "podagra", 0.81236, "ngrams"),)
    return Entity(start, end, kind, 0.9, Link(ids, 0.7, seen, "mesh"))


def test_json_lines_hold_concepts_and_a_text_that_is_not_that_of_the_input() -> None:
    from zoo.tagging.outputs.jsonl import FORMAT

    found = [linked(0, 4, "Disease", "MESH:D006073"), linked(0, 4, "Drug"), Entity(0, 4, "X", 0.5)]
    line = json.loads(FORMAT.document(Tagged(Text("7", "gout", derived=True), (found,)), RUN))
    assert line["text"] == "gout"
    sure, unsure, foreign = line["entities"]
    assert (sure["concept_ids"], sure["concept"], sure["link_score"]) == (["MESH:D006073"], "Gout", 0.7)
    assert sure["candidates"] == [["MESH:D006073", "podagra", 0.8124, "ngrams"]]
    assert (unsure["concept_ids"], unsure["concept"]) == ([], "") and unsure["candidates"]
    assert not {"concept_ids", "concept", "link_score", "candidates"} & foreign.keys()


def test_csv_has_columns_of_concepts_where_a_linker_runs() -> None:
    from zoo.tagging.outputs.csv import FORMAT

    found = [linked(0, 4, "Disease", "MESH:D006073", "MESH:D003924"), Entity(0, 4, "X", 0.5)]
    content = FORMAT.header(RUN) + FORMAT.document(Tagged(Text("7", "gout"), (found,)), RUN)
    first, second = csv.DictReader(io.StringIO(content))
    assert first["concept_ids"] == "MESH:D006073;MESH:D003924" and first["link_score"] == "0.7"
    assert first["concept"] == "Gout; Diabetes Mellitus, Type 2"
    assert (second["concept_ids"], second["concept"], second["link_score"]) == ("", "", "")
    assert "concept" not in FORMAT.header(Run(["m"]))


def test_brat_has_a_reference_for_each_concept(tmp_path: Path) -> None:
    found = [linked(0, 15, "Disease", "MESH:D003924", "E11.9"), linked(0, 6, "Part")]
    output = Output(tmp_path / "brat", RUN, "x")
    with output.writing():
        output.add(Tagged(Text("a", "type 2\ndiabetes"), (found,)))
    assert (tmp_path / "brat" / "a.ann").read_text().splitlines() == [
        "T1\tDisease 0 6;7 15\ttype 2 diabetes",
        "N1\tReference T1 MESH:D003924\tDiabetes Mellitus, Type 2",
        "N2\tReference T1 mesh:E11.9\tType 2 diabetes",  # BRAT knows no id without a resource
        "T2\tPart 0 6\ttype 2",
    ]


TEXTS = [
    "Gout.",
    "Gout in type 2 diabetes\nNo gout in him.\r\nGout\tagain \u2028 gout",
    "\n\nGout below two empty lines\n",
    "  Gout\r\n\r\n\tgout \U0001f469 gout, \u00fcber Gout",
    "Gout | a|t|b | 1|2",
    "no mention\x0c here & <there> ]]>",
]
READERS = {".pubtator": read_pubtator, ".bioc.xml": read_bioc, ".bioc.json": read_bioc}


@pytest.mark.parametrize("suffix", list(READERS))
def test_what_is_written_is_read_again(tmp_path: Path, suffix: str) -> None:
    """Spans, types and concept ids are the same, and so is the text but for what the format says it cannot hold."""
    documents = []
    for number, text in enumerate(TEXTS):
        found = [linked(m.start(), m.end(), "Disease", "MESH:D006073") for m in re.finditer("(?i)gout", text)]
        found += [
            linked(m.start(), m.end(), "Sign or Symptom", "E11.9", "MESH:D003924")
            for m in re.finditer(r"type 2\sdiabetes", text)
        ]
        documents.append(Tagged(Text(f"ward/{number}", text), (sorted(found, key=lambda e: e.key),)))
    output = Output(tmp_path / f"found{suffix}", RUN, "x")
    with output.writing():
        for document in documents:
            output.add(document)
    repairs: Counter[str] = Counter()
    read = list(READERS[suffix](tmp_path / f"found{suffix}", repairs=repairs))
    assert not repairs
    assert [document.id for document in read] == [document.text.id for document in documents]
    for one, other in zip(read, documents, strict=True):
        assert [(s.start, s.end, s.type, s.concept_ids) for s in one.spans] == [
            (e.start, e.end, e.type, e.concept_ids) for e in other.entities[0]
        ]
        given = other.text.text
        if suffix == ".pubtator":
            assert one.text == re.sub(r"[\r\n\t]", " ", given)
        else:
            assert one.text == (given.replace("\x0c", " ") if suffix == ".bioc.xml" else given)


NESTED = "human IL-2 receptor gene, T and\nB cells, T\nand B cells"
NESTED_FOUND = [
    Entity(0, 24, "DNA", 0.9),
    Entity(6, 19, "protein", 0.9),
    Entity(6, 19, "DNA", 0.9),
    Entity(6, 10, "protein", 0.9),
    Entity(26, 39, "cell type", 0.9, None, ((26, 27), (34, 39))),
    Entity(32, 39, "cell type", 0.9),
    Entity(41, 54, "cell type", 0.9, None, ((41, 42), (49, 54))),
]


def from_json_lines(path: Path, **_: Any) -> list[Document]:
    """What a line holds is a document of the reader, but for names and the text."""
    line = json.loads(path.read_text())
    spans = [{name: e[name] for name in ("start", "end", "type", "fragments") if name in e} for e in line["entities"]]
    path.write_text(json.dumps({"id": line["id"], "text": NESTED, "spans": spans}))
    return list(read_jsonl(path))


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("found.jsonl", from_json_lines),
        ("found.bioc.xml", read_bioc),
        ("found.bioc.json", read_bioc),
        ("brat", read_brat),
    ],
)
def test_nested_and_discontinuous_mentions_are_read_again(tmp_path: Path, name: str, read: Any) -> None:
    output = Output(tmp_path / name, Run(["m"]), "x")
    with output.writing():
        output.add(Tagged(Text("a", NESTED), (NESTED_FOUND,)))
    repairs: Counter[str] = Counter()
    (document,) = read(tmp_path / name, repairs=repairs)
    kinds = {"_".join(e.type.split()) if name == "brat" else e.type: e.type for e in NESTED_FOUND}
    assert {replace(span, type=kinds[span.type]).key for span in document.spans} == {e.key for e in NESTED_FOUND}
    assert len(document.spans) == len(NESTED_FOUND) and not repairs and output.made_whole == 0


def test_brat_cuts_each_part_of_a_mention_at_line_ends(tmp_path: Path) -> None:
    text, parts = "T\nhelper and B\ncells", ((0, 8), (15, 20))
    output = Output(tmp_path / "brat", Run(["m"]), "x")
    with output.writing():
        output.add(Tagged(Text("a", text), ([Entity(0, 20, "cell", 0.9, None, parts)],)))
    assert (tmp_path / "brat" / "a.ann").read_text() == "T1\tcell 0 1;2 8;15 20\tT helper cells\n"
    (document,) = read_brat(tmp_path / "brat")
    assert [span.key for span in document.spans] == [(0, 20, "cell", parts)]


def test_csv_has_a_column_of_parts_where_there_may_be_some() -> None:
    from zoo.tagging.outputs.csv import FORMAT

    run, found = Run(["m"], fragments=True), Tagged(Text("a", NESTED), (NESTED_FOUND,))
    rows = list(csv.DictReader(io.StringIO(FORMAT.header(run) + FORMAT.document(found, run))))
    assert [row["fragments"] for row in rows] == ["", "", "", "", "26 27;34 39", "", "41 42;49 54"]
    assert rows[4]["text"] == "T cells" and rows[1]["text"] == "IL-2 receptor"
    assert "fragments" not in FORMAT.header(Run(["m"]))


def test_pubtator_writes_discontinuous_mentions_whole_and_counts_them(tmp_path: Path) -> None:
    output = Output(tmp_path / "found.pubtator", Run(["m"]), "x")
    with output.writing():
        output.add(Tagged(Text("a", NESTED), (NESTED_FOUND,)))
    (document,) = read_pubtator(tmp_path / "found.pubtator")
    assert {span.key for span in document.spans} == {e.key[:3] for e in NESTED_FOUND} and output.made_whole == 2


@pytest.mark.parametrize(("suffix", "texts", "ids"), [(".pubtator", ["", " \n"], []), (".bioc.json", [], [])])
def test_a_file_of_nothing_is_sound(tmp_path: Path, suffix: str, texts: list[str], ids: list[str]) -> None:
    output = Output(tmp_path / f"found{suffix}", RUN, "x")
    with output.writing():
        for number, text in enumerate(texts):
            output.add(Tagged(Text(str(number), text), ([],)))
    assert [document.id for document in READERS[suffix](tmp_path / f"found{suffix}")] == ids


@pytest.mark.parametrize("suffix", list(READERS))
def test_ids_that_a_cell_cannot_hold_are_refused(tmp_path: Path, suffix: str) -> None:
    output = Output(tmp_path / f"found{suffix}", Run(["m"], lambda *_: ""), "x")
    with pytest.raises(ZooError, match="cannot tell the concept ids"), output.writing():
        output.add(Tagged(Text("a", "gout"), ([linked(0, 4, "Disease", "A;1")],)))


def test_pubtator_quotes_ids_and_refuses_a_text_that_begins_another_document(tmp_path: Path) -> None:
    output = Output(tmp_path / "found.pubtator", RUN, "x")
    with pytest.raises(ZooError, match="a line of PubTator begins with"), output.writing():
        output.add(Tagged(Text("a|b\tc ", "gout"), ([linked(0, 4, "Disease", "MESH:D006073")],)))
        output.keep()
        output.add(Tagged(Text("7", "gout 7|t|gout"), ([],)))
    lines = (tmp_path / "found.pubtator.partial").read_text().splitlines()
    assert lines[0] == "a%7Cb%09c|t|gout" and lines[2] == "a%7Cb%09c\t0\t4\tgout\tDisease\tMESH:D006073"


SAID = Assertion("negated", "historical", "other", "family_history", ("no",))
ASSERTED = [
    Entity(0, 15, "Disease", 0.9, Link(("MESH:D003924",), 0.7, (), "mesh"), assertion=SAID),
    Entity(7, 15, "Sign", 0.8, assertion=Assertion("possible", "hypothetical")),
    Entity(0, 4, "Part", 0.7, assertion=Assertion()),
]
ASSERTED_RUN = replace(RUN, asserted=True)


def test_what_the_text_says_is_in_every_format_that_can_hold_it() -> None:
    from zoo.tagging.outputs import bioc, jsonl
    from zoo.tagging.outputs import csv as csv_output

    document = Tagged(Text("7", "type 2\ndiabetes"), (ASSERTED,))
    first, _, plain = json.loads(jsonl.FORMAT.document(document, ASSERTED_RUN))["entities"]
    axes = {"negation": "negated", "temporality": "historical", "experiencer": "other"}
    assert first["assertion"] == {**axes, "cues": ["no"]} and first["section"] == "family_history"
    assert plain["assertion"]["negation"] == "affirmed" and plain["section"] == ""
    content = csv_output.FORMAT.header(ASSERTED_RUN) + csv_output.FORMAT.document(document, ASSERTED_RUN)
    rows = list(csv.DictReader(io.StringIO(content)))
    assert rows[0].items() >= {**axes, "section": "family_history", "concept_ids": "MESH:D003924"}.items()
    assert rows[1]["temporality"] == "hypothetical" and rows[2]["experiencer"] == "patient"
    assert "negation" not in csv_output.FORMAT.header(RUN)
    infons = bioc.bioc_document(document, ASSERTED_RUN).passages[0].annotations[0].infons
    assert infons.items() >= {**axes, "section": "family_history", "identifier": "MESH:D003924"}.items()


def test_brat_has_attributes_and_reads_what_it_wrote(tmp_path: Path) -> None:
    output = Output(tmp_path / "brat", replace(ASSERTED_RUN, models=["one", "two"]), "x")
    with output.writing():
        output.add(Tagged(Text("a", "type 2\ndiabetes"), (ASSERTED[:2], ASSERTED[2:])))
    assert (tmp_path / "brat" / "a.ann").read_text().splitlines() == [
        "T1\tDisease 0 6;7 15\ttype 2 diabetes",
        "N1\tReference T1 MESH:D003924\tDiabetes Mellitus, Type 2",
        "A1\tNegated T1",
        "A2\tHistorical T1",
        "A3\tSomeoneElse T1",
        "#1\tAnnotatorNotes T1\tone",
        "#2\tAnnotatorNotes T1\tsection: family_history",
        "T2\tSign 7 15\tdiabetes",
        "A4\tPossible T2",
        "A5\tHypothetical T2",
        "#3\tAnnotatorNotes T2\tone",
        "T3\tPart 0 4\ttype",
        "#4\tAnnotatorNotes T3\ttwo",
    ]
    repairs: Counter[str] = Counter()
    (document,) = read_brat(tmp_path / "brat", repairs=repairs)
    assert {span.key for span in document.spans} == {entity.key for entity in ASSERTED}
    assert repairs["attribute line ignored"] == 5 and repairs["note line ignored"] == 4
