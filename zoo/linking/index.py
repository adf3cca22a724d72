"""The names of an ontology on disk: opened in well under a second, and shared by processes.

A folder with `index.json`, `concepts.sqlite` (names by their spellings) and the mapped arrays of `ngrams.py`.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from zoo.errors import ZooError
from zoo.files import write_whole
from zoo.linking.ngrams import Ngrams
from zoo.linking.spelling import bag, exact_key
from zoo.ontologies.concept import Concept, Synonym
from zoo.records import Record

INDEX_FILE = "index.json"
_CONCEPTS = "concepts.sqlite"
_VERSION = 1
_SCHEMA = """
CREATE TABLE concept (row INTEGER PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL, about TEXT NOT NULL);
CREATE TABLE id (id TEXT PRIMARY KEY, concept INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE name (row INTEGER PRIMARY KEY, concept INTEGER NOT NULL, text TEXT NOT NULL, scope TEXT NOT NULL,
                   exact TEXT NOT NULL, bag TEXT NOT NULL);
"""
_INDEXES = """
CREATE INDEX name_exact ON name (exact);
CREATE INDEX name_bag ON name (bag);
CREATE INDEX name_concept ON name (concept);
"""
_BATCH = 10_000


class IndexInfo(Record):
    """`index.json`: what an index holds, and of which ontology."""

    format_version: int = _VERSION
    ontology: str
    version: str = Field(description="of the ontology")
    concepts: int
    names: int
    page: str = Field(default="", description="address of a concept's page, with {id} and {local_id}")
    id_prefix: str = Field(default="", description="what ids without a prefix get: `9606` is `NCBITaxon:9606`")
    types: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="entity type -> beginnings of the semantic types that it is linked to"
    )


@dataclass(frozen=True, slots=True)
class Name:
    """A name in an index.

    Attributes:
        row: Its place.
        concept_id: Whose name it is.
        text: As the ontology has it.
        preferred: Whether it is the concept's own name rather than a synonym.
    """

    row: int
    concept_id: str
    text: str
    preferred: bool


class Index:
    """An opened index; many threads may use it at once.

    Attributes:
        folder: Where it is.
        info: What it holds.
    """

    def __init__(self, folder: Path, info: IndexInfo, ngrams: Ngrams) -> None:
        self.folder, self.info = folder, info
        self._ngrams, self._local = ngrams, threading.local()
        self._masks: dict[str, frozenset[str] | None] = {}

    @classmethod
    def build(
        cls,
        concepts: Iterable[Concept],
        destination: Path,
        *,
        ontology: str,
        version: str,
        page: str = "",
        id_prefix: str = "",
        types: Mapping[str, Sequence[str]] | None = None,
    ) -> IndexInfo:
        """Write the index of an ontology into an empty or new folder.

        Args:
            concepts: Its concepts.
            destination: The folder; `index.json` is written last.
            ontology: Registry id.
            version: Of the ontology.
            page: Address of a concept's page, with `{id}` or `{local_id}` (what follows the colon).
            id_prefix: What ids without a prefix get when they are looked up.
            types: Entity type -> beginnings of the semantic types that its mentions may be linked to.
        """
        destination.mkdir(parents=True, exist_ok=True)
        path = destination / _CONCEPTS
        path.unlink(missing_ok=True)
        names: list[str] = []
        count = 0
        with sqlite3.connect(path) as database:
            database.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_SCHEMA}")
            alternatives: list[tuple[str, int]] = []
            for count, concept in enumerate(concepts, start=1):
                _add(database, count - 1, concept, names)
                alternatives += [(other, count - 1) for other in concept.alternative_ids]
            database.executemany("INSERT OR IGNORE INTO id VALUES (?, ?)", alternatives)
            database.executescript(_INDEXES)
        database.close()
        Ngrams.of(names).save(destination)
        info = IndexInfo(
            ontology=ontology,
            version=version,
            concepts=count,
            names=len(names),
            page=page,
            id_prefix=id_prefix,
            types={name: tuple(prefixes) for name, prefixes in (types or {}).items()},
        )
        write_whole(destination / INDEX_FILE, info.to_json())
        return info

    @classmethod
    def open(cls, folder: Path) -> Index:
        """Open an index.

        Raises:
            ZooError: It is not one, or of another version of the format.
        """
        fix = "build it again: zoo ontologies index"
        try:
            raw = json.loads((folder / INDEX_FILE).read_bytes())
            if raw.get("format_version") != _VERSION:
                raise ZooError(
                    f"the index has format {raw.get('format_version')}, not {_VERSION}", where=folder, fix=fix
                )
            info = IndexInfo.model_validate(raw)
            return cls(folder, info, Ngrams.open(folder, info.names))
        except (OSError, ValueError, ValidationError, AttributeError) as error:
            reason = str(error).splitlines()[0]
            raise ZooError(f"it is not the index of an ontology: {reason}", where=folder, fix=fix) from None

    def concept(self, concept_id: str) -> Concept | None:
        """A concept by its id, or by one that stands for it too."""
        row = self._one("SELECT concept FROM id WHERE id = ?", self._prefixed(concept_id))
        if row is None:
            return None
        concept_id, name, about = self._all("SELECT id, name, about FROM concept WHERE row = ?", row[0])[0]
        rest = json.loads(about)
        synonyms = self._all("SELECT text, scope FROM name WHERE concept = ? ORDER BY row", row[0])[1:]
        return Concept(
            concept_id,
            name,
            tuple(Synonym(text, scope) for text, scope in synonyms),
            tuple(rest.get("alternative_ids", ())),
            tuple(rest.get("parents", ())),
            tuple(rest.get("types", ())),
            rest.get("definition", ""),
        )

    def canonical(self, concept_id: str) -> str | None:
        """The id of the concept that an id stands for; None where the ontology has none."""
        query = "SELECT concept.id FROM id JOIN concept ON row = id.concept WHERE id.id = ?"
        found = self._one(query, self._prefixed(concept_id))
        return None if found is None else str(found[0])

    def _prefixed(self, concept_id: str) -> str:
        prefix = self.info.id_prefix
        return f"{prefix}:{concept_id}" if prefix and ":" not in concept_id else concept_id

    def page(self, concept_id: str) -> str | None:
        """Address of a concept's page; None where the ontology has no pages."""
        local_id = concept_id.partition(":")[2] or concept_id
        return self.info.page.format(id=concept_id, local_id=local_id) if self.info.page else None

    def exact(self, name: str) -> list[Name]:
        """Names that differ in case and white space alone."""
        return self._names("exact", exact_key(name))

    def alike(self, name: str) -> list[Name]:
        """Names of the same words: in another order, number, spelling or punctuation."""
        words = bag(name)
        return self._names("bag", words) if words else []

    def similar(self, name: str, most: int) -> list[tuple[Name, float]]:
        """Names that look most like one, with the cosine of their trigrams, best first."""
        hits = dict(self._ngrams.search(name, most))
        return [(name, hits[name.row]) for name in self.names(list(hits))]

    def names(self, rows: Sequence[int]) -> list[Name]:
        """Names by their rows, in that order."""
        marks = ",".join("?" * len(rows))
        found = {name.row: name for name in self._select(f"name.row IN ({marks})", *rows)}
        return [found[row] for row in rows]

    def names_of(self, concept_ids: Sequence[str]) -> list[Name]:
        """All names of concepts."""
        marks = ",".join("?" * len(concept_ids))
        return self._select(f"name.concept IN (SELECT concept FROM id WHERE id IN ({marks}))", *concept_ids)

    def all_names(self) -> Iterator[tuple[str, str]]:
        """Concept id and text of every name, in order of the rows."""
        query = "SELECT concept.id, text FROM name JOIN concept ON concept.row = name.concept ORDER BY name.row"
        yield from self._database.execute(query)

    def admits(self, entity_type: str, concept_id: str) -> bool:
        """Whether mentions of a type may be linked to a concept, by its semantic types; those without any always."""
        if not self.info.types.get(entity_type):
            return True
        if entity_type not in self._masks:
            self._masks[entity_type] = self._admitted(self.info.types[entity_type])
        admitted = self._masks[entity_type]
        return admitted is None or concept_id in admitted

    def _admitted(self, prefixes: tuple[str, ...]) -> frozenset[str] | None:
        """Concepts of some semantic types; None where the index has none at all."""
        types = {id: json.loads(about).get("types", ()) for id, about in self._all("SELECT id, about FROM concept")}
        if not any(types.values()):
            return None
        return frozenset(id for id, own in types.items() if not own or any(t.startswith(prefixes) for t in own))

    def _names(self, column: str, key: str) -> list[Name]:
        return self._select(f"name.{column} = ?", key)

    def _select(self, condition: str, *values: object) -> list[Name]:
        query = (
            "SELECT name.row, concept.id, text, scope FROM name JOIN concept ON concept.row = name.concept "
            f"WHERE {condition} ORDER BY name.row"
        )
        return [Name(row, id, text, scope == "name") for row, id, text, scope in self._all(query, *values)]

    def _all(self, query: str, *values: object) -> list[Any]:
        return self._database.execute(query, values).fetchall()

    def _one(self, query: str, *values: object) -> Any:  # noqa: ANN401 - a row
        return self._database.execute(query, values).fetchone()

    @property
    def _database(self) -> sqlite3.Connection:
        """A connection of this thread: SQLite's are not for several."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            place = (self.folder / _CONCEPTS).absolute().as_uri()
            connection = self._local.connection = sqlite3.connect(f"{place}?mode=ro&immutable=1", uri=True)
        return connection


def _add(database: sqlite3.Connection, row: int, concept: Concept, names: list[str]) -> None:
    about: dict[str, object] = {
        "alternative_ids": concept.alternative_ids,
        "parents": concept.parents,
        "types": concept.types,
        "definition": concept.definition,
    }
    kept = json.dumps({key: value for key, value in about.items() if value}, ensure_ascii=False)
    database.execute("INSERT INTO concept VALUES (?, ?, ?, ?)", (row, concept.id, concept.name, kept))
    database.execute("INSERT OR REPLACE INTO id VALUES (?, ?)", (concept.id, row))
    scopes = {synonym.text: synonym.scope for synonym in concept.synonyms} | {concept.name: "name"}
    values = [
        (len(names) + place, row, text, scopes[text], exact_key(text), bag(text))
        for place, text in enumerate(concept.names)
    ]
    database.executemany("INSERT INTO name VALUES (?, ?, ?, ?, ?, ?)", values)
    names += concept.names
