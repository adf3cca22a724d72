"""Vocabularies of the Comparative Toxicogenomics Database: MEDIC, its diseases, and others of the same shape."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zoo.corpora.files import numbered_lines
from zoo.errors import ZooError
from zoo.ontologies.concept import Concept, Synonym
from zoo.ontologies.readers.reading import Reading

_FIX = "give CTD_diseases.tsv.gz as it is downloaded: a line '# DiseaseName<tab>DiseaseID<tab>...' before the rows"
_CREATED = "# Report created:"


def read_ctd(path: Path, reading: Reading) -> Iterator[Concept]:
    """Stream the rows of a table, plain or gzip; semantic types are tree numbers.

    Args:
        path: The file: tab-separated, comments begin with `#`, one of them names the columns, lists are joined by `|`.
        reading: Gets the day on which the report was created as version.

    Raises:
        ZooError: No line names the columns, or a row has more of them, with file and line.
    """
    columns: list[str] = []
    for number, line in numbered_lines(path):
        if line.startswith(_CREATED):
            reading.version = reading.version or line.removeprefix(_CREATED).strip()
        if line.startswith("#"):
            found = line.lstrip("# ").split("\t")
            columns = [_column(name) for name in found] if not columns and len(found) > 1 else columns
            continue
        if not line.strip():
            continue
        where = f"{path}:{number}"
        cells = line.split("\t")
        if "id" not in columns or "name" not in columns:
            raise ZooError("no line before the rows names the columns", where=where, fix=_FIX)
        if len(cells) > len(columns):
            raise ZooError(f"{len(cells)} columns, {len(columns)} are named", where=where, fix=_FIX)
        row = dict(zip(columns, cells, strict=False))
        yield Concept(
            id=row.get("id", ""),
            name=row["name"],
            synonyms=tuple(map(Synonym, _listed(row, "Synonyms"))),
            # the Disease Ontology's ids are written DO:DOID:1234
            alternative_ids=tuple(item.removeprefix("DO:") for item in _listed(row, "alternative")),
            parents=_listed(row, "ParentIDs"),
            types=_listed(row, "TreeNumbers"),
            definition=row.get("Definition", ""),
        )


def _column(name: str) -> str:
    """Ids and names are called after what the table holds: DiseaseID, ChemicalName."""
    if name.startswith("Alt") and name.endswith("IDs"):
        return "alternative"
    if name.endswith("ID"):
        return "id"
    return "name" if name.endswith("Name") else name


def _listed(row: dict[str, str], column: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in row.get(column, "").split("|") if item.strip())
