"""PubTator: `PMID|t|title`, `PMID|a|abstract`, then `PMID<TAB>start<TAB>end<TAB>mention<TAB>type[<TAB>concept ids]`.

Offsets count characters of the title, one separator, and the abstract; the separator is a space here. The reader of the
`bioc` package is not used: it knows no line numbers and prints what it cannot parse.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from zoo.corpora.concepts import split_concepts
from zoo.corpora.document import Document
from zoo.corpora.files import numbered_lines
from zoo.corpora.readers.mentions import Mention, place_mentions, without_copies
from zoo.errors import ZooError

_TEXT_LINE = re.compile(r"([^|\t]+)\|([ta])\|(.*)", re.DOTALL)
_RELATION = re.compile(r"[A-Za-z]{2}[\w:. -]*")
_RECORD = re.compile(r"\|[ta]\||\t[0-9]+\t[0-9]+\t")
"""What follows the id where a text or a mention begins."""
_MOST_COLUMNS = 7
_BREAK_FIX = "put the line break back that is missing here"
_FIX = "a document is PMID|t|title, PMID|a|abstract, then PMID<TAB>start<TAB>end<TAB>mention<TAB>type<TAB>concept id"


@dataclass
class _Block:
    """The lines of one document."""

    id: str
    line: int
    title: str
    abstract: str | None = None
    mentions: list[tuple[int, list[str]]] = field(default_factory=list)


def read_pubtator(path: Path, *, repairs: Counter[str] | None = None) -> Iterator[Document]:
    """Stream the documents of a PubTator file, plain or gzip.

    Mentions are placed by `place_mentions`. A document that stands in the file
    again, word for word, is left out the second time. Both, and ignored relation lines, are counted.

    Args:
        path: The file.
        repairs: Counts what was repaired, left out or ignored; complete once the iterator is exhausted.

    Raises:
        ZooError: A line of no known kind, a mention without its document or with impossible offsets, a document without
            a title, or an id that stands for two different documents; with file and line.
    """
    repairs = Counter() if repairs is None else repairs
    documents = ((_document(block, path, repairs), f"{path}:{block.line}") for block in _blocks(path, repairs))
    return without_copies(documents, repairs)


def _blocks(path: Path, repairs: Counter[str]) -> Iterator[_Block]:
    block: _Block | None = None
    for number, line in numbered_lines(path):
        where = f"{path}:{number}"
        if not line.strip():
            continue
        if match := _TEXT_LINE.fullmatch(line):
            name, section, text = match[1].strip(), match[2], match[3]
            if any(_RECORD.match(text, place.end()) for place in re.finditer(re.escape(name), text)):
                raise ZooError("the text goes on with another line of the format", where=where, fix=_BREAK_FIX)
            if section == "t":
                if block is not None:
                    yield block
                block = _Block(name, number, text)
            elif block is None or block.id != name or block.abstract is not None or block.mentions:
                raise ZooError(f"the abstract of {name!r} does not follow its title", where=where, fix=_FIX)
            else:
                block.abstract = text
            continue
        columns = line.split("\t")
        if block is None or columns[0].strip() != block.id:
            raise ZooError(f"the line belongs to no document: {line[:80]!r}", where=where, fix=_FIX)
        if len(columns) in (4, 5) and not _is_number(columns[1]) and _RELATION.fullmatch(columns[1]):
            repairs["relation line ignored"] += 1
        elif len(columns) < 5 or not (_is_number(columns[1]) and _is_number(columns[2])):
            raise ZooError(f"neither a mention nor a relation: {line[:80]!r}", where=where, fix=_FIX)
        elif len(columns) > _MOST_COLUMNS or re.search(r"\|[ta]\|", columns[-1]):
            raise ZooError("the mention goes on with another line of the format", where=where, fix=_BREAK_FIX)
        else:
            block.mentions.append((number, columns))
    if block is not None:
        yield block


def _document(block: _Block, path: Path, repairs: Counter[str]) -> Document:
    text = f"{block.title} {block.abstract}" if block.abstract else block.title
    if not text.strip():
        raise ZooError(f"the document {block.id!r} has no text", where=f"{path}:{block.line}", fix=_FIX)
    mentions: list[Mention] = []
    for number, (_, first, last, quoted, name, *rest) in block.mentions:
        start, end = int(first), int(last)
        if start >= end or not name.strip():
            raise ZooError(
                f"a mention needs start < end and a type, found {start}, {end}, {name!r}",
                where=f"{path}:{number}",
                fix=_FIX,
            )
        concepts = split_concepts(rest[0]) if rest else ()
        mentions.append(Mention([(start, end)], quoted, name.strip(), concepts, number))
    return Document(block.id, text, tuple(place_mentions(text, mentions, repairs).spans))


def _is_number(cell: str) -> bool:
    return cell.isascii() and cell.isdigit() and len(cell) < 10
