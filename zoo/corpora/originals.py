"""The original documents behind a corpus of token columns: running text as its authors wrote it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from zoo.corpora.document import Document
from zoo.corpora.download import fetch
from zoo.corpora.overlaps import resolve_overlaps
from zoo.corpora.readers.pubtator import read_pubtator
from zoo.corpora.retry import FetchOptions
from zoo.errors import ZooError
from zoo.registry.schema import CorpusEntry, Originals
from zoo.settings import Settings

_PIECE = 40
"""Characters of the pieces that texts are compared by, white space left out."""

_SAME_TEXT = 0.9
"""A document belongs to a split that holds this share of its pieces: token columns drop or change a few signs."""


def load_test_originals(entry: CorpusEntry, test: Sequence[Document], settings: Settings) -> tuple[Document, ...]:
    """The original documents whose text is in the test split, with their gold mentions.

    Args:
        entry: A corpus with `originals`.
        test: Its test split.
        settings: Where local copies and downloads lie.

    Raises:
        ZooError: The files are not here and cannot be fetched, are malformed, or none of them is in the test split.
    """
    if entry.originals is None:
        raise ZooError(f"the corpus {entry.id} has no original documents", where=f"{entry.id}.yaml: originals")
    documents: dict[str, Document] = {}
    for path in _files(entry.originals, settings):
        for document in read_pubtator(path, repairs=Counter()):
            documents.setdefault(document.id, _mapped(document, entry.originals))
    chosen = tuple(select_documents(documents.values(), test))
    if not chosen:
        raise ZooError(f"none of the original documents of {entry.id} is in its test split", fix="check both sources")
    return chosen


def select_documents(originals: Iterable[Document], split: Sequence[Document]) -> list[Document]:
    """The originals whose text stands in a split of token columns, compared without white space."""
    text = "".join(_squeezed(document.text) for document in split)
    known = {text[start : start + _PIECE] for start in range(max(1, len(text) - _PIECE + 1))}
    chosen = []
    for document in originals:
        squeezed = _squeezed(document.text)
        pieces = [squeezed[i : i + _PIECE] for i in range(0, max(1, len(squeezed) - _PIECE + 1), _PIECE)]
        if sum(piece in known for piece in pieces) >= _SAME_TEXT * len(pieces):
            chosen.append(document)
    return chosen


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _mapped(document: Document, originals: Originals) -> Document:
    """Keep the types of the corpus, under their names in the label space; of overlapping mentions the longest."""
    spans = [replace(s, type=originals.types[s.type]) for s in document.spans if s.type in originals.types]
    return resolve_overlaps(replace(document, spans=tuple(spans)), "longest", Counter())


def _files(originals: Originals, settings: Settings) -> list[Path]:
    found = []
    for name, remote in originals.files.items():
        folder = settings.originals / originals.folder if settings.originals else None
        copies = [path for path in (folder / name, folder / f"{name}.gz") if path.is_file()] if folder else []
        found.append(copies[0] if copies else fetch(remote, settings.cache, options=FetchOptions.of(settings)))
    return found
