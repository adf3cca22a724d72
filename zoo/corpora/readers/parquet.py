"""Parquet files of Hub datasets: a row is a sentence, with its tokens and the ids (or names) of their tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zoo.corpora.document import Document
from zoo.corpora.readers.conll import TagReader
from zoo.errors import ZooError

_ROWS = 1000
_FIX = "name the columns and, where the file does not, the tags in the source of the corpus entry"


def read_parquet(
    path: Path,
    *,
    tokens_column: str = "tokens",
    tags_column: str = "ner_tags",
    tag_names: Sequence[str] = (),
    default_type: str | None = None,
    repairs: Counter[str] | None = None,
) -> Iterator[Document]:
    """Stream the rows of a Parquet file as documents, `<file>-<row>`; the text is the tokens joined by spaces.

    Args:
        path: The file.
        tokens_column: Column with lists of strings.
        tags_column: Column with lists of tag ids or of tags.
        tag_names: Names of the tag ids; empty: those of the `ClassLabel` that the file's metadata describe.
        default_type: Type of bare `B` / `I` tags.
        repairs: Counts what was repaired or left out; complete once the iterator is exhausted.

    Raises:
        ZooError: The file is not Parquet, a column is missing, tag ids have no names, or a row is malformed; with file
            and row (counted from 1).
    """
    import pyarrow
    from pyarrow import parquet

    repairs = Counter() if repairs is None else repairs
    stem = path.name.split(".")[0]
    tags = TagReader(default_type, lambda number: f"{path}: row {number}")
    row = 0
    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            names = tag_names or _class_names(file.schema_arrow, (tokens_column, tags_column), path)
            for batch in file.iter_batches(_ROWS, columns=[tokens_column, tags_column]):
                columns = (batch.column(name).to_pylist() for name in (tokens_column, tags_column))
                for tokens, values in zip(*columns, strict=True):
                    row += 1
                    words, named = _checked(tokens, values, names, f"{path}: row {row}", repairs)
                    if words:
                        found = [tags.parse(tag, row) for tag in named]
                        yield tags.document(f"{stem}-{row}", [(words, found, [row] * len(words))])
                    else:
                        repairs["row without tokens left out"] += 1
            if row != file.metadata.num_rows:
                raise ZooError(
                    f"the file holds {row} rows and says it has {file.metadata.num_rows}",
                    where=path,
                    fix="fetch it again",
                )
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ZooError(
            f"not a sound Parquet file: {reason}",
            where=path if not row else f"{path}: after row {row}",
            fix="fetch it again",
        ) from None
    tags.count_repairs(repairs)


def _class_names(schema: Any, wanted: tuple[str, str], path: Path) -> Sequence[str]:  # noqa: ANN401 - pyarrow is untyped
    """Names of the tag ids as the file's metadata give them, empty if they give none."""
    from datasets import ClassLabel, Features

    for name in wanted:
        if name not in schema.names:
            raise ZooError(
                f"the file has no column {name!r}", where=path, fix=f"its columns are {', '.join(schema.names)}. {_FIX}"
            )
    try:
        feature = Features.from_arrow_schema(schema)[wanted[1]]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ZooError(f"the metadata of the file describe no features: {error}", where=path, fix=_FIX) from None
    inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
    return list(inner.names) if isinstance(inner, ClassLabel) else []


def _checked(
    tokens: object, values: object, names: Sequence[str], where: str, repairs: Counter[str]
) -> tuple[list[str], list[str]]:
    """A row's tokens without white space inside, and the names of their tags."""
    if not isinstance(tokens, list) or not isinstance(values, list) or len(tokens) != len(values):
        raise ZooError("the row does not have a list of tokens and as long a list of tags", where=where, fix=_FIX)
    words: list[str] = []
    tags: list[str] = []
    for token, value in zip(tokens, values, strict=True):
        if not isinstance(token, str):
            raise ZooError(f"a token is not text: {token!r}", where=where, fix=_FIX)
        tag = _tag_name(value, names, where)
        word = " ".join(token.split())
        if word:
            words.append(word)
            tags.append(tag)
            if word != token:
                repairs["white space inside a token made one space"] += 1
        elif tag == "O":
            repairs["empty token left out"] += 1
        else:
            raise ZooError(f"an empty token has the tag {tag}", where=where, fix="give it text, or the tag O")
    return words, tags


def _tag_name(value: object, names: Sequence[str], where: str) -> str:
    if isinstance(value, str):
        return value
    if type(value) is int and 0 <= value < len(names):
        return names[value]
    known = f"0 to {len(names) - 1}" if names else "not named"
    raise ZooError(f"the tag id {value!r} has no name: ids are {known}", where=where, fix=_FIX)
