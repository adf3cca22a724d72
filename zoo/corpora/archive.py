"""Corpora released as an archive with one file a document, or several, and lists of document ids that make the splits.

Documents of several files are read by the reader of the entry's format. Of those in columns two layouts are read, told
apart by the name of the member: NERsuite (`tag, start, end, token, ...`, which keeps the character offsets) for
`.nersuite`, else `token ... tag`. The text of a document is then its tokens joined by spaces.
"""

from __future__ import annotations

import re
import tarfile
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.corpora.document import Document
from zoo.corpora.files import numbered_lines
from zoo.corpora.packed import unpack
from zoo.corpora.readers import read_split
from zoo.corpora.readers.conll import TagReader
from zoo.errors import ZooError
from zoo.language import primary
from zoo.language.cutting import ENGLISH_ABBREVIATION, sentence_starts
from zoo.registry.schema import ArchiveSource, CorpusEntry

_LARGEST_MEMBER_BYTES = 64 * 1024**2
_STOP = re.compile(r"[.!?]+")
_CLOSING = re.compile(r"""["'”’)\]]+""")


@dataclass(frozen=True, slots=True)
class _Row:
    """A token, its tag, its line in the file, and whether white space stands before it in the original text."""

    token: str
    tag: str
    line: int
    spaced: bool


def read_archive(
    source: ArchiveSource,
    archive: Path,
    documents: Path,
    *,
    default_type: str | None = None,
    language: str = "en",
    repairs: Counter[str] | None = None,
) -> Iterator[Document]:
    """Stream the sentences of one split, in the order of its list. Nothing is unpacked to disk.

    Args:
        source: Where a document lies in the archive, and whether to cut documents into sentences.
        archive: The tar file, compressed or not.
        documents: The list of the split, one document id a line.
        default_type: Type of bare `B` / `I` tags.
        language: BCP 47 tag of the documents.
        repairs: Counts what had to be repaired.

    Raises:
        ZooError: The archive is damaged, lacks a document of the list, or a line is malformed; with member and line.
    """
    ids = _read_list(documents)
    members = _read_members(archive, {source.member.replace("{id}", name) for name in ids})
    repairs = Counter() if repairs is None else repairs
    member = ""
    tags = TagReader(default_type, lambda line: f"{member}:{line}")  # one scheme for all documents
    for name in ids:
        member = source.member.replace("{id}", name)
        if member not in members:
            raise ZooError(
                f"the archive has no document {name!r}",
                where=f"{archive}: {member}",
                fix="correct `member` in the entry",
            )
        units = [
            part
            for unit in _units(members[member], member)
            for part in (cut_sentences(unit, language) if source.split_sentences else [unit])
        ]
        for number, unit in enumerate(units, start=1):
            found = [tags.parse(row.tag, row.line) for row in unit]
            sentence = ([row.token for row in unit], found, [row.line for row in unit])
            yield tags.document(f"{name}-{number}", [sentence])
    tags.count_repairs(repairs)


def read_unpacked(
    source: ArchiveSource, entry: CorpusEntry, archive: Path, documents: Path, repairs: Counter[str]
) -> Iterator[Document]:
    """The documents of one split whose texts and annotations are files of their own, in the order of its list.

    The files of the split are unpacked for as long as they are read.

    Args:
        source: Where the files of a document lie in the archive.
        entry: The corpus: its format and types.
        archive: The zip or tar file, compressed or not.
        documents: The list of the split, one document id a line.
        repairs: Counts what had to be repaired.

    Raises:
        ZooError: The archive is damaged or lacks a file, or one is malformed; with its name in the archive.
    """
    ids = _read_list(documents)
    patterns = [pattern.replace("{type}", kind) for pattern in (source.member, *source.beside) for kind in entry.types]
    with tempfile.TemporaryDirectory(prefix="zoo-split-") as folder:
        members = {
            path.replace("{id}", name): Path(folder, path.replace("{id}", name)) for path in patterns for name in ids
        }
        for path in members.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        unpack(archive, members, fix="correct `member` or `beside` in the entry")
        try:
            found = {document.id: document for document in read_split(Path(folder), entry, repairs)}
        except ZooError as error:
            where = error.where and error.where.replace(f"{folder}/", f"{archive}: ")
            raise ZooError(error.what, where=where, fix=error.fix) from None
    yield from (found[name] for name in ids)


def cut_sentences(rows: Sequence[_Row], language: str = "en") -> list[list[_Row]]:
    """Cut the tokens of a document into sentences.

    An English sentence ends at a token of `.`, `!` or `?`, with the closing quotes and brackets that stand right behind
    it, if white space and a token with a capital letter follow, unless the stop belongs to an abbreviation or an
    initial, or the cut would lie inside a mention. One of another language ends where ICU says, outside mentions.
    """
    starts = None if primary(language) == "en" else _sentence_starts(rows, language)
    sentences: list[list[_Row]] = [[]]
    for index, row in enumerate(rows):
        if index and (_ends_sentence(rows, index) if starts is None else index in starts):
            sentences.append([])
        sentences[-1].append(row)
    return [sentence for sentence in sentences if sentence]


def _sentence_starts(rows: Sequence[_Row], language: str) -> set[int]:
    """Indices of the tokens outside mentions that begin a sentence by ICU."""
    places: list[int] = []
    text = ""
    for row in rows:
        text += " " if row.spaced and text else ""
        places.append(len(text))
        text += row.token
    starts = sentence_starts(text, language)
    return {i for i, (row, at) in enumerate(zip(rows, places, strict=True)) if at in starts and row.tag[:1] != "I"}


def _ends_sentence(rows: Sequence[_Row], index: int) -> bool:
    """Whether a sentence ends before the token at `index`."""
    row = rows[index]
    if not row.spaced or not row.token[:1].isupper() or row.tag.startswith("I"):
        return False
    stop = index - 1
    while stop > 0 and _CLOSING.fullmatch(rows[stop].token) and not rows[stop].spaced:
        stop -= 1
    if not _STOP.fullmatch(rows[stop].token):
        return False
    return stop == 0 or rows[stop].spaced or not ENGLISH_ABBREVIATION.fullmatch(rows[stop - 1].token)


def _read_list(path: Path) -> list[str]:
    lines = [(number, line.strip()) for number, line in numbered_lines(path)]
    ids = [line for _, line in lines if line]
    repeated = next((line for line, count in Counter(ids).items() if count > 1), None)
    if repeated:
        raise ZooError(f"the document {repeated!r} stands twice in the list", where=path, fix="remove one line")
    for number, line in lines:
        if "/" in line or "\\" in line or line.startswith("."):
            raise ZooError(f"{line!r} is not a document id", where=f"{path}:{number}", fix="one id a line, no path")
    return ids


def _read_members(archive: Path, wanted: set[str]) -> dict[str, str]:
    """Text of the wanted regular files of an archive; links, devices and all other names are passed over."""
    found: dict[str, str] = {}
    try:
        with tarfile.open(archive, "r:*") as tar:
            for member in tar:
                name = member.name.removeprefix("./")
                if name not in wanted or not member.isreg():
                    continue
                if member.size > _LARGEST_MEMBER_BYTES:
                    raise ZooError(f"a document of {member.size} bytes", where=f"{archive}: {name}", fix="cut it")
                stream = tar.extractfile(member)
                found[name] = stream.read().decode("utf-8-sig") if stream else ""
    except UnicodeDecodeError as error:
        raise ZooError(f"not UTF-8: byte {error.start}", where=f"{archive}: {name}", fix="convert the file") from None
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise ZooError(
            f"the archive is damaged: {error}", where=archive, fix="remove the file, so that it is fetched again"
        ) from None
    return found


def _units(text: str, member: str) -> Iterator[list[_Row]]:
    """Tokens between blank lines."""
    rows: list[_Row] = []
    end = 0
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            if rows:
                yield rows
            rows = []
            continue
        fields = line.split("\t")
        where = f"{member}:{number}"
        if member.endswith(".nersuite"):
            if len(fields) < 4 or not (fields[1].isdigit() and fields[2].isdigit()) or int(fields[1]) < end:
                raise ZooError(f"expected tag, start, end and token, found {line[:80]!r}", where=where)
            rows.append(_Row(_token(fields[3], where), fields[0], number, int(fields[1]) > end))
            end = int(fields[2])
        elif len(fields) < 2:
            raise ZooError(f"expected a token and a tag, found {line[:80]!r}", where=where)
        else:
            rows.append(_Row(_token(fields[0], where), fields[-1].strip(), number, True))
    if rows:
        yield rows


def _token(field: str, where: str) -> str:
    token = " ".join(field.split())
    if not token:
        raise ZooError("the line has no token", where=where)
    return token
