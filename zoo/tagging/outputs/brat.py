"""BRAT: `ID.txt` with the text and `ID.ann` with the entities of each document.

What the text says of an entity are binary attributes (`A1<TAB>Negated T1`), its section a note. To show attributes,
BRAT wants them in `annotation.conf`: `[attributes]`, and a line `Negated Arg:<ENTITY>` for each.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from urllib.parse import quote

from zoo.context.assertion import Assertion
from zoo.corpora.document import fragments_of
from zoo.ontologies.link import Link
from zoo.tagging.outputs.format import FolderFormat, Run
from zoo.tagging.texts import Tagged

_ATTRIBUTES = {
    "negated": "Negated",
    "possible": "Possible",
    "historical": "Historical",
    "hypothetical": "Hypothetical",
    "other": "SomeoneElse",
}
"""By the value of an axis; the usual values have none."""
_LONGEST = 200
"""Bytes of a name; file systems take 255, and a file is written under a longer name before it is whole."""


def _files(tagged: Tagged, run: Run) -> Mapping[str, str]:
    text = tagged.text.text
    lines: list[str] = []
    number = concepts = attributes = notes = 0
    for model, entities in zip(run.models, tagged.entities, strict=True):
        for entity in entities:
            number += 1
            parts = [line for part in fragments_of(entity.key) for line in _lines(text, *part)]
            places = ";".join(f"{start} {end}" for start, end in parts)
            mention = " ".join(text[start:end] for start, end in parts)
            lines.append(f"T{number}\t{'_'.join(entity.type.split())} {places}\t{mention}\n")
            for reference, concept in _references(entity.link, run):
                concepts += 1
                lines.append(f"N{concepts}\tReference T{number} {reference}\t{concept}\n")
            for attribute in _attributes(entity.assertion):
                attributes += 1
                lines.append(f"A{attributes}\t{attribute} T{number}\n")
            section = f"section: {entity.assertion.section}" if entity.assertion and entity.assertion.section else ""
            for note in filter(None, (model if len(run.models) > 1 else "", section)):
                notes += 1
                lines.append(f"#{notes}\tAnnotatorNotes T{number}\t{note}\n")
    name = _name(tagged.text.id)
    return {f"{name}.txt": text, f"{name}.ann": "".join(lines)}


def _attributes(found: Assertion | None) -> list[str]:
    if found is None:
        return []
    return [_ATTRIBUTES[v] for v in (found.negation, found.temporality, found.experiencer) if v in _ATTRIBUTES]


def _references(link: Link | None, run: Run) -> list[tuple[str, str]]:
    """`RID:EID` and name of each concept; BRAT wants a resource, so an id without one gets its ontology's."""
    if link is None:
        return []
    ids = ["_".join(i.split()) for i in link.concept_ids]
    resource = "_".join(link.ontology.split()) or "concept"
    references = [i if re.match(r"[^:]+:.", i) else f"{resource}:{i}" for i in ids]
    return list(zip(references, (" ".join(name.split()) for name in run.names(link)), strict=True))


def _name(document_id: str) -> str:
    """A file name for an id: no path, not hidden; one too long is cut, and told from others by part of its hash."""
    name = quote(document_id, safe=" ()+,@") or "_"
    name = f"_{name[1:]}" if name.startswith(".") else name
    if len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(document_id.encode()).hexdigest()[:16]
    return re.sub(r"%.?$", "", name[: _LONGEST - 17]) + f"-{digest}"


def _lines(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The parts of a mention between line ends: BRAT has no mention over several lines."""
    return [(start + m.start(), start + m.end()) for m in re.finditer(r"[^\r\n]+", text[start:end])] or [(start, end)]


FORMAT = FolderFormat(_files)
