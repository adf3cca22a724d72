"""A run that is broken off goes on where its output is whole; nobody else's output is touched."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from zoo.corpora.readers.brat import read_brat
from zoo.errors import ZooError
from zoo.modeling.windows import Entity
from zoo.tagging.outputs.output import Output
from zoo.tagging.texts import Tagged, Text


def tagged(number: int) -> Tagged:
    return Tagged(Text(f"ward/{number}", "type 2\ndiabetes"), ([Entity(0, 15, "Disease", 0.91239)],))


class Broken(Exception):
    pass


def write(path: Path, documents: int, *, kept: int | None = None, given: str = "same") -> Output:
    """Write up to `documents`; with `kept`, note that many as whole and break off after one more."""
    output = Output(path, ["model"], given)
    with output.writing():
        for number in range(output.documents, documents):
            output.add(tagged(number))
            if kept is not None and output.documents == kept:
                output.keep()
            if kept is not None and output.documents == kept + 1:
                raise Broken
    return output


@pytest.mark.parametrize("name", ["found.jsonl", "found.csv", "brat"])
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
        Output(tmp_path / "found.jsonl", ["model"], "other")


def test_brat_has_no_mention_over_lines_and_no_path_in_a_name(tmp_path: Path) -> None:
    write(tmp_path / "brat", 1)
    assert (tmp_path / "brat" / "ward%2F0.ann").read_text() == "T1\tDisease 0 6;7 15\ttype 2 diabetes\n"
    (document,) = read_brat(tmp_path / "brat")
    assert [(s.start, s.end, s.type) for s in document.spans] == [(0, 15, "Disease")]


def test_brat_refuses_an_id_that_comes_twice(tmp_path: Path) -> None:
    output = Output(tmp_path / "brat", ["model"], "x")
    with pytest.raises(ZooError, match="came before"), output.writing():
        output.add(tagged(1))
        output.add(tagged(1))


@pytest.mark.parametrize(("name", "what"), [("found.xlsx", "no format"), ("full", "not empty")])
def test_outputs_that_cannot_be(tmp_path: Path, name: str, what: str) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(ZooError, match=what):
        Output(tmp_path / name, ["model"], "x")
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"


def test_a_carriage_return_in_a_mention_is_one_row_in_csv(tmp_path: Path) -> None:
    text = "PMH: chronic kidney\rdisease, asthma."
    found = Tagged(Text("a", text), ([Entity(5, 27, "Disease", 0.9), Entity(29, 35, "Disease", 0.8)],))
    output = Output(tmp_path / "o.csv", ["model"], "x")
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
    output = Output(tmp_path / "brat", ["model"], "x")
    with output.writing():
        for number in ids:
            output.add(Tagged(Text(number, "gout"), ([Entity(0, 4, "Disease", 0.9)],)))
    names = sorted(path.name for path in (tmp_path / "brat").glob("*.ann"))
    assert len(names) == 3 and max(map(len, names)) <= 204 and all(name.startswith("%E4%B8%AD") for name in names)
    assert len(list(read_brat(tmp_path / "brat"))) == 3


def test_json_lines_hold_concepts_and_a_text_that_is_not_that_of_the_input() -> None:
    from zoo.tagging.outputs.jsonl import FORMAT

    linked = Entity(0, 4, "Disease", 0.9, ("MESH:D006073",))
    line = json.loads(
        FORMAT.document(Tagged(Text("7", "gout", derived=True), ([linked, Entity(0, 4, "X", 0.5)],)), ["m"])
    )
    assert line["text"] == "gout"
    assert [entity.get("concept_ids") for entity in line["entities"]] == [["MESH:D006073"], None]
