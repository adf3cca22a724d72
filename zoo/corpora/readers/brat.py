"""BRAT standoff: pairs of `ID.txt` and `ID.ann` in a folder; mentions are `T1<TAB>Type start end[;start end]<TAB>text`.

The readers of the `bioc` package are not used: they know no line numbers and do not check the quoted text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from zoo.corpora.document import Document
from zoo.corpora.files import numbered_lines, read_text
from zoo.corpora.readers.mentions import Mention, place_mentions, quotes_found
from zoo.errors import ZooError

_MENTION = re.compile(r"(\S+) ([0-9]{1,9} [0-9]{1,9}(?:;[0-9]{1,9} [0-9]{1,9})*)")
_NORMALISATION = re.compile(r"\S+ (\S+) (\S+)")
_SWALLOWED = re.compile(r"T[0-9]+\t\S+ [0-9]+ [0-9]+")
_IGNORED = {"R": "relation", "*": "relation", "E": "event", "A": "attribute", "M": "attribute", "#": "note"}
_FIX = "a mention is T1<TAB>Type start end<TAB>text, offsets half-open, in characters of the .txt file"


_MOST_NAMED = 20


def read_brat(folder: Path, *, repairs: Counter[str] | None = None) -> Iterator[Document]:
    """Stream the documents of a folder (and its subfolders), in the order of their names; files may be gzip.

    Mentions are placed by `place_mentions`; parts that only white space separates (BRAT cuts mentions at line ends) are
    one. Normalisations (N lines) become concept ids. Texts whose offsets count CRLF as one character are read with line
    feeds.

    Args:
        folder: Folder with `.txt` / `.ann` pairs; a document's id is its path in the folder without suffix.
        repairs: Counts ignored lines (relations, events, attributes, notes) and repairs.

    Raises:
        ZooError: A `.txt` without `.ann` or the reverse; or, once all documents are read, malformed lines and mentions
            whose text is nowhere near their offsets: the first with file and line, and where the others are.
    """
    repairs = Counter() if repairs is None else repairs
    problems: list[ZooError] = []
    for name, pair in _pairs(folder).items():
        for suffix, other in ((".txt", ".ann"), (".ann", ".txt")):
            if suffix not in pair:
                raise ZooError(
                    f"the document {name!r} has no {suffix} file",
                    where=pair[other],
                    fix="a text without mentions has an empty .ann file; remove files that do not belong to the corpus",
                )
        document = _document(name, pair[".txt"], pair[".ann"], repairs, problems)
        if not problems:
            yield document
    if problems:
        raise _together(problems)


def read_brat_pair(path: Path, *, repairs: Counter[str] | None = None) -> Document:
    """Read one document, as `read_brat` does those of a folder.

    Args:
        path: Its `.txt`; the `.ann` lies beside it.
        repairs: Counts ignored lines and repairs.

    Raises:
        ZooError: As `read_brat`.
    """
    problems: list[ZooError] = []
    repairs = Counter() if repairs is None else repairs
    document = _document(path.stem, path, path.with_suffix(".ann"), repairs, problems)
    if problems:
        raise _together(problems)
    return document


def _document(name: str, text_path: Path, path: Path, repairs: Counter[str], problems: list[ZooError]) -> Document:
    mentions = _mentions(path, repairs, problems)
    text = read_text(text_path)
    line_feeds = text.replace("\r\n", "\n")
    if line_feeds != text and quotes_found(line_feeds, mentions) > quotes_found(text, mentions):
        repairs["text with CRLF read with line feeds, as its offsets count"] += 1
        text = line_feeds
    placed = place_mentions(text, mentions, repairs)
    problems += [_misplaced(mention, text, path) for mention in placed.lost]
    return Document(name, text, tuple(placed.spans))


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


def _mentions(path: Path, repairs: Counter[str], problems: list[ZooError]) -> list[Mention]:
    """The T lines of a file with the ids of their N lines; lines that are none of BRAT become problems."""
    mentions: dict[str, Mention] = {}
    normalisations: list[str] = []

    def refuse(what: str, number: int, fix: str = _FIX) -> None:
        problems.append(ZooError(what, where=f"{path}:{number}", fix=fix))

    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        name, _, rest = line.partition("\t")
        if line[0] != "T" and _SWALLOWED.search(rest):
            refuse(f"a mention stands inside another line: {line[:80]!r}", number, "put the missing line break back")
        elif line[0] in _IGNORED and rest:
            repairs[f"{_IGNORED[line[0]]} line ignored"] += 1
        elif line[0] == "N" and rest:
            normalisations.append(rest.partition("\t")[0])
        elif line[0] != "T":
            refuse(f"not a line of BRAT standoff: {line[:80]!r}", number)
        elif name in mentions:
            refuse(f"the id {name!r} stands in line {mentions[name].line} already", number)
        elif isinstance(mention := _mention(rest, number), str):
            refuse(mention, number)
        else:
            mentions[name] = mention
    for normalisation in normalisations:
        match = _NORMALISATION.fullmatch(normalisation)
        if match and match[1] in mentions:
            mentions[match[1]].concept_ids += (match[2],)
        else:
            repairs["normalisation line without a mention ignored"] += 1
    return list(mentions.values())


def _mention(rest: str, number: int) -> Mention | str:
    """What follows the id of a T line, or what is wrong with it."""
    head, _, quoted = rest.partition("\t")
    match = _MENTION.fullmatch(head)
    if not match or not quoted.strip():
        return f"not a mention: {rest[:80]!r}"
    parts = [(int(start), int(end)) for start, end in (part.split(" ") for part in match[2].split(";"))]
    edges = [edge for part in sorted(parts) for edge in part]
    if any(start >= end for start, end in parts) or edges != sorted(edges):
        return f"the parts of the mention are empty or overlap: {match[2]!r}"
    return Mention(parts, quoted, match[1], line=number)


def _misplaced(mention: Mention, text: str, path: Path) -> ZooError:
    found = " ".join(text[start:end] for start, end in mention.parts)
    return ZooError(
        f"the text at {';'.join(f'{start} {end}' for start, end in mention.parts)} is {found[:60]!r}, "
        f"the mention says {(mention.quoted or '')[:60]!r}",
        where=f"{path}:{mention.line}",
        fix=_FIX,
    )


def _together(problems: list[ZooError]) -> ZooError:
    """One error for all: the first, and the lines of the others."""
    first, *others = problems
    if not others:
        return first
    named = "".join(f"\n  {error.where}: {error.what}" for error in others[:_MOST_NAMED])
    more = f"\n  and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
    return ZooError(f"{first.what}\nand {len(others)} more:{named}{more}", where=first.where, fix=first.fix)
