"""OBO, as the OBO Foundry publishes it.

Read by hand: fastobo, and pronto which stands on it, refuse a whole file for one line that is not to the letter, as
releases of the Cell Ontology have some, and obonet does not unescape; what is wanted of a stanza is a tag a line.
Format: https://owlcollab.github.io/oboformat/doc/GO.format.obo-1_4.html
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from zoo.corpora.files import numbered_lines
from zoo.errors import ZooError
from zoo.ontologies.concept import Concept, Scope, Synonym
from zoo.ontologies.readers.reading import Reading, version_in

_SYNONYMS = ("synonym", "exact_synonym", "narrow_synonym", "broad_synonym", "related_synonym")
"""The first holds its scope; the others are those of OBO 1.0."""
_TAGS = frozenset(
    ("id", "name", "namespace", "def", "alt_id", "xref", "is_a", "is_obsolete", "replaced_by", *_SYNONYMS)
)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"(?:\s*(EXACT|NARROW|BROAD|RELATED)\b)?')
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": " ", "W": " ", "t": " "}
_END_OF_ID = re.compile(r"\s")
_SCOPES: dict[str, Scope] = {"EXACT": "exact", "NARROW": "narrow", "BROAD": "broad", "RELATED": "related"}
_Values = dict[str, list[tuple[str, int]]]
"""Tag -> values of a stanza, each with its line."""


def read_obo(path: Path, reading: Reading, *, same_as: Sequence[str] = ()) -> Iterator[Concept]:
    """Stream the terms of a file, plain or gzip; semantic types are namespaces.

    Args:
        path: The file.
        reading: Gets the version, obsolete terms and what was left out.
        same_as: Prefixes of cross-references that become alternative ids.

    Raises:
        ZooError: The file holds no term, or cannot be read, with file and line.
    """
    header: dict[str, str] = {}
    terms = 0
    for kind, line, values in _stanzas(path, reading, header):
        if kind != "[Term]":
            continue
        terms += 1
        concept = _term(values, f"{path}:{line}", path, reading, same_as, header.get("default-namespace", ""))
        if concept is not None:
            yield concept
    reading.version = reading.version or version_in(header.get("data-version") or header.get("date", ""))
    if not terms:
        raise ZooError("the file holds no [Term]", where=path, fix="give OBO, or say --format if it is another one")


def _stanzas(path: Path, reading: Reading, header: dict[str, str]) -> Iterator[tuple[str, int, _Values]]:
    """Kind, first line and values of each stanza; the header goes into `header`."""
    kind, first = "", 0
    values: _Values = defaultdict(list)
    for number, raw in numbered_lines(path):
        line = raw.strip()
        if not line or line.startswith("!"):
            continue
        if line.startswith("[") and line.endswith("]"):
            if kind:
                yield kind, first, values
            kind, first, values = line, number, defaultdict(list)
            continue
        tag, colon, value = line.partition(":")
        if not colon:
            reading.repair("lines without a tag left out", f"{path}:{number}")
        elif not kind:
            header.setdefault(tag, value.strip())
        elif tag in _TAGS:
            values[tag].append((value.strip(), number))
    if kind:
        yield kind, first, values


def _term(
    values: _Values, where: str, path: Path, reading: Reading, same_as: Sequence[str], namespace: str
) -> Concept | None:
    concept_id = _first_id(values, "id")
    if not concept_id:
        reading.repair("terms without an id left out", where)
        return None
    if any(value.startswith("true") for value, _ in values["is_obsolete"]):
        reading.obsolete[concept_id] = _first_id(values, "replaced_by")
        return None
    texts = [found for value, line in values["def"] if (found := _quoted(value, f"{path}:{line}", reading))]
    references = [_id(value) for value, _ in values["xref"]]
    return Concept(
        id=concept_id,
        name=next((_unescaped(value.split(" ! ")[0]) for value, _ in values["name"]), ""),
        synonyms=tuple(_synonyms(values, path, reading)),
        alternative_ids=(
            *(_id(value) for value, _ in values["alt_id"]),
            *(item for item in references if item.partition(":")[0] in same_as),
        ),
        parents=tuple(_id(value) for value, _ in values["is_a"]),
        types=tuple(value for value, _ in values["namespace"]) or ((namespace,) if namespace else ()),
        definition=texts[0][0] if texts else "",
    )


def _synonyms(values: _Values, path: Path, reading: Reading) -> Iterator[Synonym]:
    for tag in _SYNONYMS:
        for value, line in values[tag]:
            if (found := _quoted(value, f"{path}:{line}", reading)) is None:
                continue
            text, scope = found
            scope = scope if tag == "synonym" else tag.partition("_")[0].upper()
            yield Synonym(text, _SCOPES.get(scope, "related"))  # the format's default


def _quoted(value: str, where: str, reading: Reading) -> tuple[str, str] | None:
    """The quoted text that a value begins with, and the scope behind it."""
    match = _QUOTED.match(value)
    if match is None:
        reading.repair("synonyms and definitions without closing quotes left out", where)
        return None
    return _unescaped(match[1]), match[2] or ""


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[1]), text)


def _first_id(values: _Values, tag: str) -> str:
    return _id(values[tag][0][0]) if values[tag] else ""


def _id(value: str) -> str:
    """The id at the start of a value, before qualifiers and comments."""
    return _ESCAPE.sub(r"\1", _END_OF_ID.split(value, maxsplit=1)[0])
