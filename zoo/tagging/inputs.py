"""Documents to be tagged, one at a time: plain text, JSON lines, CSV, Parquet and PubMed XML.

One file, a folder of them, or the URL of either, wherever fsspec reads (`s3://`, `gs://`, `hdfs://`, `https://`).
"""

from __future__ import annotations

import csv
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from zoo.corpora.files import numbered_lines, open_text, parse_json, read_text
from zoo.errors import ZooError
from zoo.files import is_url
from zoo.passages.readers.pubmed import read_pubmed
from zoo.tagging.texts import Text

Format = Literal["text", "jsonl", "csv", "parquet", "pubmed-xml"]
SUFFIXES: dict[str, Format] = {
    ".txt": "text",
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".xml": "pubmed-xml",
}
"""By its name, plain or with `.gz`; a single file with another name is plain text."""
STANDARD_INPUT = "-"
_PARQUET_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Fields:
    """Names of the fields (JSON lines) or columns (CSV, Parquet) that hold id and text."""

    id: str = "id"
    text: str = "text"


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file of the input.

    Attributes:
        place: Its path or URL; `-` for standard input.
        name: Its path in the folder that was given, which its documents are called by; empty: the file itself was.
    """

    place: str
    name: str = ""

    @property
    def is_url(self) -> bool:
        """Whether fsspec reads it."""
        return is_url(self.place)

    @property
    def format(self) -> Format:
        """How it is written, by its name."""
        return SUFFIXES.get(_suffix(self.place), "text")


def read_texts(
    where: str | Path,
    format: Format | None = None,
    fields: Fields | None = None,
    *,
    skipped: Counter[str] | None = None,
) -> Iterator[Text]:
    """Stream the documents of a file, of all files of a folder and its subfolders in order of their names, or of `-`.

    Args:
        where: File, folder, URL of one, or `-` for standard input, which is one document.
        format: How files are written; None: as their names say (`SUFFIXES`).
        fields: Where JSON lines, CSV and Parquet have id and text.
        skipped: Counts records without a text.

    Raises:
        ZooError: There is no such file, the folder holds none that can be read, or a file is malformed; with file and
            line.
    """
    yield from read_files(input_files(where, format), format, fields, skipped=skipped)


def input_files(where: str | Path, format: Format | None = None) -> Iterator[InputFile]:
    """The files of an input, in the order in which they are read; arguments as of `read_texts`.

    Raises:
        ZooError: There is no such file or folder, or it holds nothing to tag.
    """
    place = str(where)
    found = False
    if place == STANDARD_INPUT:
        files: Iterable[tuple[str, str]] = [(place, "")]
    elif is_url(place):
        files = _remote_files(place)
    elif Path(place).is_dir():
        files = _local_files(Path(place))
    else:
        files = [(place, "")]
    for path, name in files:
        kind = SUFFIXES.get(_suffix(path))
        hidden = any(part.startswith(".") for part in name.split("/"))
        if not name or (kind and format in (None, kind) and not hidden):
            found = True
            yield InputFile(path, name)
    if not found:
        names = ", ".join(f"*{suffix}" for suffix in SUFFIXES)
        raise ZooError("the folder holds nothing to tag", where=place, fix=f"put files named {names} (or .gz) there")


def read_files(
    files: Iterable[InputFile],
    format: Format | None = None,
    fields: Fields | None = None,
    *,
    skipped: Counter[str] | None = None,
) -> Iterator[Text]:
    """Stream the documents of some files; arguments and errors as of `read_texts`."""
    fields, skipped = fields or Fields(), Counter() if skipped is None else skipped
    for file in files:
        if file.place == STANDARD_INPUT:
            yield Text("-", _standard_input())
            continue
        kind, stem = format or file.format, _without_suffix(file.name) or Path(file.place).stem
        for text in (
            _fetched(file, kind, stem, fields, skipped)
            if file.is_url
            else _read(Path(file.place), kind, stem, fields, skipped)
        ):
            # Records of several files may have the same ids.
            yield text if not file.name or text.id == stem else replace(text, id=f"{file.name}#{text.id}")


def _local_files(folder: Path) -> Iterator[tuple[str, str]]:
    for here, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            path = Path(here) / name
            yield str(path), path.relative_to(folder).as_posix()


def _remote_files(url: str) -> Iterator[tuple[str, str]]:
    """Files of a folder or of a pattern, in order of their names; their URLs have the protocol of the one given."""
    try:
        from fsspec.core import url_to_fs

        system, root = url_to_fs(url)
        if "*" in root:
            found, root = system.glob(root), root[: root.index("*")].rpartition("/")[0]
        elif system.isdir(root):
            found = system.find(root)
        elif system.exists(root):
            found, root = [root], ""
        else:
            raise FileNotFoundError(url)
        for path in sorted(found):
            name = path.removeprefix(root).lstrip("/") if root else ""
            yield (url if not name else system.unstrip_protocol(path)), name
    except (OSError, ValueError, ImportError) as error:
        raise ZooError(f"cannot read it: {str(error) or type(error).__name__}", where=url, fix=_URL_FIX) from None


_URL_FIX = "give a path or URL that fsspec reads; its driver may have to be installed (s3fs, gcsfs, ...)"


def _fetched(file: InputFile, format: Format, stem: str, fields: Fields, skipped: Counter[str]) -> Iterator[Text]:
    """The documents of a remote file, from a copy that is there as long as they are read."""
    from fsspec.core import url_to_fs

    with TemporaryDirectory() as folder:
        copy = Path(folder) / Path(file.place).name
        try:
            system, path = url_to_fs(file.place)
            system.get_file(path, str(copy))
        except (OSError, ValueError, ImportError) as error:
            what = f"cannot read it: {str(error) or type(error).__name__}"
            raise ZooError(what, where=file.place, fix=_URL_FIX) from None
        try:
            yield from _read(copy, format, stem, fields, skipped)
        except ZooError as error:
            where = (error.where or "").replace(str(copy), file.place)
            raise ZooError(error.what, where=where, fix=error.fix) from None


def _suffix(place: str) -> str:
    path = Path(place.partition("?")[0] if is_url(place) else place)
    return Path(path.stem).suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()


def _without_suffix(name: str) -> str:
    return name.removesuffix(".gz").rpartition(".")[0]


def _read(path: Path, format: Format, name: str, fields: Fields, skipped: Counter[str]) -> Iterator[Text]:
    match format:
        case "text":
            yield Text(name, read_text(path))
        case "jsonl":
            yield from _json_lines(path, fields, skipped)
        case "csv":
            yield from _csv(path, fields)
        case "parquet":
            yield from _parquet(path, fields, skipped)
        case "pubmed-xml":
            articles = read_pubmed(path, titles=True, skipped=skipped)
            yield from (Text(article.id, article.text, derived=True) for article in articles)


def _json_lines(path: Path, fields: Fields, skipped: Counter[str]) -> Iterator[Text]:
    fix = f'a line is {{"{fields.id}": str, "{fields.text}": str}}; other names with --id-field and --text-field'
    count = 0
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        count += 1
        where = f"{path}:{number}"
        record = parse_json(line, where=where, fix=fix)
        if not isinstance(record, dict) or not isinstance(record.get(fields.text, 0), str | None):
            raise ZooError(f"the line has no text field {fields.text!r}", where=where, fix=fix)
        name = record.get(fields.id)
        if not isinstance(name, str | int | float | None):
            raise ZooError(f"the id is neither text nor number: {name!r}", where=where, fix=fix)
        if record[fields.text] is None:
            skipped["record without a text"] += 1
        else:
            yield Text(str(count if name is None else name), record[fields.text])


def _csv(path: Path, fields: Fields) -> Iterator[Text]:
    csv.field_size_limit(sys.maxsize)
    with open_text(path) as file:
        rows = csv.DictReader(file, strict=True)
        try:
            if fields.text not in (rows.fieldnames or ()):
                known = ", ".join(rows.fieldnames or ()) or "none"
                raise ZooError(
                    f"no column {fields.text!r} in the first line; there are: {known}",
                    where=f"{path}:1",
                    fix="name the column with --text-field",
                )
            for count, row in enumerate(rows, start=1):
                if row.get(fields.text) is None:
                    raise ZooError(f"the row has no {fields.text!r}", where=f"{path}:{rows.line_num}")
                yield Text(row.get(fields.id) or str(count), row[fields.text])
        except csv.Error as error:
            raise ZooError(f"not valid CSV: {error}", where=f"{path}:{rows.line_num}") from None


def _parquet(path: Path, fields: Fields, skipped: Counter[str]) -> Iterator[Text]:
    import pyarrow
    from pyarrow import parquet

    fix, count = "name the columns with --text-field and --id-field", 0
    try:
        with parquet.ParquetFile(path) as file:
            known = file.schema_arrow.names
            if fields.text not in known:
                raise ZooError(f"no column {fields.text!r}; there are: {', '.join(known)}", where=path, fix=fix)
            columns = [name for name in (fields.text, fields.id) if name in known]
            for batch in file.iter_batches(_PARQUET_ROWS, columns=columns):
                for row in batch.to_pylist():
                    count += 1
                    text, name = row[fields.text], row.get(fields.id)
                    if text is None:
                        skipped["record without a text"] += 1
                    elif not isinstance(text, str) or not isinstance(name, str | int | float | None):
                        raise ZooError("id or text is no text", where=f"{path}: row {count}", fix=fix)
                    else:
                        yield Text(str(count if name is None else name), text)
    except (OSError, pyarrow.ArrowException) as error:
        raise ZooError(f"not a Parquet file: {error}", where=path, fix="fetch or write it again") from None


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ZooError(
            f"not UTF-8: byte {error.start}", where="standard input", fix="convert it (iconv -t UTF-8)"
        ) from None
