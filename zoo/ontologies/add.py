"""A user's own vocabulary becomes an ontology of their registry folder: checked, copied, pinned."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from zoo.errors import ZooError
from zoo.ontologies.load import Ontology, read_ontology
from zoo.ontologies.readers import recognise
from zoo.ontologies.sources import Located
from zoo.registry.formats import ONTOLOGY_FORMATS
from zoo.registry.loader import load_registry
from zoo.registry.ontology_entry import OntologyEntry, OntologySource
from zoo.registry.overlay import check_new_id, publish_ontology, staging
from zoo.registry.reading import check
from zoo.registry.schema import BundledSource, FolderSource


@dataclass(frozen=True)
class Request:
    """What to add, and how.

    Attributes:
        name: Id of the new ontology.
        path: A file, or a folder of a format that is one.
        registry: Folder of the user's registry, made if it does not exist.
        format: How the files are written; None: told by first lines and names.
        title: What it is called; empty: its id.
        license_spdx: Licence of the vocabulary.
        publishable: Whether its content may be part of a push.
        id_prefix: What ids without a prefix get.
        version: What is told of its version, where the files say nothing.
        languages: Languages of names, where the files have several, as BCP 47 tags.
        vocabularies: Of UMLS: source vocabularies whose names are taken; empty: all.
        local: The user's folder of local copies (`ZOO_ONTOLOGIES`), which comes before every entry.
    """

    name: str
    path: Path
    registry: Path
    format: str | None = None
    title: str = ""
    license_spdx: str = "NOASSERTION"
    publishable: bool = False
    id_prefix: str = ""
    version: str = ""
    languages: tuple[str, ...] = ("en",)
    vocabularies: tuple[str, ...] = ()
    local: Path | None = None


@dataclass(frozen=True)
class Added:
    """What was added.

    Attributes:
        path: The new registry entry.
        ontology: The ontology as it will be read, with its entry.
        notes: What was decided on the way, for the user to know.
    """

    path: Path
    ontology: Ontology
    notes: tuple[str, ...]


def add_ontology(request: Request) -> Added:
    """Check a vocabulary and write its entry into the registry folder, with its fingerprint and counts.

    The folder gets `ontologies/NAME.yaml`, and of a file a copy in `vocabularies/NAME/`; a folder, such as a release of
    UMLS, is read where it is. Nothing is written before everything is checked, and the entry comes last.

    Raises:
        ZooError: The name is taken, the file is malformed or of no known format, or may not be published.
    """
    registry = load_registry(request.registry if request.registry.is_dir() else None)
    check_new_id(request.name, "ontologies", registry, request.local)
    if not request.path.exists():
        raise ZooError("there is no such file or folder", where=request.path)
    draft = _draft(request, request.format or recognise(request.path))
    ontology = read_ontology(draft, Located("as given", (request.path,), format=draft.format))
    entry = draft.model_copy(
        update={
            "description": f"{len(ontology.concepts):,} concepts with {ontology.names:,} names.",
            "version": ontology.version,
            "concepts": len(ontology.concepts),
            "names": ontology.names,
            "fingerprint": ontology.fingerprint,
        }
    )
    notes = [f"{ONTOLOGY_FORMATS[entry.format].title}, {entry.description}"]
    if request.path.is_dir():
        entry = _with_source(entry, FolderSource(kind="folder", path=str(request.path.absolute())))
        path = _publish(entry, None, request.registry)
        notes.append(f"read where it is: {request.path.absolute()}")
    else:
        entry = _with_source(entry, BundledSource(kind="bundled", path=f"vocabularies/{request.name}"))
        path = _publish(entry, request.path, request.registry)
    return Added(path, replace(ontology, entry=entry), tuple(notes))


def _draft(request: Request, format: str) -> OntologyEntry:
    data = {
        "id": request.name,
        "title": request.title or request.name,
        "description": "Not yet read.",
        "format": format,
        "version": request.version,
        "id_prefix": request.id_prefix,
        "languages": request.languages,
        "vocabularies": request.vocabularies,
        "license": {
            "spdx": request.license_spdx,
            "source": "given when the ontology was added",
            "publishable": request.publishable,
            "note": "" if request.publishable else "set publishable to true if its content may be in a push",
        },
        "note": f"Added from {request.path.name}.",
    }
    return check(OntologyEntry, data, where="zoo ontologies add")


def _with_source(entry: OntologyEntry, source: OntologySource) -> OntologyEntry:
    return entry.model_copy(update={"sources": (source,)})


def _publish(entry: OntologyEntry, file: Path | None, registry: Path) -> Path:
    with staging(registry) as folder:
        if file is None:
            return publish_ontology(entry, None, registry)
        data = folder / entry.id
        data.mkdir()
        shutil.copyfile(file, data / file.name)
        return publish_ontology(entry, data, registry)
