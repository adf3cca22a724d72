"""`result.json`: its schema file is current, and what is not such a file is refused with one clear message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.records import result, result_data, split_score
from zoo.errors import ZooError
from zoo.evaluation.result import RESULT_FILE, Result, find_results, load_result
from zoo.evaluation.result_schema import SCHEMA_FILE, schema_text
from zoo.files import write_whole


def test_the_schema_file_is_current() -> None:
    """If this fails: python -m zoo.evaluation.result_schema."""
    assert json.loads(SCHEMA_FILE.read_text()) == json.loads(schema_text())


def test_the_schema_documents_version_and_figures() -> None:
    schema = json.loads(SCHEMA_FILE.read_text())
    assert schema["properties"]["schema_version"]["const"] == 1
    assert schema["additionalProperties"] is False
    assert "grams" in schema["$defs"]["Energy"]["properties"]["emissions_g"]["description"]


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    before = result()
    before.save(tmp_path)
    assert load_result(tmp_path / RESULT_FILE) == before
    assert [path.name for path in tmp_path.iterdir()] == [RESULT_FILE]


def test_keys_that_others_rely_on(tmp_path: Path) -> None:
    result().save(tmp_path)
    data = json.loads((tmp_path / RESULT_FILE).read_text())
    assert data["schema_version"] == 1
    assert data["scores"]["test"]["micro_f1"] == 0.8 and data["scores"]["test"]["ci95"] == [0.75, 0.8 + 0.04]
    assert set(data["energy"]) >= {"energy_wh", "emissions_g", "country", "method"}


def refusal(path: Path) -> ZooError:
    with pytest.raises(ZooError) as caught:
        load_result(path)
    assert caught.value.where == str(path) and caught.value.fix is not None and "build" in caught.value.fix
    return caught.value


def test_a_missing_file(tmp_path: Path) -> None:
    assert "cannot read the file: No such file" in refusal(tmp_path / RESULT_FILE).what


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    assert "cannot read" in refusal(tmp_path).what


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"schema_version": 1}'])
def test_a_damaged_file(content: bytes, tmp_path: Path) -> None:
    (tmp_path / RESULT_FILE).write_bytes(content)
    assert "not a result of schema version 1" in refusal(tmp_path / RESULT_FILE).what


def test_a_file_that_was_cut_off(tmp_path: Path) -> None:
    result().save(tmp_path)
    content = (tmp_path / RESULT_FILE).read_bytes()
    (tmp_path / RESULT_FILE).write_bytes(content[: len(content) // 2])
    assert "not a result of schema version 1" in refusal(tmp_path / RESULT_FILE).what


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"schema_version": "1"}, "schema_version"),
        ({"trained_share": 1.5}, "trained_share"),
        ({"scores": {"dev": split_score(0.5), "test": split_score(0.5, micro_f1=81.9)}}, "scores.test.micro_f1"),
        ({"scores": {"dev": split_score(0.5)}}, "scores.test"),
        ({"scores": {"dev": split_score(0.5), "test": split_score(0.5, truncated_entities=1)}}, "truncated_entities"),
        (
            {"decoding": {"aggregation_strategy": "none", "window_tokens": 1, "stride_tokens": 1}},
            "aggregation_strategy",
        ),
        ({"energy": {**result_data()["energy"], "energy_wh": -1}}, "energy.energy_wh"),
    ],
)
def test_another_version_or_a_wrong_value_is_named(changes: dict[str, Any], field: str, tmp_path: Path) -> None:
    (tmp_path / RESULT_FILE).write_text(json.dumps(result_data(**changes)))
    what = refusal(tmp_path / RESULT_FILE).what
    assert "schema version 1" in what and field in what


def test_fields_of_later_versions_are_ignored(tmp_path: Path) -> None:
    data = result_data()
    data["energy"]["later"] = data["later"] = 1
    (tmp_path / RESULT_FILE).write_text(json.dumps(data))
    assert load_result(tmp_path / RESULT_FILE) == result()


def test_an_unknown_field_is_never_written() -> None:
    with pytest.raises(ValidationError, match="surprise"):
        Result(**result_data(surprise=1))


def test_a_result_does_not_change() -> None:
    with pytest.raises(ValidationError):
        result().corpus = "other"  # type: ignore[misc]


def test_results_are_found_in_order_and_half_made_folders_are_not(tmp_path: Path) -> None:
    for name in ("b/y", "a/z", "a/x", "a/.x-temporary", "a/.x-old-1"):
        folder = tmp_path / "checkpoints" / name
        folder.mkdir(parents=True)
        result(checkpoint_id=name).save(folder)
    (tmp_path / "checkpoints" / "a" / "empty").mkdir()
    assert [item.checkpoint_id for item in find_results(tmp_path)] == ["a/x", "a/z", "b/y"]
    assert list(find_results(tmp_path / "nowhere")) == []


def test_a_text_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(tmp_path / "file", "half \ud800")
    assert (tmp_path / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
