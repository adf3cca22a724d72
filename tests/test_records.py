"""Records forbid unknown fields where they are made and ignore them where they are read."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from zoo.errors import ZooError
from zoo.records import Record


class _Inner(Record):
    size_bytes: int


class _Outer(Record):
    name: str
    parts: tuple[_Inner, ...]


def test_unknown_fields_are_errors_in_the_making() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        _Outer(name="a", parts=(), nmae="b")  # type: ignore[call-arg]


def test_unknown_fields_are_ignored_in_reading_at_any_depth(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"name": "a", "later": 1, "parts": [{"size_bytes": 2, "later": {}}]}')
    assert _Outer.from_file(path, what="not one") == _Outer(name="a", parts=(_Inner(size_bytes=2),))


def test_what_is_written_is_read_again() -> None:
    record = _Outer(name="ä", parts=(_Inner(size_bytes=2),))
    assert _Outer.from_json(record.to_json().encode(), what="not one", where="a") == record
    assert record.to_json().endswith("}\n")


@pytest.mark.parametrize(
    ("content", "said"),
    [('{"name": "a", "parts": [{}]}', "not one: parts.0.size_bytes: Field required"), ("{", "not one: Invalid JSON")],
)
def test_damage_is_named_with_its_field(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(ZooError) as raised:
        _Outer.from_file(path, what="not one", fix="write it again")
    assert raised.value.what.startswith(said)
    assert (raised.value.where, raised.value.fix) == (str(path), "write it again")


def test_a_missing_file_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="cannot read the file: No such file"):
        _Outer.from_file(tmp_path / "none.json", what="not one")
