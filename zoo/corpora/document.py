"""The one shape that annotated text has everywhere in this project."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zoo.language.cutting import count_words

Fragments = tuple[tuple[int, int], ...]
"""`[start, end)` of the parts of a discontinuous mention, in order."""
Key = tuple[int, int, str] | tuple[int, int, str, Fragments]
"""What strict scoring compares: `(start, end, type)` of a mention, and of a discontinuous one its fragments too."""


def key_of(start: int, end: int, name: str, fragments: Fragments) -> Key:
    """The key of a mention; one without a gap has no fragments in it."""
    return (start, end, name, fragments) if fragments else (start, end, name)


def fragments_of(key: Key) -> Fragments:
    """`[start, end)` of what a mention marks: its fragments, or all from its start to its end."""
    return key[3] if len(key) == 4 else (key[:2],)


def text_of(text: str, key: Key, gap: str = " ") -> str:
    """The characters of a mention; of a discontinuous one its fragments with a gap between them."""
    return gap.join(text[start:end] for start, end in fragments_of(key))


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """One mention.

    Attributes:
        start: First character, counted from 0.
        end: One past the last character: the span is half-open, `[start, end)`.
        type: Entity type.
        concept_ids: Identifiers in an ontology, where the corpus has them.
        fragments: Parts of a discontinuous mention, which `start` and `end` span; else empty.
    """

    start: int
    end: int
    type: str
    concept_ids: tuple[str, ...] = ()
    fragments: Fragments = ()

    @property
    def key(self) -> Key:
        """What strict scoring compares."""
        return key_of(self.start, self.end, self.type, self.fragments)


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its gold mentions.

    Attributes:
        id: Unique within its split.
        text: The text exactly as models see it.
        spans: Mentions in order of their start.
        tokens: `[start, end)` of the tokens of a token-column corpus, None for running text.
    """

    id: str
    text: str
    spans: tuple[Span, ...] = ()
    tokens: tuple[tuple[int, int], ...] | None = None


def fingerprints(documents: Iterable[Document]) -> tuple[str, ...]:
    """Sha256 of what a split holds, by each version that applies to it, the newest last; document ids do not count.

    Version 1 is that of texts and spans from start to end, with their order, and the only one of corpora that have no
    more. Version 2 counts concept ids too, so that what links mentions knows its data; scores of mentions are the same
    under both. Version 3 counts, beside what the one before it counts, the fragments of discontinuous mentions.
    """
    digest, concepts, fragments = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    linked = broken = False
    for number, document in enumerate(documents):
        digest.update(_line([document.text, sorted(map(_whole, document.spans))]))
        if ids := sorted((*_whole(span), span.concept_ids) for span in document.spans if span.concept_ids):
            linked = True
            concepts.update(_line([number, ids]))
        if parts := sorted((*_whole(span), span.fragments) for span in document.spans if span.fragments):
            broken = True
            fragments.update(_line([number, parts]))
    found = [digest.hexdigest()]
    for version, applies, more in ((2, linked, concepts), (3, broken, fragments)):
        if applies:
            found.append(hashlib.sha256(f"{version} {found[-1]} {more.hexdigest()}".encode()).hexdigest())
    return tuple(found)


def _whole(span: Span) -> tuple[int, int, str]:
    return span.start, span.end, span.type


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def fingerprint(documents: Iterable[Document]) -> str:
    """The newest version of a split's fingerprint."""
    return fingerprints(documents)[-1]


def count_mentions(documents: Sequence[Document]) -> int:
    """Number of gold mentions."""
    return sum(len(document.spans) for document in documents)


def count_tokens(documents: Sequence[Document]) -> int:
    """Number of tokens: the corpus's own where it has them, else words."""
    return sum(len(d.tokens) if d.tokens is not None else count_words(d.text) for d in documents)
