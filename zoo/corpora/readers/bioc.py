"""BioC, XML or JSON, parsed by the `bioc` package: collections of documents with passages and annotations."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from zoo.corpora.document import Document, Span
from zoo.corpora.files import open_bytes
from zoo.corpora.json_stream import stream_json
from zoo.corpora.readers.alignment import Part, align_mention, merge_parts
from zoo.corpora.readers.pubtator import split_concepts
from zoo.errors import ZooError

_CONCEPT_KEYS = ("identifier", "mesh", "omim", "ncbi gene", "ncbi taxonomy")
_MALFORMED = (ValueError, TypeError, KeyError, AttributeError, RuntimeError)
"""What the `bioc` package raises where a field is missing or of the wrong kind."""
_LONGEST_GAP_CHARACTERS = 100_000
_FIX = "give BioC XML or JSON whose offsets count characters from the start of the document"


def read_bioc(path: Path, *, repairs: Counter[str] | None = None) -> Iterator[Document]:
    """Stream the documents of a BioC file, plain or gzip; XML or JSON, as its first character says.

    The text of a document is its passages (or the sentences of passages without text), each at its offset, with spaces
    between them, so that the document's offsets hold. Several locations become `fragments`, unless only white space is
    between them. A mention whose text is not at its offsets follows the rules of `align_mention`. A document that
    stands in the file again is left out the second time.

    Args:
        path: The file. XML is streamed, and JSON lines and lists are; a JSON collection is read whole.
        repairs: Counts what was repaired, left out or ignored; complete once the iterator is exhausted.

    Raises:
        ZooError: The file is not BioC, passages overlap, a type is missing, or an id stands for two different
            documents; with file and line, or file and document.
    """
    repairs = Counter() if repairs is None else repairs
    with open_bytes(path) as file:
        first = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    seen: dict[str, int] = {}
    for parsed in _xml_documents(path) if first == b"<" else _json_documents(path):
        name = parsed.id
        if not isinstance(name, (str, int)) or not str(name).strip():
            raise ZooError("a document has no id", where=path, fix=_FIX)
        where = f"{path}: document {name}"
        try:
            document = _document(str(name).strip(), parsed, where, repairs)
        except _MALFORMED as error:
            raise ZooError(f"the document is malformed: {_reason(error)}", where=where, fix=_FIX) from None
        content = hash((document.text, document.spans))
        if document.id not in seen:
            seen[document.id] = content
            yield document
        elif seen[document.id] == content:
            repairs["repeated document left out"] += 1
            repairs["mention of a repeated document left out"] += len(document.spans)
        else:
            raise ZooError("the id stands for two different documents", where=where, fix="ids are unique in a file")


def _xml_documents(path: Path) -> Iterator[Any]:
    from bioc.biocxml import BioCXMLDocumentReader

    with open_bytes(path) as file:
        try:
            yield from BioCXMLDocumentReader(file)
        except SyntaxError as error:  # what lxml's parser raises
            raise ZooError(f"not valid XML: {error.msg}", where=f"{path}:{error.lineno}", fix=_FIX) from None
        except AttributeError:  # the package's reader fails so where nothing of BioC begins
            raise ZooError("not BioC XML: there is no <collection> with a <document>", where=path, fix=_FIX) from None
        except _MALFORMED as error:
            raise ZooError(f"not BioC XML: {_reason(error)}", where=path, fix=_FIX) from None


def _json_documents(path: Path) -> Iterator[Any]:
    from bioc.biocjson.decoder import parse_doc

    line = 0
    for line, value in stream_json(path, fix=_FIX):
        data = value if isinstance(value, dict) else {}
        # A collection, an answer of PubTator 3, or a document of its own, as in JSON lines.
        items = [data] if "passages" in data else data.get("documents", data.get("PubTator3"))
        if not isinstance(items, list):
            raise ZooError("not BioC JSON: there is no list 'documents'", where=f"{path}:{line}", fix=_FIX)
        for number, item in enumerate(items, start=1):
            try:
                yield parse_doc(item)
            except _MALFORMED as error:
                raise ZooError(
                    f"not BioC JSON: {_reason(error)}", where=f"{path}: document number {number}", fix=_FIX
                ) from None
    if not line:
        raise ZooError("not valid JSON: the file is empty", where=path, fix=_FIX)


def _document(name: str, parsed: Any, where: str, repairs: Counter[str]) -> Document:  # noqa: ANN401 - bioc is untyped
    blocks: list[tuple[int, str]] = []
    for passage in parsed.passages:
        for block in [passage] if passage.text else passage.sentences:
            if block.text:
                blocks.append((_natural(block.offset), block.text))
    text = _join(sorted(blocks), where)
    spans: list[Span] = []
    for holder in chain([parsed], parsed.passages, *(passage.sentences for passage in parsed.passages)):
        for annotation in holder.annotations:
            if span := _span(annotation, text, where, repairs):
                spans.append(span)
        if holder.relations:
            repairs["relation ignored"] += len(holder.relations)
    return Document(name, text, tuple(sorted(spans)))


def _join(blocks: list[tuple[int, str]], where: str) -> str:
    pieces: list[str] = []
    end = 0
    for offset, text in blocks:
        if not 0 <= offset - end <= _LONGEST_GAP_CHARACTERS:
            raise ZooError(
                f"a passage begins at {offset}, the one before it ends at {end}: they overlap or are too far apart",
                where=where,
                fix=_FIX,
            )
        pieces += [" " * (offset - end), text]
        end = offset + len(text)
    return "".join(pieces)


def _span(annotation: Any, text: str, where: str, repairs: Counter[str]) -> Span | None:  # noqa: ANN401
    infons = {str(key).casefold().replace("_", " "): value for key, value in (annotation.infons or {}).items()}
    name = infons.get("type")
    if not isinstance(name, str) or not name.strip():
        raise ZooError(f"the annotation {annotation.id!r} has no type", where=where, fix=_FIX)
    if not annotation.locations:
        repairs["annotation without a location ignored"] += 1
        return None
    places = [(_natural(place.offset), _natural(place.length)) for place in annotation.locations]
    parts = sorted((offset, offset + length) for offset, length in places)
    quoted = annotation.text or ""
    if len(parts) == 1 and quoted:
        placed = align_mention(text, *parts[0], quoted, repairs)
        parts = [placed] if placed else []
    elif not _enclose(parts, text, quoted):
        repairs["mention left out: its text is not at its offsets"] += 1
        parts = []
    if not parts:
        return None
    merged = merge_parts(text, parts)
    if len(merged) < len(parts):
        repairs["parts of a mention joined over white space"] += 1
    concepts = (str(infons[key]) for key in _CONCEPT_KEYS if infons.get(key))
    return Span(
        merged[0][0],
        merged[-1][1],
        name.strip(),
        tuple(dict.fromkeys(chain.from_iterable(split_concepts(ids) for ids in concepts))),
        merged if len(merged) > 1 else (),
    )


def _enclose(parts: list[Part], text: str, quoted: str) -> bool:
    """Whether parts lie in the text without overlap, and the quoted text (where there is one) holds them in order."""
    end = place = 0
    for start, stop in parts:
        if not end <= start < stop <= len(text):
            return False
        if quoted:
            found = quoted.find(text[start:stop].strip(), place)
            if found < 0:
                return False
            place = found + len(text[start:stop].strip())
        end = stop
    return True


def _natural(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"an offset is {value!r}")
    return value


def _reason(error: Exception) -> str:
    return f"no field {error}" if isinstance(error, KeyError) else re.sub(r"\s+", " ", str(error))
