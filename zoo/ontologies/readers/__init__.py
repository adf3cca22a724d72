"""Readers of ontologies: one module a format, registered in `zoo.registry.formats`, imported when needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from zoo.corpora.files import open_bytes
from zoo.errors import ZooError
from zoo.ontologies.concept import Concept
from zoo.ontologies.readers.reading import Reading
from zoo.registry.formats import ONTOLOGY_FORMATS
from zoo.registry.ontology_entry import OntologyEntry

_HEAD_BYTES = 8192
_OWL = re.compile(r"<owl:Ontology\b|<Ontology\b|^Ontology\(|http://www\.w3\.org/2002/07/owl#", re.MULTILINE)


def read_files(
    files: tuple[Path, ...], entry: OntologyEntry, reading: Reading, *, format: str | None = None
) -> Iterator[Concept]:
    """Stream the concepts of files one after another, as they are written: ids, names and links are not checked.

    Args:
        files: What to read; a folder where the format is one.
        entry: Says what readers take.
        reading: Gets what is found beside concepts.
        format: How the files are written; None: told by their first lines and names.

    Raises:
        ZooError: A file is malformed, with file and line, or of no known format.
    """
    for path in files:
        registered = ONTOLOGY_FORMATS[format or recognise(path)]
        module, _, function = registered.reader.partition(":")
        options = {name: getattr(entry, name) for name in registered.options}
        yield from getattr(import_module(f"zoo.ontologies.readers.{module}"), function)(path, reading, **options)


def recognise(path: Path) -> str:
    """The format of a file or folder.

    Raises:
        ZooError: It is none that is read; of OWL the message says how to convert it.
    """
    if path.is_dir():
        for name, format in ONTOLOGY_FORMATS.items():
            if format.members and all(find_member(path, member) for member in format.members):
                return name
        formats = [format for format in ONTOLOGY_FORMATS.values() if format.members]
        known = "; ".join(f"{', '.join(format.members)} ({format.title})" for format in formats)
        raise ZooError("the folder holds no ontology", where=path, fix=f"it should have {known}, or name a file")
    with open_bytes(path) as file:
        head = file.read(_HEAD_BYTES).decode("utf-8-sig", errors="replace")
    if not head.strip():
        raise ZooError("the file is empty", where=path)
    signed = {name for name, item in ONTOLOGY_FORMATS.items() if item.signature and re.search(item.signature, head)}
    if _OWL.search(head) and (not signed or path.name.lower().removesuffix(".gz").endswith(".owl")):  # may name SKOS
        raise ZooError(
            "the file is OWL, which is not read",
            where=path,
            fix=f"convert it: robot convert --input {path.name} --output {path.stem}.obo (http://robot.obolibrary.org)",
        )
    for name, item in ONTOLOGY_FORMATS.items():
        if name in signed or (not signed and not item.signature and item.matches(path.name)):
            return name
    titles = ", ".join(format.title for format in ONTOLOGY_FORMATS.values())
    raise ZooError("the format of the file is not known", where=path, fix=f"known: {titles}")


def find_member(folder: Path, name: str) -> Path | None:
    """A file of a folder, plain or gzip."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)
