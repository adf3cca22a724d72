"""NCBI's gene_info: the genes of an organism, with symbols and names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zoo.corpora.files import numbered_lines
from zoo.errors import ZooError
from zoo.ontologies.concept import Concept, Scope, Synonym
from zoo.ontologies.readers.reading import Reading

_NAMES: dict[str, Scope] = {
    "Symbol_from_nomenclature_authority": "exact",
    "Full_name_from_nomenclature_authority": "exact",
    "description": "exact",
    "Synonyms": "related",
    "Other_designations": "related",
}
_FIX = "give a file of https://ftp.ncbi.nlm.nih.gov/gene/DATA/GENE_INFO/ as it is: its first line names the columns"


def read_gene_info(path: Path, reading: Reading) -> Iterator[Concept]:
    """Stream the genes of a file, plain or gzip; the name is the symbol, the semantic type the kind of gene.

    Args:
        path: The file: tab-separated, `-` where a cell is empty, lists joined by `|`.
        reading: Gets what was left out.

    Raises:
        ZooError: The first line does not name the columns, or a row has others, with file and line.
    """
    columns: list[str] = []
    for number, line in numbered_lines(path):
        cells = line.split("\t")
        if not columns:
            columns = [name.lstrip("#") for name in cells]
            if not {"GeneID", "Symbol"} <= set(columns):
                raise ZooError("the first line does not name GeneID and Symbol", where=f"{path}:1", fix=_FIX)
            continue
        if len(cells) != len(columns):
            raise ZooError(f"{len(cells)} columns, {len(columns)} are named", where=f"{path}:{number}", fix=_FIX)
        row = {name: "" if cell == "-" else cell for name, cell in zip(columns, cells, strict=True)}
        yield Concept(
            id=row["GeneID"],
            name=row["Symbol"],
            synonyms=tuple(
                Synonym(text, scope) for name, scope in _NAMES.items() for text in row.get(name, "").split("|") if text
            ),
            types=(row["type_of_gene"],) if row.get("type_of_gene") else (),
        )
