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

from zoo.corpora.document import Document, Span
from zoo.corpora.files import numbered_lines
from zoo.corpora.readers.alignment import align_mention
from zoo.errors import ZooError

_TEXT_LINE = re.compile(r"([^|\t]+)\|([ta])\|(.*)", re.DOTALL)
_RELATION = re.compile(r"[A-Za-z]{2}[\w:. -]*")
_RECORD = re.compile(r"\|[ta]\||\t[0-9]+\t[0-9]+\t")
"""What follows the id where a text or a mention begins."""
_MOST_COLUMNS = 7
_NO_CONCEPTS = frozenset({"", "-", "-1"})
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

    A mention whose text is not at its offsets follows the rules of `align_mention`. A document that stands in the file
    again, word for word, is left out the second time. Both, and ignored relation lines, are counted.

    Args:
        path: The file.
        repairs: Counts what was repaired, left out or ignored; complete once the iterator is exhausted.

    Raises:
        ZooError: A line of no known kind, a mention without its document or with impossible offsets, a document without
            a title, or an id that stands for two different documents; with file and line.
    """
    repairs = Counter() if repairs is None else repairs
    seen: dict[str, tuple[int, int]] = {}
    for block in _blocks(path, repairs):
        document = _document(block, path, repairs)
        content = hash((document.text, document.spans))
        if document.id not in seen:
            seen[document.id] = (block.line, content)
            yield document
        elif seen[document.id][1] == content:
            repairs["repeated document left out"] += 1
            repairs["mention of a repeated document left out"] += len(document.spans)
        else:
            raise ZooError(
                f"the id {document.id!r} stands for two different documents: the other begins in line "
                f"{seen[document.id][0]}",
                where=f"{path}:{block.line}",
                fix="ids are unique in a file; join the annotations if the texts are the same",
            )


def split_concepts(ids: str) -> tuple[str, ...]:
    """Split a cell of concept ids at `;`, and at `|` and `,` where every piece looks like an id (holds a digit).

    `D003110|D009369` are two concepts; `p|SUB|V|600|E` is one variant, and `D004829+D003294` one combined concept. `-1`
    and `-` say that there is none.
    """
    found: list[str] = []
    for part in ids.split(";"):
        pieces = re.split(r"[|,]", part)
        found += pieces if all(re.search(r"\d", piece) for piece in pieces) else [part]
    return tuple(dict.fromkeys(piece.strip() for piece in found if piece.strip() not in _NO_CONCEPTS))


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
    spans: list[Span] = []
    for number, (_, first, last, quoted, name, *rest) in block.mentions:
        start, end = int(first), int(last)
        if start >= end or not name.strip():
            raise ZooError(
                f"a mention needs start < end and a type, found {start}, {end}, {name!r}",
                where=f"{path}:{number}",
                fix=_FIX,
            )
        if place := align_mention(text, start, end, quoted, repairs):
            spans.append(Span(*place, name.strip(), split_concepts(rest[0]) if rest else ()))
    return Document(block.id, text, tuple(sorted(spans)))


def _is_number(cell: str) -> bool:
    return cell.isascii() and cell.isdigit() and len(cell) < 10
