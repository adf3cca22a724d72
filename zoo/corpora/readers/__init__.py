"""Readers of annotated corpora: one module a format, registered in `zoo.registry.formats`, imported when needed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from zoo.corpora.document import Document
from zoo.corpora.files import open_bytes
from zoo.corpora.readers.mentions import tidy
from zoo.errors import ZooError
from zoo.registry.formats import CORPUS_FORMATS
from zoo.registry.schema import CorpusEntry, HubSource

_COLUMNS = "export it from WebAnno or INCEpTION as CoNLL 2002, and add that with --format conll"
_LINES = 'write JSON lines {"id", "text", "spans": [{"start", "end", "type"}]}, and add them with --format jsonl: '
CONVERTIBLE: tuple[tuple[str, str, str], ...] = (
    (r"\A#FORMAT=WebAnno TSV", "WebAnno TSV", _COLUMNS),
    (r"<xmi:XMI\b", "UIMA XMI, as WebAnno, INCEpTION and E3C have it", _COLUMNS),
    (
        r'"(?:_referenced_fss|_views|%FEATURE_STRUCTURES|%TYPES)"\s*:',
        "UIMA JSON, as WebAnno, INCEpTION and E3C have it",
        _COLUMNS,
    ),
    (
        r"<document\b[^>]*>\s*<sentence\b[^>]*\btext=",
        "DDI XML",
        f"{_LINES}a line a document, its sentences joined by spaces; charOffset counts from the start of its sentence, "
        "and includes the last character",
    ),
    (
        r"<(?:deIdi2b2|MEDDOCAN)\b|<TEXT>\s*<!\[CDATA\[",
        "i2b2 XML, as MEDDOCAN has it",
        f"{_LINES}<TEXT> is the text, and start and end in <TAGS> hold; MEDDOCAN's BRAT files are read with "
        "--format brat",
    ),
)
"""Formats that are not read: what their first characters hold, their name, and how to convert them."""
_HEAD_BYTES = 8192


def read_split(
    path: Path, entry: CorpusEntry, repairs: Counter[str], *, format: str | None = None
) -> Iterator[Document]:
    """Stream one file or folder with the reader of the entry's format.

    Args:
        path: What to read.
        entry: Says how: its format, and what the reader of that takes.
        repairs: Counts what was repaired, left out or ignored; complete once the iterator is exhausted.
        format: Name of another format, where the file is not in the entry's.

    Raises:
        ZooError: It is malformed, with file and line or document.
    """
    registered = CORPUS_FORMATS[format or entry.format]
    module, _, function = registered.reader.partition(":")
    hub = next((source for source in entry.sources if isinstance(source, HubSource)), None)
    given = {**(hub.model_dump() if hub else {}), **entry.model_dump()}
    options = {name: given[name] for name in registered.options if name in given}
    read = getattr(import_module(f"zoo.corpora.readers.{module}"), function)
    for document in read(path, repairs=repairs, **options):
        yield tidy(document, repairs)


def recognise(path: Path, expected: str) -> ZooError | None:
    """What to say of a file that a reader refused, where it is of another format.

    Args:
        path: The file.
        expected: Name of the format that it was read as.

    Returns:
        An error that names the format and how it is read or converted; None: it is not known.
    """
    if path.is_dir():
        return None
    with open_bytes(path) as file:
        head = file.read(_HEAD_BYTES).decode("utf-8-sig", errors="ignore")
    for signature, title, fix in CONVERTIBLE:
        if re.search(signature, head):
            return ZooError(f"the file is {title}, which is not read", where=path, fix=fix)
    for name, format in CORPUS_FORMATS.items():
        if name != expected and format.signature and re.search(format.signature, head):
            return ZooError(f"the file is {format.title}", where=path, fix=f"give --format {name}")
    return None
