"""CoNLL columns: one token a line, its tag in the last column, blank lines between sentences.

Where several columns hold tags (of nested mentions, a layer a column) all are read. The scheme is read from the tags:
IOB1, IOB2, IOBES, BMES, BILOU, or bare B/I/O of a corpus with one type. The
text of a document is its tokens joined by spaces; sentences of one document are joined by a line break.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from zoo.corpora.document import Document, Span
from zoo.corpora.files import numbered_lines
from zoo.errors import ZooError
from zoo.language.cutting import gap

Tag = tuple[str, str]
"""Prefix letter and type; `("O", "")` outside."""
Sentence = tuple[Sequence[str], Sequence[Tag], Sequence[int]]
"""Tokens, their tags, and the line (or row) that each of them stands in."""

_OUTSIDE: Tag = ("O", "")
_TAG = re.compile(r"^(?:O|([BIESLUM])(?:[-_](.+))?)$")
_STARTS, _ENDS, _OPEN = frozenset("BSU"), frozenset("ESLU"), frozenset("BIM")
_CLASHES = (("E", "L"), ("S", "U"), ("E", "U"), ("S", "L"), ("M", "I"), ("M", "L"), ("M", "U"))
_CHUNKS = frozenset(["ADJP", "ADVP", "CONJP", "INTJ", "LST", "NP", "PP", "PRT", "SBAR", "UCP", "VP"])
"""Syntactic chunks, which CoNLL 2003 and its kind have in a column of tags before that of the mentions."""
_CONTINUING = "mention starts with a continuing tag"


def read_conll(
    path: Path,
    *,
    default_type: str | None = None,
    unit: Literal["sentence", "document"] | None = None,
    repairs: Counter[str] | None = None,
) -> Iterator[Document]:
    """Stream the documents of a column file; columns are separated by tabs or by any white space.

    Args:
        path: The file, `.gz` or plain.
        default_type: Type of bare `B` / `I` tags.
        unit: What becomes a document: every sentence, or what stands between `-DOCSTART-` lines. None: the latter in a
            file that has such lines.
        repairs: Counts what had to be repaired, complete once the iterator is exhausted: mentions that start with a
            continuing tag (not in a file that is IOB1 throughout), mentions that a sentence's end cuts off, tokens with
            white space inside.

    Raises:
        ZooError: A broken line, another number of columns, an unknown tag, a mixture of schemes, or no `-DOCSTART-`
            where documents are wanted; with file and line.
    """
    stem = path.name.split(".")[0]
    repairs = Counter() if repairs is None else repairs
    tags = TagReader(default_type, lambda number: f"{path}:{number}")
    layers = _count_layers(path)
    if layers > 1:
        repairs["column of tags read as a layer of mentions"] += layers
    count, separated = 0, False
    pending: list[list[Sentence]] = []  # the layers of each sentence
    for sentence in _sentences(path, tags, layers, repairs):
        if sentence is None:
            separated = True
        elif unit == "document" and not separated:
            raise ZooError(
                "the entry says `unit: document`, but the file does not begin with a -DOCSTART- line",
                where=f"{path}:{sentence[0][2][0]}",
                fix="put a -DOCSTART- line before every document, or set `unit: sentence`",
            )
        else:
            pending.append(sentence)
        if pending and (sentence is None or unit == "sentence" or not separated):
            count += 1
            yield _in_layers(tags, f"{stem}-{count}", pending)
            pending = []
    if pending:
        yield _in_layers(tags, f"{stem}-{count + 1}", pending)
    tags.count_repairs(repairs)


def tags_to_spans(
    tags: Sequence[Tag], tokens: Sequence[tuple[int, int]], repairs: Counter[str] | None = None
) -> list[Span]:
    """Decode a tag sequence of any scheme into character spans.

    Args:
        tags: `(prefix, type)` per token.
        tokens: `[start, end)` per token.
        repairs: Counts mentions that begin with a continuing tag.
    """
    spans: list[Span] = []
    open_type, start = "", 0
    for index, (prefix, name) in enumerate(tags):
        if prefix == "O":
            open_type = ""
            continue
        if prefix in _STARTS or name != open_type:
            if prefix not in _STARTS and repairs is not None:
                repairs[_CONTINUING] += 1
            open_type, start = name, index
            spans.append(Span(tokens[index][0], tokens[index][1], name))
        else:
            spans[-1] = Span(tokens[start][0], tokens[index][1], name)
        if prefix in _ENDS:
            open_type = ""
    return spans


def parse_tags(tags: Sequence[str], default_type: str | None = None) -> list[Tag]:
    """Parse tag strings such as `B-Disease`."""
    return [_parse_tag(tag, default_type, "") for tag in tags]


class TagReader:
    """The tags of one file: each spelling is parsed once, and all together must follow one scheme.

    Args:
        default_type: Type of bare `B` / `I` tags.
        where: Names the place of a line (or row) number in error messages.
    """

    def __init__(self, default_type: str | None, where: Callable[[int], str]) -> None:
        self.known: dict[str, Tag] = {}
        self._default_type, self._where = default_type, where
        self._first: dict[str, int] = {}  # first line of each prefix, and of each trait of a scheme named in words
        self._unclosed: int | None = None  # where the first mention within a sentence lacks its last tag
        self._cut_off = self._continuing = 0
        self._iob2 = False  # a B- tag that IOB1 would have written I-

    def parse(self, tag: str, number: int) -> Tag:
        """Parse a tag that stands in a line (or row)."""
        parsed = self.known.get(tag)
        if parsed is None:
            parsed = self.known[tag] = _parse_tag(tag, self._default_type, self._where(number))
            self._first.setdefault(parsed[0], number)
            if parsed[1]:
                self._first.setdefault("a bare tag" if len(tag) == 1 else "a tag with a type", number)
            for pair in (*_CLASHES, ("a bare tag", "a tag with a type")):
                self._refuse(*pair, number)
        return parsed

    def document(self, name: str, sentences: Iterable[Sentence]) -> Document:
        """Join tokens by spaces, where their script has them, and sentences by line breaks; decode the mentions."""
        tokens: list[tuple[int, int]] = []
        spans: list[Span] = []
        lines: list[str] = []
        offset = 0
        for words, tags, numbers in sentences:
            first = len(tokens)
            line = ""
            for word in words:
                line += gap(line, word) if line else ""
                tokens.append((offset + len(line), offset + len(line) + len(word)))
                line += word
            lines.append(line)
            offset += len(line) + 1
            if tags.count(_OUTSIDE) < len(tags):
                self._check(tags, numbers)
                spans += tags_to_spans(tags, tokens[first:])
        return Document(name, "\n".join(lines), tuple(spans), tuple(tokens))

    def count_repairs(self, repairs: Counter[str]) -> None:
        """Add what was repaired, once the whole file is read: only then is its scheme known."""
        with_ends = not _ENDS.isdisjoint(self._first)
        if self._continuing and (self._iob2 or with_ends):
            repairs[_CONTINUING] += self._continuing
        if self._cut_off and with_ends:
            repairs["mention cut off by the end of its sentence"] += self._cut_off

    def _check(self, tags: Sequence[Tag], numbers: Sequence[int]) -> None:
        """Gather what tells the schemes apart: how mentions begin and end."""
        before, type_before = _OUTSIDE
        for index, (prefix, name) in enumerate(tags):
            still_open = before in _OPEN
            continues = still_open and name == type_before and prefix not in _STARTS
            if prefix == "B" and name != type_before:
                self._iob2 = True
            if prefix != "O" and prefix not in _STARTS and not continues:
                self._continuing += 1
            if still_open and not continues and self._unclosed is None:
                self._unclosed = numbers[index - 1]
            before, type_before = prefix, name
        self._cut_off += before in _OPEN
        if self._unclosed is not None:
            self._first.setdefault("a mention without its last tag", self._unclosed)
            for letter in sorted(_ENDS & self._first.keys()):
                self._refuse(letter, "a mention without its last tag", numbers[-1])

    def _refuse(self, one: str, other: str, number: int) -> None:
        if one in self._first and other in self._first:
            names = " and ".join(f"{name}-" if len(name) == 1 else name for name in (one, other))
            raise ZooError(
                f"{names} belong to different schemes (first at {self._first[one]} and {self._first[other]})",
                where=self._where(number),
                fix="use one of IOB1, IOB2, IOBES, BILOU throughout, tags all with or all without a type",
            )


def _count_layers(path: Path) -> int:
    """How many columns hold tags of mentions: the last one, and those before it that hold nothing but tags with types.

    Columns of syntactic chunks are none. A file of two columns is not read to its end.
    """
    types: list[set[str]] = []  # of the columns from the last one back, as far as all hold tags
    for number, line in numbered_lines(path):
        if not line.strip() or line.startswith("-DOCSTART-"):
            continue
        cells = _columns(line, f"{path}:{number}", 0)[:0:-1]
        types = types or [set() for _ in cells]
        if len(cells) == 1:
            return 1
        for index, (cell, known) in enumerate(zip(cells, types, strict=False)):
            match = _TAG.match(cell)
            if match is None or (index and match[1] and not match[2]):
                del types[max(index, 1) :]
                break
            known.update(filter(None, (match[2],)))
    while len(types) > 1 and (not types[-1] or types[-1] <= _CHUNKS):
        types.pop()
    return max(len(types), 1)


def _in_layers(tags: TagReader, name: str, sentences: Sequence[Sequence[Sentence]]) -> Document:
    """A document with the mentions of all layers; one that several layers hold is one."""
    documents = [tags.document(name, layer) for layer in zip(*sentences, strict=True)]
    if len(documents) == 1:
        return documents[0]
    return replace(documents[0], spans=tuple(sorted({span for document in documents for span in document.spans})))


def _sentences(path: Path, tags: TagReader, layers: int, repairs: Counter[str]) -> Iterator[list[Sentence] | None]:
    """Stream the layers of each sentence, and None for every `-DOCSTART-` line."""
    words: list[str] = []
    found: list[list[Tag]] = [[] for _ in range(layers)]
    last, others = found[-1], found[:-1]
    number = width = 0
    known = tags.known  # one `partition` and one look-up a line: half a million lines take under a second
    for number, line in numbered_lines(path):
        word, _, tag = line.partition("\t")
        parsed = known.get(tag)
        if parsed is not None and width == 2 and word.split() == [word] and not word.startswith("-DOCSTART-"):
            words.append(word)
            last.append(parsed)
            continue
        boundary = line.startswith("-DOCSTART-")
        if line.strip() and not boundary:
            fields = _columns(line, f"{path}:{number}", width)
            width = len(fields)
            words.append(" ".join(fields[0].split()))
            if words[-1] != fields[0]:
                repairs["white space inside a token made one space"] += 1
            for layer, cell in zip((*others, last), fields[-layers:], strict=True):
                layer.append(tags.parse(cell, number))
            continue
        if words:
            yield [(words, layer, range(number - len(words), number)) for layer in found]
            words, found = [], [[] for _ in range(layers)]
            last, others = found[-1], found[:-1]
        if boundary:
            yield None
    if words:
        yield [(words, layer, range(number - len(words) + 1, number + 1)) for layer in found]


def _columns(line: str, where: str, width: int) -> list[str]:
    """Cut a line into its columns; `width` is their number in the lines before, 0 in the first."""
    fields = [field.strip() for field in line.split("\t")] if "\t" in line else line.split()
    if len(fields) < 2 or not fields[0] or not fields[-1]:
        raise ZooError(
            f"expected a token and a tag, found {line[:80]!r}",
            where=where,
            fix="write token<TAB>tag, blank lines between sentences",
        )
    if width and len(fields) != width:
        raise ZooError(
            f"the line has {len(fields)} columns, the lines before have {width}: {line[:80]!r}",
            where=where,
            fix="give every line as many columns; a line break may be missing",
        )
    return fields


def _parse_tag(tag: str, default_type: str | None, where: str) -> Tag:
    match = _TAG.match(tag)
    if not match:
        raise ZooError(f"unknown tag {tag!r}", where=where, fix="tags are O, or B- I- E- S- L- U- followed by a type")
    prefix, name = match.groups()
    if prefix is None:
        return _OUTSIDE
    name = name or default_type
    if not name:
        raise ZooError(f"the tag {tag!r} names no type", where=where, fix="set default_type in the corpus entry")
    return (prefix, name)
