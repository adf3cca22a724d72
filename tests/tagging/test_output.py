"""A run that is broken off goes on where its output is whole; nobody else's output is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.corpora.readers.brat import read_brat
from zoo.errors import ZooError
from zoo.modeling.windows import Entity
from zoo.tagging.output import Output
from zoo.tagging.stream import Tagged
from zoo.tagging.texts import Text


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
