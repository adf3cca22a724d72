"""Parquet of Hub datasets: names of the tag ids from the file or the entry, tags as text, malformed rows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.corpora.writers import TOKEN_DOCUMENTS, conll, parquet
from zoo.corpora.document import Document
from zoo.corpora.readers.conll import read_conll
from zoo.corpora.readers.parquet import read_parquet
from zoo.errors import ZooError


def read(path: Path, **options: Any) -> tuple[list[Document], Counter[str]]:
    repairs: Counter[str] = Counter()
    return list(read_parquet(path, repairs=repairs, **options)), repairs


def write(path: Path, tokens: list[Any], tags: list[Any], **columns: Any) -> Path:
    import pyarrow
    from pyarrow import parquet as files

    files.write_table(pyarrow.table({"tokens": tokens, "ner_tags": tags, **columns}), path)
    return path


def test_class_names_of_the_file(tmp_path: Path) -> None:
    """The same sentences as from columns."""
    (tmp_path / "train.tsv").write_text(conll(TOKEN_DOCUMENTS))
    parquet(TOKEN_DOCUMENTS, tmp_path / "train.parquet")
    assert read(tmp_path / "train.parquet") == (list(read_conll(tmp_path / "train.tsv")), Counter())


def test_names_of_the_entry(tmp_path: Path) -> None:
    named = tmp_path / "named" / "x.parquet"
    named.parent.mkdir()
    parquet(TOKEN_DOCUMENTS, named)
    names = parquet(TOKEN_DOCUMENTS, tmp_path / "x.parquet", named=False)
    assert read(tmp_path / "x.parquet", tag_names=names) == read(named)
    with pytest.raises(ZooError, match=r"has no name: ids are not named"):
        read(tmp_path / "x.parquet")
    with pytest.raises(ZooError, match=r"ids are 0 to 1") as caught:
        read(tmp_path / "x.parquet", tag_names=names[:2])
    assert "x.parquet: row 1" in str(caught.value.where)


def test_tags_as_text_and_other_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", [["a", "b"]], [["O", "O"]], words=[["c", "d"]], labels=[["B-Gene", "I-Gene"]])
    documents, _ = read(path, tokens_column="words", tags_column="labels")
    assert (documents[0].text, documents[0].spans[0].key) == ("c d", (0, 3, "Gene"))


def test_bare_tags(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", [["a", "b"]], [[1, 2]])
    documents, _ = read(path, tag_names=["O", "B", "I"], default_type="Species")
    assert documents[0].spans[0].key == (0, 3, "Species")


def test_many_rows_are_numbered(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", [["a"]] * 2500, [["O"]] * 2500)
    documents, _ = read(path)
    assert [document.id for document in documents] == [f"x-{row}" for row in range(1, 2501)]


def test_repairs_are_counted(tmp_path: Path) -> None:
    tokens = [["a", "", "b\u00a0c"], [], ["d", "e"]]
    documents, repairs = read(write(tmp_path / "x.parquet", tokens, [["O", "O", "I-A"], [], ["B-A", "I-A"]]))
    assert [document.text for document in documents] == ["a b c", "d e"]
    assert [document.id for document in documents] == ["x-1", "x-3"]
    assert repairs == {
        "empty token left out": 1,
        "white space inside a token made one space": 1,
        "row without tokens left out": 1,
        "mention starts with a continuing tag": 1,
    }


@pytest.mark.parametrize(
    ("tokens", "tags", "what"),
    [
        ([["a", "b"]], [["O"]], "as long a list"),
        ([None], [["O"]], "as long a list"),
        ([["a"]], [None], "as long a list"),
        (["a"], [["O"]], "as long a list"),
        ([["a", None]], [["O", "O"]], "a token is not text"),
        ([[1]], [["O"]], "a token is not text"),
        ([["a"]], [[None]], "has no name"),
        ([["a"]], [[1.5]], "has no name"),
        ([["a"]], [[-1]], "has no name"),
        ([["a"]], [[0]], "has no name"),
        ([["a"]], [["X-A"]], "unknown tag"),
        ([["a"]], [["B"]], "names no type"),
        ([["", "b"]], [["B-A", "O"]], "an empty token has the tag"),
        ([["a"], ["b", "c"]], [["S-A"], ["B-A", "L-A"]], "different schemes"),
    ],
)
def test_malformed_rows_are_named(tokens: list[Any], tags: list[Any], what: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", tokens, tags)
    with pytest.raises(ZooError, match=what) as caught:
        read(path)
    assert f"x.parquet: row {len(tokens)}" in str(caught.value.where)


@pytest.mark.parametrize("column", ["tokens_column", "tags_column"])
def test_missing_columns(column: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", [["a"]], [["O"]])
    with pytest.raises(ZooError, match="no column 'other'") as caught:
        read(path, **{column: "other"})
    assert "its columns are tokens, ner_tags" in str(caught.value.fix)


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    with pytest.raises(ZooError, match="not a sound Parquet file"):
        read(path)
    for content in (b"", b"PAR1", b"plain text" * 100):
        path.write_bytes(content)
        with pytest.raises(ZooError, match="not a sound Parquet file"):
            read(path)
    write(path, [["a"]] * 5000, [["O"]] * 5000)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ZooError, match="not a sound Parquet file"):
        read(path)
