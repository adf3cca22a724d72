"""Indexes of ontologies: each is built once into the cache, named by what is in it, and opened from there."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import zoo
from zoo.corpora.retry import FetchOptions
from zoo.errors import ZooError, did_you_mean
from zoo.files import file_sha256, new_folder, write_whole
from zoo.linking.beside import index_folder
from zoo.linking.index import Index
from zoo.ontologies.load import Ontology, open_ontology, read_ontology
from zoo.ontologies.readers import recognise
from zoo.ontologies.sources import Located, find_copy, locate
from zoo.registry.loader import Registry
from zoo.registry.lock import LOCK_FILE, read_lock
from zoo.registry.ontology_entry import OntologyEntry
from zoo.registry.schema import LicenseInfo
from zoo.settings import Settings

if TYPE_CHECKING:
    from zoo.corpora.retry import Progress

INDEXES = "indexes"
"""Folder of indexes in the cache."""
_LOCK_SECONDS = 3600.0
"""Longest that one process waits for another that builds the same index."""


@dataclass(frozen=True)
class Opened:
    """An opened index.

    Attributes:
        index: The index.
        fingerprint: Of the ontology.
        types: Types that the ontology is for; empty: all.
    """

    index: Index
    fingerprint: str
    types: tuple[str, ...]

    @property
    def key(self) -> str:
        """Name of the ontology and part of its fingerprint."""
        return index_folder(self.index.info.ontology, self.fingerprint, Path()).name


def open_index(
    name: str,
    registry: Registry,
    settings: Settings,
    *,
    say: Callable[[str], None] = lambda _: None,
    progress: Progress | None = None,
) -> Opened:
    """The index of an ontology, built where it is not yet.

    Args:
        name: Registry id, or a file with a vocabulary of one's own.
        registry: Where ontologies are described.
        settings: Where they, and their indexes, are kept.
        say: Told what is done.
        progress: Called as downloads proceed.

    Raises:
        ZooError: There is no such ontology or file, it is malformed, or the index cannot be written.
    """
    own, cache = _own_file(name, registry), settings.cache / INDEXES
    entry = _own_entry(own) if own else registry.ontology(name)
    options = FetchOptions.of(settings, progress=progress)
    known, note = (None if own else _pinned(entry, settings)), None
    if known is None:
        files = (own,) if own else _locate(entry, registry, settings, options).files
        note = cache / ".read" / _hash(entry, files)
        known = note.read_text(encoding="ascii") if note.is_file() else None
    index = _cached(index_folder(entry.id, known, cache)) if known else None
    if known is None or index is None:
        say(f"reading {entry.title}")
        ontology = (
            read_ontology(entry, Located("a file of one's own", (own,), format=entry.format))
            if own
            else open_ontology(entry, registry, settings, progress=progress)
        )
        known = ontology.fingerprint
        folder = index_folder(entry.id, known, cache)
        with _locked(folder):
            if (index := _cached(folder)) is None:
                build_index(ontology, folder, say)
                index = Index.open(folder)
            if note:
                note.parent.mkdir(exist_ok=True)
                write_whole(note, known)
    return Opened(index, known, tuple(entry.types))


def _cached(folder: Path) -> Index | None:
    """The index in a folder of the cache; None where there is none, or one of another version of the format."""
    try:
        return Index.open(folder)
    except ZooError:
        return None


def build_index(ontology: Ontology, destination: Path, say: Callable[[str], None] = lambda _: None) -> None:
    """Write the index of an ontology, whole or not at all.

    Raises:
        ZooError: It cannot be written.
    """
    say(f"building the index of {ontology.entry.title}: {len(ontology.concepts):,} concepts, once")
    try:
        with new_folder(destination) as folder:
            Index.build(
                ontology.concepts,
                folder,
                ontology=ontology.entry.id,
                version=ontology.version,
                page=ontology.entry.page,
                id_prefix=ontology.entry.id_prefix,
                types={kind: prefixes for kind, prefixes in ontology.entry.types.items() if prefixes},
            )
    except OSError as error:
        raise ZooError(
            f"cannot write the index: {error.strerror or error}",
            where=destination,
            fix="free some space, or set ZOO_CACHE to another folder",
        ) from None


def _own_file(name: str, registry: Registry) -> Path | None:
    """The file that a name means; None: it is an ontology of the registry."""
    if name in registry.ontologies:
        return None
    path = Path(name).expanduser()
    if path.exists():
        return path.resolve()
    if path.suffix or path.name != name:
        raise ZooError("there is no such file", where=name, fix="give a .csv, .tsv or .obo file, or an ontology's id")
    raise ZooError(
        f"there is no ontology {name!r}, and no such file",
        fix=f"{did_you_mean(name, registry.ontologies)} zoo ontologies list shows all; a file of your own works too",
    )


def _own_entry(path: Path) -> OntologyEntry:
    """An entry for a file that no registry has."""
    stem = path.name.removesuffix(".gz").rpartition(".")[0] or path.name
    return OntologyEntry(
        id=re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-") or "own",
        title=path.name,
        description="",
        format=recognise(path),
        license=LicenseInfo(spdx="NOASSERTION", source="a file of one's own", publishable=False),
    )


def _pinned(entry: OntologyEntry, settings: Settings) -> str | None:
    """The fingerprint that an ontology must have; None: none is known, or a copy of one's own comes first."""
    if find_copy(entry, settings.ontologies):
        return None
    locked = read_lock(Path(LOCK_FILE)).ontologies.get(entry.id)
    return entry.fingerprint or (locked.fingerprint if locked else None)


def _locate(entry: OntologyEntry, registry: Registry, settings: Settings, options: FetchOptions) -> Located:
    folder = registry.folders[f"ontologies/{entry.id}"]
    return locate(entry, folder, settings.ontologies, cache=settings.cache, options=options)


def _hash(entry: OntologyEntry, files: Iterable[Path]) -> str:
    """Of all that determines what is read: where files and entry are the same, nothing need be read again."""
    digest = hashlib.sha256(f"{zoo.__version__} {entry.model_dump_json()}".encode())
    for path in files:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(f"{file.name} {file_sha256(file)}\n".encode())
    return digest.hexdigest()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock"), timeout=_LOCK_SECONDS):
            yield
    except Timeout:
        raise ZooError("another process has been building the index for an hour", where=folder) from None
    except OSError as error:
        raise ZooError(f"cannot write to the cache: {error.strerror or error}", where=folder) from None
