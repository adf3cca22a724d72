"""Text files, plain or gzip, read line by line with errors that name file and line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from zoo.errors import ZooError


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield `(line number from 1, text without line end)`; UTF-8, gzip where the name ends in `.gz`.

    Raises:
        ZooError: The file is missing, not UTF-8, or its gzip data is damaged.
    """
    number = 0
    try:
        with cast(BinaryIO, gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")) as file:
            for number, raw in enumerate(file, start=1):
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                if "\0" in line:
                    raise ZooError(
                        "the file holds a NUL byte: it is not text",
                        where=f"{path}:{number}",
                        fix="give a UTF-8 text file",
                    )
                yield number, line
    except UnicodeDecodeError as error:
        raise ZooError(
            f"not UTF-8: byte 0x{error.object[error.start]:02x}",
            where=f"{path}:{number}",
            fix="convert the file to UTF-8 (iconv -t UTF-8)",
        ) from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ZooError(
            f"the gzip data is damaged: {error}", where=f"{path}:{number + 1}", fix="fetch or compress the file again"
        ) from None
    except OSError as error:
        raise ZooError(f"cannot read the file: {error.strerror or error}", where=path) from None


def find_split(folder: Path, split: str, suffixes: tuple[str, ...]) -> Path | None:
    """The file of a split, plain or gzip, under any of the suffixes; None if there is none."""
    names = [f"{split}{suffix}{gz}" for suffix in suffixes for gz in ("", ".gz")]
    return next((folder / name for name in names if (folder / name).is_file()), None)
