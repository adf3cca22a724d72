"""A text to be tagged, and what was found in it."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.modeling.windows import Entity


@dataclass(frozen=True, slots=True)
class Text:
    """A document to be tagged.

    Attributes:
        id: Its name; records without one are numbered from 1.
        text: Its text; offsets point into it.
        derived: The text was put together from the input (PubMed XML): outputs give it, or offsets would mean nothing.
    """

    id: str
    text: str
    derived: bool = False


@dataclass(frozen=True, slots=True)
class Tagged:
    """A document and what each model found in it, in order of the start.

    Attributes:
        text: The document.
        entities: Per model.
    """

    text: Text
    entities: tuple[list[Entity], ...]
