"""Where the files of an ontology are: the user's local copy first, then the sources of its entry in their order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from zoo.corpora.download import cached_path, describe, fetch
from zoo.corpora.retry import FetchOptions
from zoo.errors import ZooError
from zoo.registry.formats import ONTOLOGY_FORMATS
from zoo.registry.ontology_entry import FilesSource, OntologyEntry
from zoo.registry.schema import BundledSource

_INSTEAD = "put a copy into a folder as {id}.obo, {id}.tsv.gz or the like, or as a folder {id}/, and set ZOO_ONTOLOGIES"


@dataclass(frozen=True)
class Located:
    """The files of an ontology on this machine.

    Attributes:
        source: Where they come from, in words fit for a card (no path of this machine).
        files: What is read, one after another; a folder where the format is one.
        format: How they are written; None: it is told by their first lines and names.
        fetched: Address -> file of what is a download, now or earlier.
        own: Whether it is the user's copy, of whatever version.
        version: What the name of such a copy says; empty where it says nothing.
    """

    source: str
    files: tuple[Path, ...]
    format: str | None = None
    fetched: Mapping[str, Path] = field(default_factory=dict)
    own: bool = False
    version: str = ""


def locate(
    entry: OntologyEntry, registry_folder: Path, local: Path | None, *, cache: Path, options: FetchOptions
) -> Located:
    """Find the files of an ontology; fetch them where they are not here yet.

    Args:
        entry: The ontology.
        registry_folder: Folder that the entry's relative paths start at.
        local: Folder with local copies: what `find_copy` finds there comes before all sources.
        cache: Root of the download cache.
        options: Retries, time-outs, mirrors and progress of downloads.

    Raises:
        ZooError: No source has the files; what went wrong with the first one.
    """
    if copy := find_copy(entry, local):
        return copy
    options = replace(options, instead=_INSTEAD.format(id=entry.id))
    first: ZooError | None = None
    for source in entry.sources:
        try:
            if isinstance(source, FilesSource):
                return _fetched(source, entry, cache, options)
            path = registry_folder / Path(source.path).expanduser()
            files = files_at(path)
            if not files:
                raise ZooError(f"there is no file of the ontology {entry.id}", where=path)
            bundled = isinstance(source, BundledSource)
            return Located("bundled with the registry" if bundled else "local folder", files)
        except ZooError as error:
            first = first or error
    if first:
        what = f"the ontology {entry.id} is not on this machine: {first.what}"
        raise ZooError(what, where=first.where, fix=first.fix)
    home = f"get it from {entry.homepage}, " if entry.homepage else ""
    raise ZooError(
        f"the ontology {entry.id} is not on this machine",
        where="ZOO_ONTOLOGIES" if local is None else local,
        fix=home + _INSTEAD.format(id=entry.id),
    )


def availability(entry: OntologyEntry, registry_folder: Path, local: Path | None, *, cache: Path) -> str:
    """Where `locate` would find an ontology, without fetching anything.

    Returns:
        `local copy`, `bundled`, `local folder`, `in the cache`, `to fetch`, or `no source`.
    """
    if find_copy(entry, local):
        return "local copy"
    for source in entry.sources:
        if isinstance(source, FilesSource):
            if all(cached_path(file, cache).is_file() for file in source.files):
                return "in the cache"
        elif files_at(registry_folder / Path(source.path).expanduser()):
            return "bundled" if isinstance(source, BundledSource) else "local folder"
    return "to fetch" if entry.files else "no source"


def forget_downloads(entry: OntologyEntry, cache: Path) -> None:
    """Remove what was fetched of files without a known hash: they are fetched anew when they are next wanted."""
    for file in entry.files:
        if not (file.sha256 or file.git_blob_sha1 or file.md5):
            cached_path(file, cache).unlink(missing_ok=True)


def find_copy(entry: OntologyEntry, local: Path | None) -> Located | None:
    """The user's copy of an ontology in any format: `<id>.<ext>[.gz]` or `<id>/`, also `<id>@<version>...`.

    Raises:
        ZooError: There is no such folder with local copies, or there are several of the ontology.
    """
    if local is None:
        return None
    if not local.is_dir():
        raise ZooError(
            f"the ontologies folder {str(local)!r} does not exist",
            where="ZOO_ONTOLOGIES, or ontologies in zoo.toml",
            fix="set it to a folder with <ontology>.obo, <ontology>.tsv.gz or <ontology>/",
        )
    suffixes = {suffix for format in ONTOLOGY_FORMATS.values() for suffix in format.suffixes if suffix != "/"}
    endings = "|".join(map(re.escape, suffixes))
    pattern = re.compile(rf"{re.escape(entry.id)}(?:@([\w.-]+?))?((?:{endings})(?:\.gz)?)?", re.IGNORECASE)
    here = [(path, match) for path in sorted(local.iterdir()) if (match := pattern.fullmatch(path.name))]
    found = [(path, match[1] or "") for path, match in here if path.is_dir() != bool(match[2])]
    if len(found) > 1:
        names = ", ".join(path.name for path, _ in found)
        raise ZooError(
            f"there are {len(found)} copies of the ontology {entry.id}: {names}", where=local, fix="keep one"
        )
    for path, version in found:
        if files := files_at(path):
            return Located("local copy (ZOO_ONTOLOGIES)", files, own=True, version=version)
    return None


def files_at(path: Path) -> tuple[Path, ...]:
    """A file, a folder that a format knows as one, or the files in another folder; empty where there are none."""
    if path.is_file():
        return (path,)
    if not path.is_dir():
        return ()
    here = sorted(item for item in path.iterdir() if item.is_file() and not item.name.startswith("."))
    known = {member for format in ONTOLOGY_FORMATS.values() for member in format.members}
    return (path,) if any(item.name.removesuffix(".gz") in known for item in here) else tuple(here)


def _fetched(source: FilesSource, entry: OntologyEntry, cache: Path, options: FetchOptions) -> Located:
    missing = [file.url for file in source.files if not cached_path(file, cache).is_file()]
    if missing and options.is_offline:
        raise ZooError(
            "its files are not in the cache, and this is offline",
            where=missing[0],
            fix=f"unset HF_HUB_OFFLINE and ZOO_OFFLINE, or {options.instead}",
        )
    found = {file.url: fetch(file, cache, options=options) for file in source.files}
    home = ", ".join(dict.fromkeys(describe(file) for file in source.files))
    return Located(home, tuple(found.values()), format=entry.format, fetched=found)
