"""What cannot become a corpus is refused with one clear message, and nothing is written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.corpora.notes import Add, everything, note, write_jsonl
from zoo.errors import ZooError

REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "bad id": ({"name": "My Notes"}, "is not an id"),
    "path as id": ({"name": "../x"}, "is not an id"),
    "packaged id": ({"name": "cll"}, "'cll' is taken"),
    "no such file": ({"path": Path("nowhere.jsonl")}, "no such file or folder"),
    "no types": ({"types": {}}, "--types does not name Disorder, Drug; the data has Disorder"),
    "type not named": ({"types": {"Disorder": "Disease"}}, "--types does not name Drug"),
    "misspelt type": (
        {"types": {"Disorder": "Disease", "Drug": "Drug", "Dose": "Dose"}},
        "no mention has the type 'Dose'",
    ),
    "misspelt ignored type": (
        {"types": {"Disorder": "Disease"}, "ignored_types": ("Drug", "Dose")},
        "no mention has the type 'Dose'",
    ),
    "type named and ignored": ({"ignored_types": ("Drug",)}, "Drug stands in --types too"),
    "every type ignored": ({"types": {}, "ignored_types": ("Disorder", "Drug")}, "--types names none"),
    "no language": ({"language": "German"}, "language"),
    "types that differ in case": (
        {"types": {"Disorder": "Finding", "Drug": "FINDING"}},
        "Finding, which differs from FINDING",
    ),
    "lower case type": ({"types": {"Disorder": "disease", "Drug": "Chemical"}}, "upper and lower case"),
    "bad type name": ({"types": {"Disorder": "a b", "Drug": "Chemical"}}, "types.Disorder"),
    "no share": ({"dev": 0.0}, "share of dev"),
    "too much held out": ({"test": 0.9}, "less than half"),
    "wrong format": ({"format": "pubtator"}, "notes.jsonl:1"),
    "folder expected": ({"format": "brat"}, "folder"),
}


@pytest.mark.parametrize("case", REFUSALS)
@pytest.mark.parametrize("existing", [False, True])
def test_a_refusal_writes_nothing(add: Add, tmp_path: Path, case: str, existing: bool) -> None:
    changes, words = REFUSALS[case]
    if existing:
        add(name="first", types={"Disorder": "Disease", "Drug": "Drug"})
    else:
        write_jsonl(tmp_path / "notes.jsonl", [note(i) for i in range(20)])
    before = everything(tmp_path)
    with pytest.raises(ZooError) as error:
        add(**changes)
    assert words in str(error.value)
    assert everything(tmp_path) == before
    assert (tmp_path / "registry").exists() == existing


def broken_line(path: Path) -> str:
    with path.open("a") as file:
        file.write('{"id": "x", "text": "short", "spans": [{"start": 2, "end": 99, "type": "Drug"}]}\n')
    return "notes.jsonl:21"


def too_few(path: Path) -> str:
    write_jsonl(path, [note(i) for i in range(9)])
    return "9 documents are too few"


def repeated_id(path: Path) -> str:
    write_jsonl(path, [note(i) for i in [*range(20), 3]])
    return "'note-3'"


def no_mention(path: Path) -> str:
    write_jsonl(path, [{**note(i), "spans": []} for i in range(20)])
    return "holds no mention"


def one_mention(path: Path) -> str:
    write_jsonl(path, [{**note(i), "spans": note(i)["spans"] if i == 0 else []} for i in range(20)])
    return "split holds no mention"


def empty(path: Path) -> str:
    path.write_text("")
    return "no document"


@pytest.mark.parametrize("damage", [broken_line, too_few, repeated_id, no_mention, one_mention, empty])
def test_bad_data_writes_nothing(add: Add, tmp_path: Path, damage: Callable[[Path], str]) -> None:
    write_jsonl(tmp_path / "notes.jsonl", [note(i) for i in range(20)])
    words = damage(tmp_path / "notes.jsonl")
    with pytest.raises(ZooError) as error:
        add()
    assert words in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.jsonl"]


def test_one_id_in_two_files(add: Add, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_jsonl(tmp_path / "many" / f"{name}.jsonl", [note(i) for i in range(10)])
    with pytest.raises(ZooError, match=r"'note-0' stands in a\.jsonl too"):
        add(path=tmp_path / "many")


def test_dev_or_test_without_train(add: Add, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "given" / "dev.jsonl", [note(1)])
    with pytest.raises(ZooError, match="there is a dev split, but no train split"):
        add(path=tmp_path / "given")
    for name in ("test", "notes"):
        write_jsonl(tmp_path / "other" / f"{name}.jsonl", [note(1)])
    with pytest.raises(ZooError, match="there is a test split, but no train split"):
        add(path=tmp_path / "other")


def test_two_candidates_for_a_split(add: Add, tmp_path: Path) -> None:
    for name in ("train", "dev", "valid", "test"):
        write_jsonl(tmp_path / "given" / f"{name}.jsonl", [note(1)])
    with pytest.raises(ZooError, match=r"dev\.jsonl and valid\.jsonl"):
        add(path=tmp_path / "given")


def test_a_folder_without_such_files(add: Add, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(ZooError, match="has no jsonl file"):
        add(path=tmp_path / "none")


def test_an_id_is_added_once(add: Add, tmp_path: Path) -> None:
    add()
    before = everything(tmp_path)
    with pytest.raises(ZooError, match="'my-notes' is taken"):
        add(seed=14)
    assert everything(tmp_path) == before


def test_splits_without_an_entry_are_not_overwritten(add: Add, tmp_path: Path) -> None:
    mine = write_jsonl(tmp_path / "registry" / "splits" / "my-notes" / "train.jsonl", [note(i) for i in range(20)])
    before = everything(tmp_path)
    with pytest.raises(ZooError, match="splits of that id"):
        add(path=mine)
    after = everything(tmp_path)
    assert {name: after[name] for name in before} == before and not list(tmp_path.rglob("*.yaml"))


def test_a_local_copy_that_would_be_read_instead_is_refused(add: Add, tmp_path: Path) -> None:
    (tmp_path / "corpora" / "my-notes").mkdir(parents=True)
    with pytest.raises(ZooError, match="would be read instead"):
        add(local=tmp_path / "corpora")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(add: Add, tmp_path: Path) -> None:
    (tmp_path / "registry").mkdir(mode=0o500)
    with pytest.raises(ZooError, match="cannot write"):
        add()


def test_a_file_where_the_registry_folder_should_be(add: Add, tmp_path: Path) -> None:
    (tmp_path / "registry").write_text("")
    with pytest.raises(ZooError, match="cannot write to the registry folder"):
        add()
