"""The ids of an entity's concepts in one cell, as PubTator and BioC have them."""

from __future__ import annotations

from zoo.corpora.concepts import split_concepts
from zoo.errors import ZooError
from zoo.modeling.windows import Entity


def concept_cell(entity: Entity) -> str:
    """The ids, with `;` between them, so that they are read again as they are; empty without any.

    Raises:
        ZooError: An id would be read as others: it holds what separates ids.
    """
    cell = ";".join(entity.concept_ids)
    if split_concepts(cell) != entity.concept_ids:
        raise ZooError(
            f"the format cannot tell the concept ids {cell!r} apart",
            where="--out",
            fix="write .jsonl, or give the concepts ids without ; | and ,",
        )
    return cell
