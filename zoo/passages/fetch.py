"""Fetching passages: from their home, part by part, into Arrow files in the cache; what was taken, into the lock."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from importlib import import_module
from pathlib import Path

from zoo.corpora.retry import FetchOptions, PassingError
from zoo.errors import ZooError
from zoo.files import write_whole
from zoo.passages.fetched import (
    MANIFEST,
    RECORD,
    cache_folder,
    find_fetched,
    folder_name,
    joined,
    read_record,
    shard_name,
    write_record,
)
from zoo.passages.fetchers.desk import INSTEAD
from zoo.passages.fetchers.home import Home, Part
from zoo.passages.shards import read_shard, summarise, write_shard
from zoo.registry.formats import PASSAGE_HOMES
from zoo.registry.lock import LOCK_FILE, LockedPart, LockedPassages, lock_passages, read_lock
from zoo.registry.passage_entry import PassageEntry, RemotePassages

_STALE = timedelta(days=30)
"""Work that was left for longer is begun anew: homes change."""
_DAY = "day"
OnPart = Callable[[int, int], None]
"""Called after every part with the parts and the passages so far."""


def fetch_passages(
    entry: PassageEntry,
    *,
    cache: Path,
    lock_file: Path = Path(LOCK_FILE),
    options: FetchOptions | None = None,
    verify: bool = True,
    on_part: OnPart | None = None,
) -> LockedPassages:
    """Get the passages of an entry from their home unless they are in the cache, and lock them.

    Every part is kept as soon as it is whole; a killed or failed run is taken up by the next one. With a lock entry the
    same is taken, and anything else refused. Processes that want the same passages wait for each other.

    Args:
        entry: The passages; it has a source to fetch from.
        cache: Root of the cache; the passages lie in `<cache>/passages/<id>/<hash>/`.
        lock_file: Where what was fetched is read from and written to.
        options: Retries, time-outs, mirrors, progress.
        verify: Compare the content of passages that are here with their record.
        on_part: Called after every part.

    Raises:
        ZooError: Offline, refused, unreachable, not what is locked, or no space; what is whole by then stays.
    """
    from filelock import FileLock, Timeout

    options = options or FetchOptions()
    folder = cache_folder(entry, cache)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=options.lock_seconds):
            item = _kept(entry, cache, lock_file, verify=verify)
            item = item or _Fetching(entry, cache, lock_file, options, on_part).run()
    except Timeout:
        raise ZooError(
            f"another process has been fetching {entry.id} for {options.lock_seconds:.0f} seconds",
            where=folder,
            fix="end it, then run the command again",
        ) from None
    except OSError as error:
        raise ZooError(
            f"cannot write to the cache: {error.strerror or error}",
            where=folder,
            fix="free some space, or set ZOO_CACHE to another folder; what was fetched so far is kept",
        ) from None
    lock_passages(lock_file, entry.id, item)
    return item


def _kept(entry: PassageEntry, cache: Path, lock_file: Path, *, verify: bool) -> LockedPassages | None:
    """What is in the cache already; damaged passages are removed."""
    found = find_fetched(entry, cache, read_lock(lock_file))
    if found is None:
        return None
    try:
        item = read_record(found)
        if not verify or all(_is_intact(found, part) for part in item.parts if part.records):
            return item
    except ZooError:
        pass
    shutil.rmtree(found)
    return None


def _is_intact(folder: Path, part: LockedPart) -> bool:
    found = summarise(read_shard(folder / shard_name(part.name)))
    return (found.records, found.records_sha256) == (part.records, part.records_sha256)


class _Fetching:
    """One run of fetching an entry; the lock of its folder is held."""

    def __init__(
        self, entry: PassageEntry, cache: Path, lock_file: Path, options: FetchOptions, on_part: OnPart | None
    ) -> None:
        self.entry, self.cache, self.options, self.on_part = entry, cache, options, on_part
        self.lock_file, self.locked = lock_file, read_lock(lock_file).of(entry)
        assert entry.remote is not None
        request = [entry.remote.model_dump(mode="json"), entry.sample, self.locked and self.locked.records_sha256]
        name = hashlib.sha256(json.dumps(request).encode()).hexdigest()[:16]
        self.work = cache_folder(entry, cache) / f".work-{name}"

    def run(self) -> LockedPassages:
        """Fetch what is missing."""
        entry, source = self.entry, self.entry.remote
        assert source is not None
        if self.options.is_offline:
            raise ZooError(
                f"the passages {entry.id} are not on this machine, and this is offline",
                where=f"passages/{entry.id}.yaml: sources",
                fix=f"unset HF_HUB_OFFLINE and ZOO_OFFLINE, or {INSTEAD}",
            )
        day = self._begin()
        home = _home(entry, day, self.work, self.cache, self.options)
        with home.desk:
            parts = list(self._parts(home))
        records = sum(part.records for part in parts)
        if not records:
            raise ZooError(f"no passages were found at the home of {entry.id}", where=f"passages/{entry.id}.yaml")
        item = LockedPassages(
            source=source,
            sample=entry.sample,
            fetched=day,
            records=records,
            ids_sha256=joined(part.ids_sha256 for part in parts),
            records_sha256=joined(part.records_sha256 for part in parts),
            parts=tuple(parts),
        )
        if self.locked and item.records_sha256 != self.locked.records_sha256:
            raise self._changed("its parts", f"{len(self.locked.parts)} are locked, {len(parts)} are there")
        item = self.locked or item  # sizes of answers vary with the tokens in them
        self._finish(item)
        return item

    def _begin(self) -> date:
        """The day on which fetching began: that of the lock, of the work that was left, or today."""
        path = self.work / _DAY
        begun = date.fromisoformat(path.read_text()) if path.is_file() else None
        if begun and not self.locked and _today() - begun > _STALE:
            shutil.rmtree(self.work)
            begun = None
        day = self.locked.fetched if self.locked else begun or _today()
        self.work.mkdir(exist_ok=True)
        write_whole(path, day.isoformat())
        return day

    def _parts(self, home: Home[RemotePassages]) -> Iterator[LockedPart]:
        pinned = {part.name: part for part in self.locked.parts} if self.locked else None
        records = 0
        for number, part in enumerate(home.parts(self.locked.parts if self.locked else None), start=1):
            if pinned is not None and part.name not in pinned:
                raise self._changed(part.name, "it is not in the lock")
            done = self._part(home, part, pinned[part.name] if pinned else None)
            yield done
            records += done.records
            if self.on_part:
                self.on_part(number, records)
            if not self.locked and home.enough(records):
                return

    def _part(self, home: Home[RemotePassages], part: Part, pinned: LockedPart | None) -> LockedPart:
        """Fetch a part, unless it is here; write its passages, then its record."""
        record, shard = self.work / f"{part.name}.json", self.work / shard_name(part.name)
        if record.is_file():
            return LockedPart.model_validate_json(record.read_bytes())
        try:
            raw = home.bring(part)
            written = write_shard(shard, (passage for path in raw.files for passage in home.read(path, part)))
        except PassingError as error:
            raise ZooError(
                f"what was kept of {part.name} is damaged: {error}", where=self.work, fix="remove the folder"
            ) from None
        done = LockedPart(
            name=part.name,
            url=part.url,
            md5=raw.md5,
            sha256=raw.sha256,
            size_bytes=raw.size_bytes,
            records=written.records,
            ids_sha256=written.ids_sha256,
            records_sha256=written.records_sha256,
        )
        if pinned and done.records_sha256 != pinned.records_sha256:
            raw.discard()
            shard.unlink(missing_ok=True)
            same = done.ids_sha256 == pinned.ids_sha256
            what = (
                "the same records have another text" if same else f"{done.records:,} records, {pinned.records:,} locked"
            )
            raise self._changed(part.name, what)
        write_whole(record, done.model_dump_json())
        raw.discard()
        return done

    def _changed(self, part: str, what: str) -> ZooError:
        assert self.locked is not None
        name = folder_name(self.locked)
        return ZooError(
            f"{self.entry.id} has changed at its home since it was locked on {self.locked.fetched}: {part}: {what}",
            where=self.lock_file,
            fix=f"copy {cache_folder(self.entry, self.cache) / name} from a machine that has it, "
            f"or remove passages: {self.entry.id} from the lock to take what is there now",
        )

    def _finish(self, item: LockedPassages) -> None:
        """Make the work the folder of the passages; then what else lies in it goes."""
        write_record(self.entry.id, item, self.work)
        target = self.work.with_name(folder_name(item))
        if target.exists():  # the same passages, of another source or sample
            shutil.rmtree(target)
        self.work.rename(target)
        keep = {MANIFEST, RECORD, *(shard_name(part.name) for part in item.parts)}
        for path in target.iterdir():
            if path.name not in keep:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _today() -> date:
    """In the time zone of the homes."""
    return datetime.now(timezone.utc).date()


def _home(entry: PassageEntry, day: date, work: Path, cache: Path, options: FetchOptions) -> Home[RemotePassages]:
    assert entry.remote is not None
    module, _, name = PASSAGE_HOMES[entry.remote.kind].partition(":")
    kind: type[Home[RemotePassages]] = getattr(import_module(f"zoo.passages.fetchers.{module}"), name)
    return kind(entry, entry.remote, day, work, cache, options)
