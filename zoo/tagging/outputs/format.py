"""What a format of output is.

A new one is a module beside this one with a `FORMAT`, and one line in the table `output.FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.tagging.texts import Tagged


@dataclass(frozen=True)
class FileFormat:
    """All documents in one file.

    Attributes:
        header: What the file begins with, from the names of the models.
        document: What is appended for a document, from it and the names of the models.
    """

    header: Callable[[Sequence[str]], str]
    document: Callable[[Tagged, Sequence[str]], str]


@dataclass(frozen=True)
class FolderFormat:
    """Files of its own for each document, in a folder.

    Attributes:
        files: Names and contents of a document's files, from it and the names of the models.
    """

    files: Callable[[Tagged, Sequence[str]], Mapping[str, str]]


def entity_records(tagged: Tagged, models: Sequence[str]) -> list[dict[str, Any]]:
    """What was found in a document, model by model: start, end, type, text, score, and of several models which."""
    return [
        {
            "start": entity.start,
            "end": entity.end,
            "type": entity.type,
            "text": tagged.text.text[entity.start : entity.end],
            "score": round(entity.score, 4),
            **({"concept_ids": list(entity.concept_ids)} if entity.concept_ids else {}),
            **({"model": model} if len(models) > 1 else {}),
        }
        for model, entities in zip(models, tagged.entities, strict=True)
        for entity in entities
    ]
