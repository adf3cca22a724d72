"""Identifiers of concepts: how files write several in one cell, and one spelling to link and compare them by."""

from __future__ import annotations

import re

NONE = frozenset({"", "-", "-1"})
"""What files write where a mention, or a part of it, has no concept."""
_MESH = re.compile(r"[CD][0-9]{6,9}")
_TAXON = re.compile(r"\((?:Tax|tax):[0-9]+\)$")
_PREFIXES = {"mesh": "MESH", "omim": "OMIM", "mim": "OMIM", "ncbigene": "NCBIGene", "gene": "NCBIGene"}


def split_concepts(cell: str) -> tuple[str, ...]:
    """Split a cell at `;`, and at `|` and `,` where every piece looks like an id (holds a digit); each stays as it is.

    `D003110|D009369` are two concepts; `p|SUB|V|600|E` is one variant, and `D004829+D003294` one combined concept. `-1`
    beside others stays: a part of the mention has no concept. Alone it says that there is none.
    """
    found: list[str] = []
    for part in cell.split(";"):
        pieces = re.split(r"[|,]", part)
        found += pieces if all(re.search(r"\d", piece) or piece.strip() in NONE for piece in pieces) else [part]
    ids = tuple(dict.fromkeys(piece.strip() for piece in found if piece.strip()))
    return () if NONE.issuperset(ids) else ids


def normalise_concept(concept: str) -> tuple[str, ...]:
    """The concepts that an id names, each spelt in one way, for linking.

    `D003110`, `MeSH:D003110` and `MESH:D003110` become `MESH:D003110`; the organism of `5243(Tax:9606)` is left out;
    `D004829+D003294` are two. What says that there is none (`-1`) is empty.
    """
    return tuple(_spelt(part.strip()) for part in concept.split("+") if part.strip() not in NONE)


def _spelt(part: str) -> str:
    part = _TAXON.sub("", part)
    prefix, colon, rest = part.partition(":")
    if colon:
        return f"{_PREFIXES.get(prefix.lower(), prefix)}:{rest}"
    return f"MESH:{part}" if _MESH.fullmatch(part) else part
