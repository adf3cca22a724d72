"""Text files, plain or gzip, read line by line with errors that name file and line."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TextIO, TypeVar, cast

from zoo.errors import ZooError

_GZIP_MAGIC = b"\x1f\x8b"
_DAMAGED_GZIP = (EOFError, gzip.BadGzipFile, zlib.error)


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


_Record = TypeVar("_Record", bound=_HasId)


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield `(line number from 1, text without line end)`; UTF-8, gzip where the name or the first bytes say so.

    Raises:
        ZooError: The file is missing, not UTF-8, holds NUL bytes, or its gzip data is damaged.
    """
    number = 0
    try:
        with _open(path) as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="\n") as lines:
            for number, line in enumerate(lines, start=1):
                if "\0" in line:
                    raise _not_text(f"{path}:{number}")
                yield number, line.rstrip("\r\n")
    except UnicodeDecodeError:
        raise _not_utf8(path) from None
    except _DAMAGED_GZIP as error:
        raise _damaged(error, f"{path}:{number + 1}") from None
    except OSError as error:
        raise _unreadable(error, path) from None


def read_text(path: Path) -> str:
    """The whole text with its line ends as they are, without a byte-order mark; UTF-8, plain or gzip.

    Raises:
        ZooError: As for `numbered_lines`.
    """
    with open_bytes(path) as file:
        data = file.read()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _not_utf8(path) from None
    if "\0" in text:
        raise _not_text(f"{path}:{text.count(chr(10), 0, text.index(chr(0))) + 1}")
    return text


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """A file's bytes, unpacked where it is gzip; what goes wrong while it is read is a `ZooError`."""
    try:
        with _open(path) as file:
            yield file
    except _DAMAGED_GZIP as error:
        raise _damaged(error, path) from None
    except OSError as error:
        raise _unreadable(error, path) from None


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """A file's text with its line ends as they are; UTF-8, plain or gzip; what goes wrong with it is a `ZooError`."""
    try:
        with open_bytes(path) as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
            yield text
    except UnicodeDecodeError:
        raise _not_utf8(path) from None


def parse_json(text: str, *, where: str, fix: str) -> Any:  # noqa: ANN401 - parsed JSON
    """Parse JSON whose strings are all proper Unicode.

    Raises:
        ZooError: It is not JSON, or a string holds half of a surrogate pair, which no encoding can write.
    """
    try:
        data = json.loads(text)
        if "\\u" in text:
            json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ZooError("a string holds half of a surrogate pair", where=where, fix=fix) from None
    except (ValueError, RecursionError) as error:
        raise ZooError(f"not valid JSON: {error}", where=where, fix=fix) from None
    return data


def read_records(path: Path, make: Callable[[Any, str], _Record | None], *, shape: str) -> Iterator[_Record]:
    """Stream the records of a JSON-lines file; blank lines do not count.

    Args:
        path: The file, plain or gzip.
        make: Makes a record of parsed JSON and `file:line`, or None of one to leave out.
        shape: What a line looks like, for the error message.

    Raises:
        ZooError: A line is not JSON, `make` refuses it, an id is repeated, or the file cannot be read.
    """
    seen: dict[str, int] = {}
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        if (record := make(parse_json(line, where=where, fix=shape), where)) is None:
            continue
        if record.id in seen:
            raise ZooError(
                f"the id {record.id!r} stands in line {seen[record.id]} already",
                where=where,
                fix="ids are unique in a file",
            )
        seen[record.id] = number
        yield record


def find_split(folder: Path, split: str, suffixes: tuple[str, ...]) -> Path | None:
    """The file of a split, plain or gzip, with any of the suffixes, in any case; `/` stands for a folder."""
    here = {path.name.lower(): path for path in sorted(folder.iterdir())} if folder.is_dir() else {}
    for suffix in suffixes:
        for name in [split] if suffix == "/" else [f"{split}{suffix}", f"{split}{suffix}.gz"]:
            if (path := here.get(name)) and path.is_dir() == (suffix == "/"):
                return path
    return None


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        packed = path.suffix == ".gz" or file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    return cast(BinaryIO, gzip.open(path, "rb") if packed else path.open("rb"))


def _not_utf8(path: Path) -> ZooError:
    """Find the line: text is decoded in blocks, so the error that was raised does not know it."""
    what, where = "not UTF-8", str(path)
    with open_bytes(path) as file:
        for number, raw in enumerate(file, start=1):
            try:
                raw.decode()
            except UnicodeDecodeError as error:
                what, where = f"not UTF-8: byte 0x{error.object[error.start]:02x}", f"{path}:{number}"
                break
    return ZooError(what, where=where, fix="convert the file to UTF-8 (iconv -t UTF-8)")


def _not_text(where: str) -> ZooError:
    return ZooError("the file holds a NUL byte: it is not text", where=where, fix="give a UTF-8 text file")


def _damaged(error: Exception, where: str | Path) -> ZooError:
    return ZooError(f"the gzip data is damaged: {error}", where=where, fix="fetch or compress the file again")


def _unreadable(error: OSError, path: Path) -> ZooError:
    return ZooError(f"cannot read the file: {error.strerror or error}", where=path)
