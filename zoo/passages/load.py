"""Raw text without annotation, for domain-adaptive pre-training: where it is, and its passages one after another."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from zoo.errors import ZooError
from zoo.passages.fetched import MANIFEST, find_fetched, read_fetched
from zoo.passages.passage import Passage
from zoo.registry.formats import PASSAGE_FORMATS
from zoo.registry.passage_entry import PassageEntry
from zoo.registry.schema import BundledSource, FolderSource

FETCHED = "fetched"
"""Where passages are that came from their home into the cache."""


def read_passages(path: Path, format: str | None = None, *, skipped: Counter[str] | None = None) -> Iterator[Passage]:
    """Stream the passages of a file, `.gz` or plain.

    Args:
        path: The file; the manifest of fetched passages stands for all of them.
        format: How it is written; None: a name in `.jsonl` holds JSON lines, any other is plain text. That is UTF-8
            with blank lines between passages.
        skipped: Counts what the reader leaves out, by reason; complete once the iterator is exhausted.

    Raises:
        ZooError: The file is malformed or cannot be read, with file and line or record.
    """
    if path.name == MANIFEST:
        return read_fetched(path)
    name = format or ("jsonl" if PASSAGE_FORMATS["jsonl"].matches(path.name) else "text")
    module, _, function = PASSAGE_FORMATS[name].reader.partition(":")
    passages: Iterator[Passage] = getattr(import_module(f"zoo.passages.readers.{module}"), function)(
        path, skipped=skipped
    )
    return passages


def read_passage_files(
    path: Path, format: str | None = None, *, skipped: Counter[str] | None = None
) -> Iterator[Passage]:
    """Stream the passages of one file, or of all files of a folder that are named after the format.

    Args:
        path: File, or folder, whose subfolders count.
        format: How the files are written; None: as `read_passages` says, JSON lines in a folder.
        skipped: As for `read_passages`.

    Raises:
        ZooError: There is no such file, it or the folder holds none, or a file is malformed.
    """
    number = 0
    for file in passage_files(path, format or "jsonl"):
        for passage in read_passages(file, format, skipped=skipped):
            number += 1
            yield passage
    if not number:
        names = " or ".join(f"*{suffix}[.gz]" for suffix in PASSAGE_FORMATS[format or "jsonl"].suffixes)
        folder = path.is_dir()
        fix = f"add files named {names}" if folder else "put a passage into it"
        raise ZooError(f"the {'folder' if folder else 'file'} holds no passages", where=path, fix=fix)


def passage_files(path: Path, format: str) -> Iterator[Path]:
    """The file itself, or the files of a folder that are named after the format, in order of their names.

    Subfolders come after the files beside them; hidden files and folders do not count. Of fetched passages it is their
    manifest, which changes where they do.
    """
    if not path.is_dir():
        yield path
        return
    if (path / MANIFEST).is_file():
        yield path / MANIFEST
        return
    for folder, below, names in os.walk(path):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and PASSAGE_FORMATS[format].matches(name):
                yield Path(folder) / name


def load_passages(
    entry: PassageEntry, *, registry_folder: Path, local: Path | None = None, skipped: Counter[str] | None = None
) -> Iterator[Passage]:
    """Stream the passages of a registry entry from the user's copy, or the first of its sources that is here.

    Args:
        entry: What to read.
        registry_folder: Folder of the registry that the entry came from; relative paths start there.
        local: Folder with local passages (`ZOO_PASSAGES`).
        skipped: Counts what the reader leaves out, by reason; complete once the iterator is exhausted.

    Raises:
        ZooError: No source is here, a file is malformed, or the number of passages is not that of the entry (raised
            after the last one).
    """
    path = passages_path(entry, registry_folder, local)
    number = 0
    for passage in read_passage_files(path, entry.format, skipped=skipped):
        number += 1
        yield passage
    if entry.passages is not None and number != entry.passages:
        raise ZooError(
            f"{entry.id} has {number:,} passages here, its registry entry says {entry.passages:,}",
            where=path,
            fix="use the registered files, or correct `passages` of the entry",
        )


def passages_path(entry: PassageEntry, registry_folder: Path, local: Path | None = None) -> Path:
    """File or folder of an entry: the user's copy, or the first of its sources that is on this machine or was fetched.

    Args:
        entry: The passages.
        registry_folder: Folder that the entry's relative paths start at.
        local: Folder with local passages; `local/<id>`, a file or folder, or `local/<id>.<ext>` comes before sources.

    Raises:
        ZooError: None is here, or there is no such folder with local passages.
    """
    if (found := find_passages(entry, registry_folder, local)) is not None:
        return found[1]
    fetch = f"run zoo passages fetch {entry.id}, or " if entry.remote else ""
    home = f"get the files from {entry.homepage}, " if entry.homepage else ""
    setting = "" if local else " and set ZOO_PASSAGES=DIR"
    names = f"*{PASSAGE_FORMATS[entry.format].suffixes[0]}[.gz]"
    raise ZooError(
        f"the passages {entry.id} are not on this machine",
        where=f"passages/{entry.id}.yaml: sources",
        fix=f"{fetch}{home}put them into {local or 'DIR'}/{entry.id}/ as {names}{setting}; "
        "or give the entry a source {kind: folder, path: DIR}",
    )


def find_passages(entry: PassageEntry, registry_folder: Path, local: Path | None = None) -> tuple[str, Path] | None:
    """What `passages_path` finds, after `local copy`, `bundled`, `local folder`, `fetched`; None where nothing is here.

    Raises:
        ZooError: There is no such folder with local passages.
    """
    suffixes = PASSAGE_FORMATS[entry.format].suffixes
    if local is not None:
        if not local.is_dir():
            raise ZooError(
                f"the passages folder {str(local)!r} does not exist",
                where="ZOO_PASSAGES",
                fix=f"set it to a folder with {entry.id}/ or {entry.id}{suffixes[0]}[.gz]",
            )
        names = [f"{entry.id}{suffix}{gz}" for suffix in suffixes for gz in ("", ".gz")]
        for name in (entry.id, *names):
            if (local / name).exists():
                return "local copy", local / name
    for source in entry.sources:
        if isinstance(source, (BundledSource, FolderSource)):
            path = registry_folder / Path(source.path).expanduser()
            if path.exists():
                return ("bundled" if isinstance(source, BundledSource) else "local folder"), path
    fetched = find_fetched(entry)
    return (FETCHED, fetched) if fetched else None
