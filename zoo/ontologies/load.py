"""From an ontology entry to its checked concepts."""

from __future__ import annotations

import gc
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from zoo.corpora.retry import FetchOptions, Progress
from zoo.errors import ZooError
from zoo.files import file_sha256
from zoo.ontologies.concept import Concept
from zoo.ontologies.readers import read_files
from zoo.ontologies.readers.reading import Reading
from zoo.ontologies.sources import Located, forget_downloads, locate
from zoo.ontologies.tidy import tidy
from zoo.registry.loader import Registry
from zoo.registry.lock import LOCK_FILE, LockedOntology, lock_ontology, read_lock
from zoo.registry.ontology_entry import OntologyEntry
from zoo.settings import Settings


@dataclass(frozen=True)
class Ontology:
    """An ontology as it was read.

    Attributes:
        entry: Its registry entry.
        concepts: Its concepts, each id once, in the order of the files.
        version: What the files say, or the entry, or the name of an own copy; else the start of the fingerprint.
        fingerprint: Sha256 of the concepts, whatever their order.
        source: Where the files were found, in words fit for a card (no path of this machine).
        repairs: What was mended or left out, counted.
        places: Where each of these was met first: `file:line`, or the id of a concept.
        fetched: Address -> sha256 of the files, where they are a download, now or earlier.
        locked: Whether it is what the lock file says.
    """

    entry: OntologyEntry
    concepts: tuple[Concept, ...]
    version: str
    fingerprint: str
    source: str
    repairs: Counter[str] = field(default_factory=Counter)
    places: Mapping[str, str] = field(default_factory=dict)
    fetched: Mapping[str, str] = field(default_factory=dict)
    locked: bool = False

    @property
    def names(self) -> int:
        """Number of names of all concepts together."""
        return sum(1 + len(concept.synonyms) for concept in self.concepts)

    @property
    def verified(self) -> bool:
        """Whether it has the fingerprint that the registry entry demands; False: the entry demands none."""
        return self.entry.fingerprint == self.fingerprint


def open_ontology(
    entry: OntologyEntry,
    registry: Registry,
    settings: Settings,
    *,
    offline: bool = False,
    progress: Progress | None = None,
) -> Ontology:
    """Read an ontology of a registry, fetched where it is not on this machine.

    A copy of one's own is taken as it is: its fingerprint tells what it was. A fetched one must have the fingerprint of
    the entry, or where that has none be what the lock file of the current folder says; it is added there if it is new.

    Args:
        entry: What to read.
        registry: Registry that the entry is from.
        settings: Where local copies and downloads are.
        offline: Fetch nothing; what the settings and the environment say holds, too.
        progress: Called after every block of a download.

    Raises:
        ZooError: No source has the files, a file is malformed, or the concepts are not the registered or locked ones.
    """
    located = locate(
        entry,
        registry.folders[f"ontologies/{entry.id}"],
        settings.ontologies,
        cache=settings.cache,
        options=FetchOptions.of(settings, offline=offline, progress=progress),
    )
    try:
        ontology = read_ontology(entry, located)
    except ZooError:
        if located.fetched and entry.id not in read_lock(Path(LOCK_FILE)).ontologies:
            forget_downloads(entry, settings.cache)  # a page in the place of the file would be read for ever
        raise
    if located.own:
        return ontology
    if entry.fingerprint and not ontology.verified:
        raise ZooError(
            f"the ontology {entry.id} is not the registered one: fingerprint {ontology.fingerprint[:12]}, "
            f"registered {entry.fingerprint[:12]}",
            where=located.files[0],
            fix="use the registered files; for others write an entry under another id (zoo ontologies add)",
        )
    return ontology if entry.fingerprint else held_to_lock(ontology, Path(LOCK_FILE))


def read_ontology(entry: OntologyEntry, located: Located) -> Ontology:
    """Read the files of an ontology.

    Raises:
        ZooError: A file is malformed, or there is no concept in them.
    """
    reading = Reading()
    raw = read_files(located.files, entry, reading, format=located.format)
    with _without_collector():
        concepts = tidy(raw, reading, id_prefix=entry.id_prefix, own_prefixes=entry.own_prefixes)
    if not concepts:
        raise ZooError("the files hold no concept", where=located.files[0])
    found = fingerprint(concepts)
    told = reading.version or (located.version if located.own else entry.version)
    return Ontology(
        entry,
        concepts,
        told or f"fingerprint {found[:12]}",
        found,
        located.source,
        reading.repairs,
        reading.places,
        {url: file_sha256(path) for url, path in located.fetched.items()},
    )


@contextmanager
def _without_collector() -> Iterator[None]:
    """Without garbage collection: it would look through millions of new concepts again and again, and all stay."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def held_to_lock(ontology: Ontology, path: Path) -> Ontology:
    """An ontology, if it is what a lock file says; one that was fetched and is not in the file is added to it.

    Raises:
        ZooError: It is not the locked one, or the file is malformed.
    """
    entry, locked = ontology.entry, read_lock(path).ontologies.get(ontology.entry.id)
    if locked is None:
        if not ontology.fetched:
            return ontology
        item = LockedOntology(
            source=ontology.source,
            version=ontology.version,
            files=dict(ontology.fetched),
            concepts=len(ontology.concepts),
            names=ontology.names,
            fingerprint=ontology.fingerprint,
        )
        try:
            lock_ontology(path, entry.id, item)
        except ZooError:  # the folder cannot be written to: what is read is no worse for that
            return ontology
        return replace(ontology, locked=True)
    if locked.fingerprint != ontology.fingerprint:
        same = ontology.fetched and dict(ontology.fetched) == locked.files
        raise ZooError(
            f"the ontology {entry.id} is not the locked one: {len(ontology.concepts):,} concepts, fingerprint "
            f"{ontology.fingerprint[:12]}, locked {locked.concepts:,}, {locked.fingerprint[:12]} ({locked.source})",
            where=f"{path}: ontologies.{entry.id}",
            fix="the files are the same, this version of zoo reads them otherwise: remove it from the lock file"
            if same
            else "use the files that it was locked with, or remove it from the lock file to lock what is here now",
        )
    return replace(ontology, locked=True)


def fingerprint(concepts: Iterable[Concept]) -> str:
    """Sha256 of concepts with all that they have, whatever the order of concepts, synonyms and ids."""
    digest = hashlib.sha256()
    for concept in sorted(concepts, key=lambda concept: concept.id):
        synonyms = sorted((synonym.text, synonym.scope) for synonym in concept.synonyms)
        lists = [sorted(ids) for ids in (concept.alternative_ids, concept.parents, concept.types)]
        parts = [concept.id, concept.name, synonyms, *lists, concept.definition]
        line = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()
