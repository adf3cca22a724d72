"""A column of names: the table comes back as it was, with four columns more; what is malformed names file and line."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import pytest

from zoo.errors import ZooError
from zoo.linking.columns import ROWS, Counts, Kind, kind_of, link_column, whole_file
from zoo.ontologies.link import Candidate, Link

KNOWN = {"gout": "MESH:D006073", "asthma": "MESH:D001249"}


class Asked:
    """Links names that it knows, and remembers what it was asked."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, names: list[str]) -> list[Link]:
        self.names += names
        ids = [(KNOWN[name.lower()],) if name.lower() in KNOWN else () for name in names]
        seen = (Candidate("MESH:D006073", "podagra", 0.25, "ngrams"), Candidate("MESH:D001249", "asthma", 0.1, "exact"))
        return [Link(found, 0.75, seen, "mesh") for found in ids]


def linked(path: Path, field: str, kind: Kind | None = None, asked: Asked | None = None) -> tuple[str, Counts]:
    written = io.StringIO(newline="")
    counts = link_column(
        path, field, written, kind or kind_of(path), asked or Asked(), lambda ontology, concept: f"{ontology} {concept}"
    )
    return written.getvalue(), counts


@pytest.mark.parametrize(("name", "separator"), [("t.csv", ","), ("t.tsv", "\t"), ("t.csv.gz", ",")])
def test_a_table_keeps_its_columns_and_rows(tmp_path: Path, name: str, separator: str) -> None:
    rows = [
        ["n", "term", "n"],
        ["1", "Gout", 'a "b"'],
        ["2", "", "x\ry"],
        ["3", "flu", "two\nlines"],
        ["4", "Gout", ""],
    ]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL).writerows(rows)
    packed = name.endswith(".gz")
    (tmp_path / name).write_bytes(gzip.compress(text.getvalue().encode()) if packed else text.getvalue().encode())
    asked = Asked()
    written, counts = linked(tmp_path / name, "term", asked=asked)
    found = list(csv.reader(io.StringIO(written, newline=""), delimiter=separator))
    assert [row[:3] for row in found] == rows
    assert found[0][3:] == ["concept_id", "concept", "score", "candidates"]
    seen = "MESH:D006073 0.2500; MESH:D001249 0.1000"
    assert found[1][3:] == found[4][3:] == ["MESH:D006073", "mesh MESH:D006073", "0.75", seen]
    assert found[2][3:] == [""] * 4 and found[3][3:5] == ["", ""]
    assert asked.names == ["Gout", "flu"] and counts == Counts(rows=4, names=2, linked=2)


def test_json_lines_keep_their_fields(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"term": "gout", "more": {"a": [1]}}\n\n{"term": null}\n', encoding="utf-8")
    written, _ = linked(path, "term")
    first, second = map(json.loads, written.splitlines())
    assert first["more"] == {"a": [1]} and first["concept_id"] == "MESH:D006073" and first["score"] == 0.75
    assert first["candidates"][0] == ["MESH:D006073", "podagra", 0.25, "ngrams"]
    assert second == {"term": None, "concept_id": "", "concept": "", "score": None, "candidates": []}


def test_a_name_a_line_becomes_any_table(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("gout\n\nasthma, mild\n")
    written, _ = linked(tmp_path / "t.txt", "name", "csv")
    assert [row["name"] for row in csv.DictReader(io.StringIO(written))] == ["gout", "asthma, mild"]
    written, _ = linked(tmp_path / "t.txt", "name", "jsonl")
    assert [json.loads(line)["name"] for line in written.splitlines()] == ["gout", "asthma, mild"]


def test_a_name_is_linked_once_in_the_whole_table(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("\n".join(["gout", "asthma"] * ROWS))
    asked = Asked()
    _, counts = linked(tmp_path / "t.txt", "name", "csv", asked)
    assert asked.names == ["gout", "asthma"] and counts == Counts(rows=2 * ROWS, names=2, linked=2 * ROWS)


@pytest.mark.parametrize(
    ("name", "content", "what", "line"),
    [
        ("t.csv", "a,b\n1,2\n", "no column 'term'", 1),
        ("t.csv", "", "no column 'term'", 1),
        ("t.csv", "term,term\n1,2\n", "two columns 'term'", 1),
        ("t.csv", "term,b\ngout,2\ngout,2,3\n", "the row has 3 cells, the first line 2", 3),
        ("t.csv", 'term,b\n"gout"x,2\n', "not valid CSV", 2),
        ("t.tsv", "term\tb\ngout\n", "the row has 1 cells, the first line 2", 2),
        ("t.csv", "term,score\n1,2\n", "there is a column 'score' already", 1),
        ("t.jsonl", '{"term": "gout"}\n{"term": 3}\n', "no text field 'term'", 2),
        ("t.jsonl", '{"term": "gout"}\n{"term": \n', "not valid JSON", 2),
        ("t.jsonl", '{"term": "gout", "candidates": 1}\n', "there is a column 'candidates' already", 1),
    ],
)
def test_what_is_malformed_is_one_message_with_file_and_line(
    tmp_path: Path, name: str, content: str, what: str, line: int
) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ZooError, match=what) as error:
        linked(path, "term")
    assert error.value.where == f"{path}:{line}"


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), whole_file(tmp_path / "below" / "o.csv") as file:
        file.write("half")
        raise RuntimeError
    assert not list((tmp_path / "below").iterdir())
    with whole_file(tmp_path / "o.csv") as file:
        file.write("whole\r\n")
    assert (tmp_path / "o.csv").read_bytes() == b"whole\r\n"
    with pytest.raises(ZooError, match="there already"), whole_file(tmp_path / "o.csv"):
        pass
