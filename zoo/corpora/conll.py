"""CoNLL columns: one token a line, its tag in the last column, blank lines between sentences.

The tagging scheme is read from the tags: IOB1, IOB2, IOBES, BILOU, or bare B/I/O of a corpus with one type. The text of a
document is its tokens joined by spaces; sentences of one document are joined by a line break.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from zoo.corpora.document import Document, Span
from zoo.corpora.files import numbered_lines
from zoo.errors import ZooError

_TAG = re.compile(r"^(?:O|([BIESLUM])(?:[-_](.+))?)$")
_STARTS, _ENDS = frozenset("BSU"), frozenset("ESLU")
_CLASHES = (("E", "L"), ("S", "U"), ("E", "U"), ("S", "L"))
Tag = tuple[str, str]
"""Prefix letter and type; `("O", "")` outside."""


def read_conll(
    path: Path, *, default_type: str | None = None, repairs: Counter[str] | None = None
) -> Iterator[Document]:
    """Stream the documents of a column file.

    Without `-DOCSTART-` lines every sentence is a document.

    Args:
        path: The file, `.gz` or plain.
        default_type: Type of bare `B` / `I` tags.
        repairs: Counts what had to be repaired: an I- tag that continues nothing starts a mention.

    Raises:
        ZooError: A broken line, an unknown tag or a mixture of schemes, with file and line.
    """
    stem = path.name.split(".")[0]
    repairs = Counter() if repairs is None else repairs
    prefixes: dict[str, int] = {}
    number_of_document, grouped = 0, False
    sentences: list[list[tuple[str, Tag]]] = []
    sentence: list[tuple[str, Tag]] = []

    def flush() -> Iterator[Document]:
        nonlocal number_of_document, sentences
        if sentences:
            number_of_document += 1
            yield _document(f"{stem}-{number_of_document}", sentences, repairs)
        sentences = []

    for number, line in numbered_lines(path):
        where = f"{path}:{number}"
        if line.startswith("-DOCSTART-"):
            if sentence:
                sentences.append(sentence)
                sentence = []
            yield from flush()
            grouped = True
        elif line.strip():
            token, tag = _columns(line, where)
            parsed = _parse_tag(tag, default_type, where)
            _check_scheme(parsed[0], prefixes, number, path)
            sentence.append((token, parsed))
        elif sentence:
            sentences.append(sentence)
            sentence = []
            if not grouped:
                yield from flush()
    if sentence:
        sentences.append(sentence)
    yield from flush()


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
                repairs["mention starts with a continuing tag"] += 1
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


def _columns(line: str, where: str) -> tuple[str, str]:
    fields = [field.strip() for field in line.split("\t")] if "\t" in line else line.split()
    if len(fields) < 2 or not fields[0] or not fields[-1]:
        raise ZooError(
            f"expected a token and a tag, found {line[:80]!r}",
            where=where,
            fix="write token<TAB>tag, blank lines between sentences",
        )
    return " ".join(fields[0].split()), fields[-1]


def _parse_tag(tag: str, default_type: str | None, where: str) -> Tag:
    match = _TAG.match(tag)
    if not match:
        raise ZooError(f"unknown tag {tag!r}", where=where, fix="tags are O, or B- I- E- S- L- U- followed by a type")
    prefix, name = match.groups()
    if prefix is None:
        return ("O", "")
    name = name or default_type
    if not name:
        raise ZooError(f"the tag {tag!r} names no type", where=where, fix="set default_type in the corpus entry")
    return (prefix, name)


def _check_scheme(prefix: str, seen: dict[str, int], number: int, path: Path) -> None:
    seen.setdefault(prefix, number)
    for pair in _CLASHES:
        if prefix in pair and all(letter in seen for letter in pair):
            lines = " and ".join(str(seen[letter]) for letter in pair)
            raise ZooError(
                f"the tags {pair[0]}- and {pair[1]}- belong to different schemes (lines {lines})",
                where=f"{path}:{number}",
                fix="use one of IOB2, IOBES, BILOU",
            )


def _document(name: str, sentences: list[list[tuple[str, Tag]]], repairs: Counter[str]) -> Document:
    tokens: list[tuple[int, int]] = []
    spans: list[Span] = []
    lines: list[str] = []
    offset = 0
    for sentence in sentences:
        first = len(tokens)
        for token, _ in sentence:
            tokens.append((offset, offset + len(token)))
            offset += len(token) + 1
        spans += tags_to_spans([tag for _, tag in sentence], tokens[first:], repairs)
        lines.append(" ".join(token for token, _ in sentence))
    return Document(name, "\n".join(lines), tuple(spans), tuple(tokens))
