"""NCBI's taxonomy dump: names.dmp, nodes.dmp and merged.dmp, in a folder or an archive.

Format: https://ftp.ncbi.nlm.nih.gov/pub/taxonomy/taxdump_readme.txt
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from zoo.corpora.files import numbered_lines
from zoo.corpora.packed import unpack
from zoo.errors import ZooError
from zoo.ontologies.concept import Concept, Scope, Synonym
from zoo.ontologies.readers import find_member
from zoo.ontologies.readers.reading import Reading

_NAMES, _NODES, _MERGED = "names.dmp", "nodes.dmp", "merged.dmp"
_FIX = f"give taxdump.tar.gz or taxdmp_*.zip of NCBI, or a folder with {_NAMES} and {_NODES}"
_SCIENTIFIC = "scientific name"
_LEFT_OUT = frozenset({"authority", "type material"})
"""Names that no text uses: with author and year, or of a specimen."""
_SCOPES: dict[str, Scope] = {"blast name": "broad", "includes": "narrow", "in-part": "related"}


def read_taxdump(path: Path, reading: Reading) -> Iterator[Concept]:
    """Stream the taxa of a dump; the semantic type is the rank, merged taxa are alternative ids.

    Args:
        path: The folder, or the archive as it is downloaded.
        reading: Gets merged taxa and what was left out.

    Raises:
        ZooError: A file is missing or malformed, with file and line.
    """
    if path.is_dir():
        yield from _taxa(path, path, reading)
        return
    with tempfile.TemporaryDirectory(prefix="zoo-taxonomy-") as folder:
        for name in (_NAMES, _NODES, _MERGED):
            unpack(path, {name: Path(folder) / name}, fix=_FIX)
        yield from _taxa(Path(folder), path, reading)


def _taxa(folder: Path, shown: Path, reading: Reading) -> Iterator[Concept]:
    nodes = {taxon: (parent, rank) for taxon, parent, rank in _rows(folder, _NODES, 3, shown)}
    if (folder / _MERGED).is_file():
        reading.obsolete.update((old, new) for old, new in _rows(folder, _MERGED, 2, shown))
    names = ((taxon, text, kind) for taxon, text, _, kind in _rows(folder, _NAMES, 4, shown))
    for taxon, rows in groupby(names, key=lambda row: row[0]):
        name, synonyms = "", []
        for _, text, kind in rows:
            if kind == _SCIENTIFIC:
                name = text
            elif kind not in _LEFT_OUT:
                synonyms.append(Synonym(text, _SCOPES.get(kind, "exact")))
        if taxon not in nodes:
            reading.repair(f"taxa that {_NODES} lacks, without parent and rank", f"{shown}: {taxon}")
        parent, rank = nodes.get(taxon, ("", ""))
        yield Concept(
            id=taxon,
            name=name,
            synonyms=tuple(synonyms),
            parents=(parent,) if parent not in ("", taxon) else (),  # the root is its own parent
            types=(rank,) if rank else (),
        )


def _rows(folder: Path, name: str, columns: int, shown: Path) -> Iterator[tuple[str, ...]]:
    """The first columns of a file's rows."""
    found = find_member(folder, name)
    if found is None:
        raise ZooError(f"the dump has no {name}", where=shown, fix=_FIX)
    for number, line in numbered_lines(found):
        cells = line.removesuffix("\t|").split("\t|\t")
        if len(cells) < columns:
            what = f"{len(cells)} columns, at least {columns} are needed"
            raise ZooError(what, where=f"{shown}: {name}:{number}", fix=_FIX)
        yield tuple(cells[:columns])
