"""What `--types` can say: names with commas, all types, types that differ in case only."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.corpora.notes import Add, note, write_jsonl
from tests.in_process import Zoo
from zoo.corpora.type_names import parse_types, split_names
from zoo.errors import ZooError
from zoo.registry.loader import load_registry

MEDMENTIONS = "{0}|t|KIN17 modifies asthma {0}\n{0}|a|\n{0}\t0\t5\tKIN17\tT116,T123\tC0000001\n\n"


@pytest.mark.parametrize(
    ("argument", "types", "takes_all"),
    [
        ("A,B=Disease", {"A": "A", "B": "Disease"}, False),
        ('"T116,T123"=Enzyme, B', {"T116,T123": "Enzyme", "B": "B"}, False),
        ('"T116,T123=Enzyme"', {"T116,T123": "Enzyme"}, False),
        ("a=b=C", {"a=b": "C"}, False),
        ("all", {}, True),
        ("all,B=Disease", {"B": "Disease"}, True),
        ("all=Every", {"all": "Every"}, False),
        ("", {}, False),
    ],
)
def test_parse(argument: str, types: dict[str, str], takes_all: bool) -> None:
    assert parse_types(argument) == (types, takes_all)
    assert split_names('Dose, "A,B"') == ["Dose", "A,B"]


@pytest.mark.parametrize(
    ("argument", "what"), [("A=", "takes A,B=C"), ("=B", "takes A,B=C"), ("A,A=B", "names A twice")]
)
def test_mistakes(argument: str, what: str) -> None:
    with pytest.raises(ZooError, match=what):
        parse_types(argument)


def test_the_printed_fix_names_a_type_with_a_comma(zoo: Zoo, tmp_path: Path) -> None:
    (tmp_path / "mm.txt").write_text("".join(MEDMENTIONS.format(i) for i in range(12)))
    command = ("corpora", "add", "mm", "--format", "pubtator", "--path", "mm.txt")
    refused = zoo(*command, check=2)
    (fix,) = [line for line in refused.stderr.splitlines() if "fix:" in line]
    told = shlex.split(fix.partition("--types ")[2].partition(", with")[0])
    assert told == ['"T116,T123"=T116_T123']
    zoo(*command, "--types", told[0])
    assert load_registry(tmp_path / "registry").corpus("mm").types == {"T116,T123": "T116_T123"}


def typed(index: int, *types: str) -> dict[str, Any]:
    item = note(index)
    item["spans"] = [span | {"type": name} for span, name in zip(item["spans"], types, strict=True)]
    return item


def test_all_types_of_a_large_corpus(add: Add, tmp_path: Path) -> None:
    notes = [typed(i, f"Kind {i}", "disease") for i in range(41)]
    added = add(path=write_jsonl(tmp_path / "many.jsonl", notes), types={}, all_types=True)
    types = added.corpus.entry.types
    assert len(types) == 42 and types["Kind 7"] == "Kind_7" and types["disease"] == "Disease"
    assert "room for 128 types" in added.notes[-1]


def test_types_that_differ_in_case_only_must_each_be_named(add: Add, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "notes.jsonl", [typed(i, "Sign_symptom", "SIGN_SYMPTOM") for i in range(20)])
    with pytest.raises(ZooError, match="Sign_symptom and SIGN_SYMPTOM differ in case") as caught:
        add(path=path, types={}, all_types=True)
    assert "--types all,Sign_symptom,SIGN_SYMPTOM=Sign_symptom" in str(caught.value)
    with pytest.raises(ZooError, match="--types names Sign_symptom, which differs from SIGN_SYMPTOM"):
        add(path=path, types={"Sign_symptom": "Sign_symptom", "SIGN_SYMPTOM": "SIGN_SYMPTOM"})
    named = {"Sign_symptom": "Sign_symptom", "SIGN_SYMPTOM": "Sign_symptom"}
    assert add(path=path, types=named, all_types=True).corpus.entry.entity_types == ("Sign_symptom",)
    assert not (tmp_path / "registry" / "corpora" / "other.yaml").exists()
