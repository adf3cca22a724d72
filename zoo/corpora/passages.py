"""Raw text without annotation, for domain-adaptive pre-training: a passage is a JSON line or a paragraph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.corpora.files import numbered_lines, read_records
from zoo.errors import ZooError
from zoo.registry.schema import BundledSource, FolderSource, PassageEntry

_SHAPE = 'a line is {"id": str, "text": str, "source": str}, source optional'
_JSON_SUFFIXES = (".jsonl", ".jsonl.gz")


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph or abstract.

    Attributes:
        id: Unique within its file; of plain text, the file's name and the passage's number.
        text: The text, not empty.
        source: Where it is from, with its licence; empty where the file does not say.
    """

    id: str
    text: str
    source: str = ""


def read_passages(path: Path) -> Iterator[Passage]:
    """Stream the passages of a file, `.gz` or plain.

    A name in `.jsonl` holds JSON lines; any other is UTF-8 text, with blank lines between passages.

    Raises:
        ZooError: A line is not such an object, a text is empty, an id is repeated, or the file cannot be read; with
            file and line.
    """
    if path.name.endswith(_JSON_SUFFIXES):
        return read_records(path, _passage, shape=_SHAPE)
    return _paragraphs(path)


def read_passage_files(path: Path) -> Iterator[Passage]:
    """Stream the passages of one file, or of all `*.jsonl` and `*.jsonl.gz` of a folder in order of their names.

    Raises:
        ZooError: There is no such file, it or the folder holds none, or a file is malformed.
    """
    folder = path.is_dir()
    files = sorted(file for file in path.iterdir() if file.name.endswith(_JSON_SUFFIXES)) if folder else [path]
    number = 0
    for file in files:
        for passage in read_passages(file):
            number += 1
            yield passage
    if not number:
        fix = "add files named *.jsonl or *.jsonl.gz" if folder else "put a passage into it"
        raise ZooError(f"the {'folder' if folder else 'file'} holds no passages", where=path, fix=fix)


def load_passages(entry: PassageEntry, *, registry_folder: Path) -> Iterator[Passage]:
    """Stream the passages of a registry entry from the first of its sources that is on this machine.

    Args:
        entry: What to read.
        registry_folder: Folder of the registry that the entry came from; relative paths start there.

    Raises:
        ZooError: No source is here, a file is malformed, or the number of passages is not that of the entry (raised
            after the last one).
    """
    path = passages_path(entry, registry_folder)
    number = 0
    for passage in read_passage_files(path):
        number += 1
        yield passage
    if entry.passages is not None and number != entry.passages:
        raise ZooError(
            f"{entry.id} has {number:,} passages here, its registry entry says {entry.passages:,}",
            where=path,
            fix="use the registered files, or correct `passages` of the entry",
        )


def passages_path(entry: PassageEntry, registry_folder: Path) -> Path:
    """File or folder of the first source of an entry that is on this machine.

    Raises:
        ZooError: None is.
    """
    for source in entry.sources:
        if isinstance(source, (BundledSource, FolderSource)):
            path = registry_folder / Path(source.path).expanduser()
            if path.exists():
                return path
    raise ZooError(
        f"the passages {entry.id} are not on this machine",
        where=f"passages/{entry.id}.yaml: sources",
        fix="add a source {kind: folder, path: DIR} with files *.jsonl or *.jsonl.gz",
    )


def _passage(data: Any, where: str) -> Passage:  # noqa: ANN401 - parsed JSON
    if not isinstance(data, dict) or not isinstance(data.get("id"), str) or not isinstance(data.get("text"), str):
        raise ZooError("the line has no text field 'id' or 'text'", where=where, fix=_SHAPE)
    if not isinstance(source := data.get("source", ""), str):
        raise ZooError(f"'source' is not a text: {source!r}", where=where, fix=_SHAPE)
    if not data["text"].strip():
        raise ZooError(f"the passage {data['id']!r} is empty", where=where, fix="remove the line")
    return Passage(data["id"], data["text"], source)


def _paragraphs(path: Path) -> Iterator[Passage]:
    stem = path.name.removesuffix(".gz").rsplit(".", 1)[0]
    paragraph: list[str] = []
    count = 0
    for _, line in numbered_lines(path):
        if line.strip():
            paragraph.append(line)
        elif paragraph:
            count += 1
            yield Passage(f"{stem}-{count}", "\n".join(paragraph))
            paragraph = []
    if paragraph:
        yield Passage(f"{stem}-{count + 1}", "\n".join(paragraph))
