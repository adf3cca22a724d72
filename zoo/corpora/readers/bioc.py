"""BioC, XML or JSON, parsed by the `bioc` package: collections of documents with passages and annotations."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from zoo.corpora.concepts import split_concepts
from zoo.corpora.document import Document
from zoo.corpora.files import open_bytes
from zoo.corpora.json_stream import stream_json
from zoo.corpora.readers.mentions import Mention, place_mentions, quotes_found, without_copies
from zoo.errors import ZooError

_CONCEPT_KEYS = ("identifier", "mesh", "omim", "ncbi gene", "ncbi taxonomy")
_MALFORMED = (ValueError, TypeError, KeyError, AttributeError, RuntimeError)
"""What the `bioc` package raises where a field is missing or of the wrong kind."""
_LONGEST_GAP_CHARACTERS = 100_000
_FIX = "give BioC XML or JSON whose offsets count characters from the start of the document"


def read_bioc(path: Path, *, repairs: Counter[str] | None = None) -> Iterator[Document]:
    """Stream the documents of a BioC file, plain or gzip; XML or JSON, as its first character says.

    The text of a document is its passages (or the sentences of passages without text), each at its offset, with spaces
    between them, so that the document's offsets hold. Mentions are placed by `place_mentions`. A document that is in
    the file again is left out the second time.

    Args:
        path: The file. XML, JSON lines and lists are streamed, a single collection as JSON is read whole.
        repairs: Counts what was repaired, left out or ignored; complete once the iterator is exhausted.

    Raises:
        ZooError: The file is not BioC, passages overlap, a type is missing, or an id stands for two different
            documents; with file and line, or file and document.
    """
    repairs = Counter() if repairs is None else repairs
    with open_bytes(path) as file:
        first = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    documents = _xml_documents(path) if first == b"<" else _json_documents(path)
    return without_copies((_checked(parsed, path, repairs) for parsed in documents), repairs)


def _checked(parsed: Any, path: Path, repairs: Counter[str]) -> tuple[Document, str]:  # noqa: ANN401 - bioc is untyped
    name = parsed.id
    if not isinstance(name, (str, int)) or not str(name).strip():
        raise ZooError("a document has no id", where=path, fix=_FIX)
    where = f"{path}: document {name}"
    try:
        return _document(str(name).strip(), parsed, where, repairs), where
    except _MALFORMED as error:
        raise ZooError(f"the document is malformed: {_reason(error)}", where=where, fix=_FIX) from None


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
    """Documents of a collection, of several (a list, JSON lines, or what PubTator 3 answers), or one a line."""
    from bioc.biocjson.decoder import parse_doc

    number = line = 0
    for line, data in stream_json(path, fix=_FIX):
        items = data if not isinstance(data, dict) else data.get("documents", data.get("PubTator3"))
        if items is None and "passages" in data:
            items = [data]
        if not isinstance(items, list):
            raise ZooError("not BioC JSON: there is no list 'documents'", where=f"{path}:{line}", fix=_FIX)
        for item in items:
            number += 1
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
    mentions: list[Mention] = []
    for holder in chain([parsed], parsed.passages, *(passage.sentences for passage in parsed.passages)):
        for annotation in holder.annotations:
            if not annotation.locations:
                repairs["annotation without a location ignored"] += 1
            mentions += [_mention(annotation, where)] if annotation.locations else []
        if holder.relations:
            repairs["relation ignored"] += len(holder.relations)
    text = _join(sorted(blocks), mentions, where)
    return Document(name, text, tuple(place_mentions(text, mentions, repairs).spans))


def _join(blocks: list[tuple[int, str]], mentions: list[Mention], where: str) -> str:
    """The text of the blocks at their offsets, which count characters or else what more quotes are found with."""
    texts: list[str | ZooError] = []
    for encoding, width in (("utf-32-le", 4), ("utf-8", 1), ("utf-16-le", 2)):
        pieces: list[str] = []
        end = 0
        for offset, text in blocks:
            if not 0 <= offset - end <= _LONGEST_GAP_CHARACTERS:
                what = (
                    f"a passage begins at {offset}, the one before it ends at {end}: they overlap or are too far apart"
                )
                texts.append(ZooError(what, where=where, fix=_FIX))
                break
            pieces += [" " * (offset - end), text]
            end = offset + len(text.encode(encoding)) // width
        else:
            texts.append("".join(pieces))
    sound = [text for text in texts if isinstance(text, str)]
    if not sound or (texts[0] not in sound and not max(quotes_found(text, mentions) for text in sound)):
        raise next(text for text in texts if isinstance(text, ZooError))
    return max(sound, key=lambda text: quotes_found(text, mentions))


def _mention(annotation: Any, where: str) -> Mention:  # noqa: ANN401
    infons = {str(key).casefold().replace("_", " "): value for key, value in (annotation.infons or {}).items()}
    name = infons.get("type")
    if not isinstance(name, str) or not name.strip():
        raise ZooError(f"the annotation {annotation.id!r} has no type", where=where, fix=_FIX)
    places = [(_natural(place.offset), _natural(place.length)) for place in annotation.locations]
    cells = (str(infons[key]) for key in _CONCEPT_KEYS if infons.get(key))
    concepts = dict.fromkeys(chain.from_iterable(map(split_concepts, cells)))
    parts = sorted((offset, offset + length) for offset, length in places)
    return Mention(parts, annotation.text or None, name.strip(), tuple(concepts))


def _natural(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"an offset is {value!r}")
    return value


def _reason(error: Exception) -> str:
    return f"no field {error}" if isinstance(error, KeyError) else re.sub(r"\s+", " ", str(error))
