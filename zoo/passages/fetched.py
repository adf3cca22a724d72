"""Passages that were fetched: `<cache>/passages/<id>/<hash>/`, a file for each part of them and a record of it all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from zoo.errors import ZooError
from zoo.files import write_whole
from zoo.passages.passage import Passage
from zoo.passages.shards import read_shard
from zoo.registry.lock import LOCK_FILE, Lock, LockedPassages, read_lock
from zoo.registry.passage_entry import PassageEntry
from zoo.settings import Settings

MANIFEST = "zoo_passages.json"
"""What stands for the folder in a mixture's fingerprint: the same for whoever fetched the same passages."""
RECORD = "fetched.json"


def cache_folder(entry: PassageEntry, cache: Path | None = None) -> Path:
    """Where all that was fetched of an entry lies; None: below the cache of the settings."""
    return (cache or Settings.load().cache) / "passages" / entry.id


def find_fetched(entry: PassageEntry, cache: Path | None = None, lock: Lock | None = None) -> Path | None:
    """The folder with fetched passages: those that the lock names, or without one the latest of the entry's source.

    Args:
        entry: The passages.
        cache: Root of the cache; None: that of the settings.
        lock: What is locked; None: what `zoo.lock.yaml` of the current folder says.
    """
    if entry.remote is None:
        return None
    lock = read_lock(Path(LOCK_FILE)) if lock is None else lock
    folder = cache_folder(entry, cache)
    if locked := lock.of(entry):
        found = folder / folder_name(locked)
        return found if (found / MANIFEST).is_file() else None
    records = sorted(folder.glob(f"[!.]*/{RECORD}"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in records:
        item = read_record(path.parent)
        if (item.source, item.sample) == (entry.remote, entry.sample):
            return path.parent
    return None


def folder_name(item: LockedPassages) -> str:
    """Name of the folder: by its content."""
    return item.records_sha256[:32]


def read_record(folder: Path) -> LockedPassages:
    """What was fetched into a folder.

    Raises:
        ZooError: The record is missing or damaged.
    """
    try:
        return LockedPassages.model_validate_json((folder / RECORD).read_bytes())
    except (OSError, ValueError):
        raise ZooError(
            "the record of fetched passages is missing or damaged",
            where=folder / RECORD,
            fix="remove the folder: zoo passages fetch gets them again",
        ) from None


def write_record(entry_id: str, item: LockedPassages, folder: Path) -> None:
    """Write record and manifest."""
    write_whole(folder / RECORD, item.model_dump_json(indent=2) + "\n")
    write_whole(folder / MANIFEST, manifest(entry_id, item))


def manifest(entry_id: str, item: LockedPassages) -> str:
    """The text of a manifest: what does not vary between machines and days."""
    return json.dumps({"id": entry_id, "records": item.records, "records_sha256": item.records_sha256}) + "\n"


def shard_name(part: str) -> str:
    """File of a part; one without passages has none."""
    return f"{part}.arrow"


def read_fetched(path: Path) -> Iterator[Passage]:
    """Stream all passages of a folder, given its manifest.

    Raises:
        ZooError: Record or file are missing or damaged, or there are more or fewer passages than recorded.
    """
    item, number = read_record(path.parent), 0
    for part in item.parts:
        if part.records:
            for passage in read_shard(path.parent / shard_name(part.name)):
                number += 1
                yield passage
    if number != item.records:
        raise ZooError(
            f"{number:,} passages are here, {item.records:,} were fetched",
            where=path.parent,
            fix="remove the folder: zoo passages fetch gets them again",
        )


def joined(hashes: Iterable[str]) -> str:
    """One hash of several."""
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()
