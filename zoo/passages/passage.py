"""One piece of raw text."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph, abstract or note.

    Attributes:
        id: Unique within its file; of plain text, the file's name and the passage's number.
        text: The text, not empty.
        source: Where it is from, with its licence; empty where the file does not say.
        document: What it is a part of, where the file says so; see `document_id`.
    """

    id: str
    text: str
    source: str = ""
    document: str = ""

    @property
    def document_id(self) -> str:
        """What passages must have in common to be parts of one document: its name, or the id up to a `#`."""
        return self.document or self.id.partition("#")[0]


COLUMNS = tuple(field.name for field in fields(Passage))
"""Of a file of passages, in the order in which a passage is made of them."""
