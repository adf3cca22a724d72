"""BRAT standoff: pairs of `ID.txt` and `ID.ann` in a folder; mentions are `T1<TAB>Type start end[;start end]<TAB>text`.

The readers of the `bioc` package are not used: they know no line numbers and do not check the quoted text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from zoo.corpora.document import Document, Span
from zoo.corpora.files import numbered_lines, read_text
from zoo.corpora.readers.alignment import Part, merge_parts
from zoo.errors import ZooError

_MENTION = re.compile(r"(\S+) ([0-9]{1,9} [0-9]{1,9}(?:;[0-9]{1,9} [0-9]{1,9})*)")
_NORMALISATION = re.compile(r"\S+ (\S+) (\S+)")
_SWALLOWED = re.compile(r"T[0-9]+\t\S+ [0-9]+ [0-9]+")
_IGNORED = {"R": "relation", "*": "relation", "E": "event", "A": "attribute", "M": "attribute", "#": "note"}
_FIX = "a mention is T1<TAB>Type start end<TAB>text, offsets half-open, in characters of the .txt file"


@dataclass
class _Mention:
    """A T line: offsets of its parts in the order of the file, and what it quotes."""

    line: int
    type: str
    parts: list[Part]
    quoted: str
    concepts: list[str] = field(default_factory=list)


def read_brat(folder: Path, *, repairs: Counter[str] | None = None) -> Iterator[Document]:
    """Stream the documents of a folder (and its subfolders), in the order of their names; files may be gzip.

    Parts of a mention that only white space separates (BRAT cuts mentions at line breaks) are joined. Normalisations (N
    lines) become concept ids. Texts whose offsets count CRLF as one character are read with line feeds.

    Args:
        folder: Folder with `.txt` / `.ann` pairs; a document's id is its path in the folder without suffix.
        repairs: Counts ignored lines (relations, events, attributes, notes) and repairs.

    Raises:
        ZooError: A `.txt` without `.ann` or the reverse, a malformed line, or a quoted text that is not at its offsets;
            with file and line.
    """
    repairs = Counter() if repairs is None else repairs
    for name, pair in _pairs(folder).items():
        for suffix, other in ((".txt", ".ann"), (".ann", ".txt")):
            if suffix not in pair:
                raise ZooError(
                    f"the document {name!r} has no {suffix} file",
                    where=pair[other],
                    fix="a text without mentions has an empty .ann file; remove files that do not belong to the corpus",
                )
        mentions = _mentions(pair[".ann"], repairs)
        text = _agreeing_text(read_text(pair[".txt"]), mentions, pair[".ann"], repairs)
        spans = []
        for mention in mentions:
            parts = merge_parts(text, sorted(mention.parts))
            if len(parts) < len(mention.parts):
                repairs["parts of a mention joined over white space"] += 1
            fragments = parts if len(parts) > 1 else ()
            spans.append(Span(parts[0][0], parts[-1][1], mention.type, tuple(mention.concepts), fragments))
        yield Document(name, text, tuple(sorted(spans)))


def _pairs(folder: Path) -> dict[str, dict[str, Path]]:
    """`{document id: {".txt": path, ".ann": path}}` in the order of ids; hidden and other files do not count."""
    found: dict[str, dict[str, Path]] = {}
    if not folder.is_dir():
        raise ZooError("a BRAT corpus is a folder with .txt and .ann files", where=folder)
    for path in sorted(folder.rglob("*")):
        plain = PurePosixPath(path.relative_to(folder).as_posix().removesuffix(".gz"))
        if plain.suffix not in (".txt", ".ann") or plain.name.startswith(".") or not path.is_file():
            continue
        pair = found.setdefault(str(plain.with_suffix("")), {})
        if plain.suffix in pair:
            raise ZooError(f"the file is there twice, also as {pair[plain.suffix].name}", where=path)
        pair[plain.suffix] = path
    return dict(sorted(found.items()))


def _mentions(path: Path, repairs: Counter[str]) -> list[_Mention]:
    mentions: dict[str, _Mention] = {}
    normalisations: list[str] = []
    for number, line in numbered_lines(path):
        where = f"{path}:{number}"
        if not line.strip():
            continue
        name, _, rest = line.partition("\t")
        if line[0] != "T" and _SWALLOWED.search(rest):
            raise ZooError(
                f"a mention stands inside another line: {line[:80]!r}",
                where=where,
                fix="put the line break back that is missing here",
            )
        if line[0] in _IGNORED and rest:
            repairs[f"{_IGNORED[line[0]]} line ignored"] += 1
        elif line[0] == "N" and rest:
            normalisations.append(rest.partition("\t")[0])
        elif line[0] == "T":
            if name in mentions:
                raise ZooError(f"the id {name!r} stands in line {mentions[name].line} already", where=where, fix=_FIX)
            mentions[name] = _mention(rest, number, where)
        else:
            raise ZooError(f"not a line of BRAT standoff: {line[:80]!r}", where=where, fix=_FIX)
    for normalisation in normalisations:
        match = _NORMALISATION.fullmatch(normalisation)
        if match and match[1] in mentions:
            mentions[match[1]].concepts.append(match[2])
        else:
            repairs["normalisation line without a mention ignored"] += 1
    return list(mentions.values())


def _mention(rest: str, number: int, where: str) -> _Mention:
    head, _, quoted = rest.partition("\t")
    match = _MENTION.fullmatch(head)
    if not match or not quoted.strip():
        raise ZooError(f"not a mention: {rest[:80]!r}", where=where, fix=_FIX)
    parts = [(int(start), int(end)) for start, end in (part.split(" ") for part in match[2].split(";"))]
    edges = [edge for part in sorted(parts) for edge in part]
    if any(start >= end for start, end in parts) or edges != sorted(edges):
        raise ZooError(f"the parts of the mention are empty or overlap: {match[2]!r}", where=where, fix=_FIX)
    return _Mention(number, match[1], parts, quoted)


def _agreeing_text(text: str, mentions: list[_Mention], path: Path, repairs: Counter[str]) -> str:
    """The text with CRLF as it is, or as one character where only so the mentions' texts are at their offsets."""
    wrong = _first_wrong(text, mentions)
    if wrong is None:
        return text
    if "\r\n" in text and _first_wrong(line_feeds := text.replace("\r\n", "\n"), mentions) is None:
        repairs["text with CRLF read with line feeds, as its offsets count"] += 1
        return line_feeds
    found = " ".join(text[start:end] for start, end in wrong.parts)
    raise ZooError(
        f"the text at {';'.join(f'{start} {end}' for start, end in wrong.parts)} is {found[:60]!r}, "
        f"the mention says {wrong.quoted[:60]!r}",
        where=f"{path}:{wrong.line}",
        fix=_FIX,
    )


def _first_wrong(text: str, mentions: list[_Mention]) -> _Mention | None:
    for mention in mentions:
        found = " ".join(text[start:end] for start, end in mention.parts)
        # BRAT writes the line breaks inside a mention as spaces.
        if re.sub(r"\s", " ", found) != re.sub(r"\s", " ", mention.quoted):
            return mention
    return None
