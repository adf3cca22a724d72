"""Reading files: gzip, encodings, damage; every error is one that names file and line."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from zoo.corpora.files import find_split, numbered_lines, open_bytes, parse_json, read_text
from zoo.errors import ZooError

TEXT = "eins\nzwei\r\n\u00fc \u2028 \x85 \x0b drei\rvier\n\nend"
LINES = [(1, "eins"), (2, "zwei"), (3, "\u00fc \u2028 \x85 \x0b drei\rvier"), (4, ""), (5, "end")]


@pytest.mark.parametrize("name", ["x.txt", "x.txt.gz", "without-suffix"])
def test_lines_end_at_line_feeds_only(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(TEXT.encode() if name == "x.txt" else gzip.compress(TEXT.encode()))
    assert list(numbered_lines(path)) == LINES
    assert read_text(path) == TEXT


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xef\xbb\xbfa\n\xef\xbb\xbfb")
    assert list(numbered_lines(tmp_path / "x")) == [(1, "a"), (2, "\ufeffb")]
    assert read_text(tmp_path / "x") == "a\n\ufeffb"


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    (tmp_path / "x.gz").write_bytes(b"")
    assert list(numbered_lines(tmp_path / "x")) == list(numbered_lines(tmp_path / "x.gz")) == []


LONG = "".join(f"line {number} \u00e9\n" for number in range(1, 5001))


@pytest.mark.parametrize(
    ("data", "line", "what"),
    [
        (LONG.encode("latin-1"), 1, "not UTF-8: byte 0xe9"),
        (LONG.encode() + b"\xff\n", 5001, "not UTF-8: byte 0xff"),
        (LONG.encode() + b"\xe2\x82", 5001, "not UTF-8: byte 0xe2"),
        (LONG.encode("utf-16"), 1, "not UTF-8: byte 0xff"),
        (LONG.encode() + b"a\0b\n", 5001, "NUL"),
        (gzip.compress(LONG.encode(), mtime=0)[:-9], None, "gzip data is damaged"),
        (gzip.compress(LONG.encode(), mtime=0)[:-9] + b"123456789", None, "gzip data is damaged"),
    ],
)
def test_damage_is_named_with_its_line(data: bytes, line: int | None, what: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    for read in (read_text, lambda path: list(numbered_lines(path))):
        with pytest.raises(ZooError, match=what) as caught:
            read(path)
        assert str(caught.value.where).startswith(f"{path}" if line is None else f"{path}:{line}")


@pytest.mark.parametrize("name", ["missing", "folder"])
def test_what_is_no_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for read in (read_text, lambda path: list(numbered_lines(path))):
        with pytest.raises(ZooError, match="cannot read the file"):
            read(tmp_path / name)


def test_a_name_that_promises_gzip_is_believed(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(b"plain")
    with pytest.raises(ZooError, match="gzip data is damaged"), open_bytes(tmp_path / "x.gz") as file:
        file.read()


@pytest.mark.parametrize("text", ["", "{", "[1] 2", '"\\ud83d"', '{"a": ["\\udc00"]}', "[" * 100_000, "1" * 5000])
def test_parse_json_refuses(text: str) -> None:
    with pytest.raises(ZooError) as caught:
        parse_json(text, where="x:1", fix="give JSON")
    assert (caught.value.where, caught.value.fix) == ("x:1", "give JSON")


def test_parse_json_takes_pairs_of_surrogates() -> None:
    assert parse_json('["\\ud83d\\ude00 \\u00e9"]', where="", fix="") == ["\U0001f600 \u00e9"]


def test_find_split(tmp_path: Path) -> None:
    for name in ("train.tsv.gz", "dev.txt", "dev.tsv"):
        (tmp_path / name).write_text("")
    (tmp_path / "test").mkdir()
    (tmp_path / "other.tsv").mkdir()
    suffixes = (".tsv", ".txt", "/")
    assert find_split(tmp_path, "train", suffixes) == tmp_path / "train.tsv.gz"
    assert find_split(tmp_path, "dev", suffixes) == tmp_path / "dev.tsv"
    assert find_split(tmp_path, "test", suffixes) == tmp_path / "test"
    assert find_split(tmp_path, "test", (".tsv",)) is None
    assert find_split(tmp_path, "other", suffixes) is None
