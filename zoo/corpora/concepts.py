"""Identifiers of concepts: how files write several in one cell, and one spelling to link and compare them by."""

from __future__ import annotations

import re

NONE = frozenset({"", "-", "-1"})
"""What files write where a mention, or a part of it, has no concept."""
_MESH = re.compile(r"[CD](?:[0-9]{6}|[0-9]{9})")
_UMLS = re.compile(r"C[0-9]{7}")
_TAXON = re.compile(r"\((?:Tax|tax):[0-9]+\)$")
_NAMESPACES = ("MESH", "OMIM", "UMLS", "DOID", "CL", "UBERON", "SO", "CHEBI", "HP", "GO", "NCIT")
_PREFIXES = {
    **{name.lower(): name for name in _NAMESPACES},
    "mim": "OMIM",
    **dict.fromkeys(("ncbigene", "gene"), "NCBIGene"),
    **dict.fromkeys(("ncbitaxon", "taxonomy", "taxid", "tax", "ncbi_taxid"), "NCBITaxon"),
}
_TXID = re.compile(r"(?:NCBI:)?txid(?=[0-9]+$)")


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


def normalise_concept(concept: str, prefix: str = "") -> tuple[str, ...]:
    """The concepts that an id names, each spelt in one way, for linking.

    `D003110`, `MeSH:D003110` and `MESH:D003110` become `MESH:D003110`, `C0009402` `UMLS:C0009402`; the organism of
    `5243(Tax:9606)` is left out; `D004829+D003294` are two. What says that there is none (`-1`) is empty.

    Args:
        concept: The id as a file has it.
        prefix: What an id that does not say whose it is gets: `id_prefix` of the ontology that it is linked to. Species
            are annotated as `9606`, which is `NCBITaxon:9606` there.
    """
    return tuple(spelt(part.strip(), prefix) for part in concept.split("+") if part.strip() not in NONE)


def spelt(concept: str, prefix: str = "") -> str:
    """One id in the spelling of `normalise_concept`, which every id of an ontology has too."""
    if "(" in concept:  # asked first: an ontology may have millions of ids
        concept = _TAXON.sub("", concept)
    if "txid" in concept:
        concept = _TXID.sub("NCBITaxon:", concept)
    before, colon, rest = concept.partition(":")
    if colon:
        return f"{_PREFIXES.get(before.lower(), before)}:{rest}"
    if _MESH.fullmatch(concept):
        return f"MESH:{concept}"
    if _UMLS.fullmatch(concept):
        return f"UMLS:{concept}"
    return f"{prefix}:{concept}" if prefix else concept
