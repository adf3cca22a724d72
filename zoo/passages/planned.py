"""What a mixture will be, before all of it was fetched."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from zoo.passages.fetched import MANIFEST, manifest
from zoo.passages.load import find_passages
from zoo.passages.mixture import passages_fingerprint
from zoo.registry.lock import LOCK_FILE, read_lock
from zoo.registry.passage_entry import PassageEntry
from zoo.registry.schema import FolderSource


def not_fetched(
    entries: Sequence[PassageEntry], *, folders: Mapping[str, Path], local: Path | None = None
) -> list[PassageEntry]:
    """Entries that are not on this machine and can be fetched."""
    return [
        entry
        for entry in entries
        if entry.remote and find_passages(entry, folders[f"passages/{entry.id}"], local) is None
    ]


def planned_fingerprint(
    entries: Sequence[PassageEntry], *, folders: Mapping[str, Path], local: Path | None = None
) -> str | None:
    """What `passages_fingerprint` will be once all is fetched, by the lock; None where one is not locked either.

    Raises:
        ZooError: As for `passages_fingerprint`.
    """
    lock = read_lock(Path(LOCK_FILE))
    missing = {entry.id: lock.of(entry) for entry in not_fetched(entries, folders=folders, local=local)}
    with tempfile.TemporaryDirectory() as temporary:
        for name, item in missing.items():
            if item is None:
                return None
            (folder := Path(temporary) / name).mkdir()
            (folder / MANIFEST).write_text(manifest(name, item))
        there = [
            entry.model_copy(update={"sources": (FolderSource(kind="folder", path=f"{temporary}/{entry.id}"),)})
            if entry.id in missing
            else entry
            for entry in entries
        ]
        return passages_fingerprint(there, folders=folders, local=local)
