"""Plain text: UTF-8 with blank lines between passages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from zoo.corpora.files import numbered_lines
from zoo.passages.passage import Passage


def read_text(path: Path, *, skipped: Counter[str] | None = None) -> Iterator[Passage]:
    """Stream the paragraphs of a file, plain or gzip; ids are the file's name and the paragraph's number.

    Args:
        path: The file.
        skipped: Nothing is left out.

    Raises:
        ZooError: The file is not UTF-8 or cannot be read.
    """
    stem = path.name.removesuffix(".gz").rsplit(".", 1)[0]
    paragraph: list[str] = []
    count = 0
    for _, line in numbered_lines(path):
        if line.strip():
            paragraph.append(line)
        elif paragraph:
            count += 1
            yield Passage(f"{stem}-{count}", "\n".join(paragraph))
            paragraph = []
    if paragraph:
        yield Passage(f"{stem}-{count + 1}", "\n".join(paragraph))
