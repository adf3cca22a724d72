"""JSON files that are too large to be parsed at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from zoo.corpora.files import open_text
from zoo.errors import ZooError

_BLOCK_CHARACTERS = 1 << 20
_TOKEN_CHARACTERS = 16
"""An error so near to the end of what was read may be one of a token that goes on: an escape, a literal, a number."""
_SPACE = re.compile(r"[ \t\r\n]*")


def stream_json(path: Path, *, fix: str) -> Iterator[tuple[int, Any]]:
    """Stream the items of a top-level list; of a file without one, its values one after another (JSON lines too).

    Only the item at hand is in memory.

    Args:
        path: The file, plain or gzip.
        fix: What to say that the file should be.

    Yields:
        The line that an item begins in, from 1, and the item.

    Raises:
        ZooError: It is not JSON, with file and line, or cannot be read.
    """
    with open_text(path) as file:
        source = _Source(file, path, fix)
        listed = source.peek() == "["
        if listed:
            source.take(1)
        first = True
        while following := source.peek():
            if listed and following == "]":
                source.take(1)
                if source.peek():
                    raise source.error("there is more after the end of the list", 0)
                return
            if listed and not first:
                if following != ",":
                    raise source.error("Expecting ',' delimiter", 0)
                source.take(1)
                source.peek()
            line = source.line
            yield line, source.value()
            first = False
        if listed:
            raise source.error("the list does not end", 0)


class _Source:
    """Characters of a file that are not parsed yet, and the line they begin in."""

    def __init__(self, file: TextIO, path: Path, fix: str) -> None:
        self.line = 1
        self._file, self._path, self._fix = file, path, fix
        self._text, self._at = "", 0
        self._decoder = json.JSONDecoder()

    def peek(self) -> str:
        """The next character after white space, which is skipped; empty at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self.take((match.end() if match else self._at) - self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._grow():
                return ""

    def take(self, characters: int) -> None:
        """Go on by so many characters."""
        self.line += self._text.count("\n", self._at, self._at + characters)
        self._at += characters

    def value(self) -> Any:  # noqa: ANN401 - parsed JSON
        """Parse the value that begins here."""
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                unfinished = error.msg.startswith("Unterminated") or error.pos > len(self._text) - _TOKEN_CHARACTERS
                if unfinished and self._grow():
                    continue
                raise self.error(error.msg, error.pos - self._at) from None
            except RecursionError:
                raise self.error("lists or objects are nested too deeply", 0) from None
            ends_here = end > len(self._text) - _TOKEN_CHARACTERS
            if ends_here and isinstance(value, (int, float)) and self._grow():
                continue  # a number may go on: what was read of 1.5e-7 can be taken for 1 or 1.5
            self._refuse_broken_unicode(value, end)
            self.take(end - self._at)
            return value

    def error(self, what: str, characters: int) -> ZooError:
        """An error so many characters from here."""
        line = self.line + self._text.count("\n", self._at, self._at + characters)
        return ZooError(f"not valid JSON: {what}", where=f"{self._path}:{line}", fix=self._fix)

    def _grow(self) -> bool:
        """Read on, twice as far as before while one value is not complete, so that parsing stays linear."""
        block = self._file.read(max(_BLOCK_CHARACTERS, len(self._text) - self._at))
        if block:
            self._text, self._at = self._text[self._at :] + block, 0
        return bool(block)

    def _refuse_broken_unicode(self, value: object, end: int) -> None:
        if "\\u" in self._text[self._at : end]:
            try:
                json.dumps(value, ensure_ascii=False).encode()
            except UnicodeEncodeError:
                raise self.error("a string holds half of a surrogate pair", 0) from None
