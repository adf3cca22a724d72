"""Tables of clinical notes, comma-separated, each pinned by its hash."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from zoo.corpora.files import open_text
from zoo.errors import ZooError
from zoo.passages.fetchers.home import FileHome, Part
from zoo.passages.passage import Passage
from zoo.registry.lock import LockedPart
from zoo.registry.passage_entry import NotesFile, NotesSource


class Notes(FileHome[NotesSource]):
    """Files of a code host, which has no rule for a handful of requests."""

    def parts(self, locked: Sequence[LockedPart] | None) -> Iterator[Part]:
        """The files of the source, in their order: the registry pins them, so that a lock adds nothing."""
        for file in self.source.files:
            yield Part(file.name, file.url, file)

    def read(self, path: Path, part: Part) -> Iterator[Passage]:
        """One note a row; rows without a text are left out."""
        file = next(file for file in self.source.files if file.name == part.name)
        return read_notes(path, file)


def read_notes(path: Path, file: NotesFile) -> Iterator[Passage]:
    """Stream the notes of a table; ids are `<name>-<value of the id column>`.

    Raises:
        ZooError: A column is missing, or the table is malformed.
    """
    with open_text(path) as text:
        rows = csv.DictReader(text, strict=True)
        try:
            for row in rows:
                if missing := [
                    name for name in (file.id_column, file.text_column) if not isinstance(row.get(name), str)
                ]:
                    raise ZooError(
                        f"the table has no column {missing[0]!r} here",
                        where=f"{file.url}:{rows.line_num}",
                        fix="correct the source in the registry entry",
                    )
                if note := row[file.text_column].strip():
                    yield Passage(f"{file.name}-{row[file.id_column]}", note, file.source)
        except csv.Error as error:
            raise ZooError(f"not comma-separated values: {error}", where=f"{file.url}:{rows.line_num}") from None
