"""Statistics of a corpus: counts per split and type, lengths and frequencies of mentions, examples in context."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from pydantic import Field

from zoo.corpora.document import Document, Span, count_mentions, count_tokens, text_of
from zoo.corpora.load import Corpus
from zoo.corpora.overlaps import count_places
from zoo.corpora.similarity import normalise
from zoo.language.cutting import count_words
from zoo.records import Record
from zoo.registry.schema import SplitName

CONTEXT_CHARACTERS = 80
LONGEST_WORDS = 10
_FREQUENCIES = ((1, 1), (2, 2), (3, 5), (6, 10), (11, 50), (51, None))


class SplitOverview(Record):
    """Counts of one split."""

    documents: int = Field(ge=0, description="sentences or documents, as the entry's `unit` says")
    documents_without_mentions: int = Field(ge=0)
    tokens: int = Field(ge=0, description="the corpus's own tokens, else words")
    mentions: int = Field(ge=0)
    mentions_per_type: dict[str, int]
    nested_mentions: int = Field(default=0, ge=0, description="inside another mention")
    overlapping_mentions: int = Field(
        default=0, ge=0, description="across another mention, or on its very characters with another type"
    )
    discontinuous_mentions: int = Field(default=0, ge=0)
    seen_in_train: int | None = Field(
        default=None, ge=0, description="mentions whose text has the same type in train (case does not count)"
    )
    fingerprint: str

    @property
    def lie(self) -> dict[str, int]:
        """Mentions that do not lie apart and in one piece, by how they lie; empty in a flat split."""
        counts = {
            "inside another": self.nested_mentions,
            "across another": self.overlapping_mentions,
            "discontinuous": self.discontinuous_mentions,
        }
        return {name: count for name, count in counts.items() if count}


class Example(Record):
    """One mention with the text around it."""

    split: SplitName
    document_id: str
    start: int = Field(ge=0, description="first character in the document; the mention is [start, end)")
    end: int = Field(ge=0)
    before: str
    mention: str
    after: str


class TypeOverview(Record):
    """Mentions of one type, over all splits."""

    mentions: int = Field(ge=0)
    forms: int = Field(ge=0, description="distinct texts of mentions, case does not count")
    length_words: dict[str, int] = Field(description="mentions with so many words")
    frequencies: dict[str, int] = Field(description="forms that occur so often")
    frequent: list[tuple[str, int]] = Field(description="the most frequent forms and their mentions")
    examples: list[Example]


class CorpusOverview(Record):
    """What there is to know about a corpus before using it."""

    id: str
    title: str
    description: str
    homepage: str
    citation: str
    unit: str
    source: str
    license: str
    license_source: str
    publishable: bool
    verified: bool = Field(description="whether every split has the fingerprint that the registry demands")
    repairs: dict[str, int]
    note: str
    splits: dict[SplitName, SplitOverview]
    types: dict[str, TypeOverview]


def overview(corpus: Corpus, *, examples: int = 5, frequent: int = 15) -> CorpusOverview:
    """Count a corpus.

    Args:
        corpus: What was loaded.
        examples: Examples of each type, spread evenly over train (or test, where it is alone).
        frequent: Most frequent forms of each type.
    """
    entry = corpus.entry
    train = {_form(d, span) for d, span in _mentions(corpus.splits["train"])} if "train" in corpus.splits else None
    return CorpusOverview(
        id=entry.id,
        title=entry.title,
        description=entry.description,
        homepage=entry.homepage,
        citation=entry.citation,
        unit=entry.unit,
        source=corpus.source,
        license=entry.license.spdx,
        license_source=entry.license.source,
        publishable=entry.license.publishable,
        verified=corpus.verified,
        repairs=dict(corpus.repairs),
        note=entry.note,
        splits={
            split: _split(
                documents, entry.entity_types, None if split == "train" else train, corpus.fingerprints[split]
            )
            for split, documents in corpus.splits.items()
        },
        types={name: _type(corpus, name, examples, frequent) for name in entry.entity_types},
    )


def _split(
    documents: Sequence[Document], types: Iterable[str], train: set[tuple[str, str]] | None, fingerprint: str
) -> SplitOverview:
    counts = Counter(span.type for _, span in _mentions(documents))
    lie = count_places(documents)
    return SplitOverview(
        documents=len(documents),
        documents_without_mentions=sum(not document.spans for document in documents),
        tokens=count_tokens(documents),
        mentions=count_mentions(documents),
        mentions_per_type={name: counts[name] for name in types},
        nested_mentions=lie["inside another"],
        overlapping_mentions=lie["across another"],
        discontinuous_mentions=lie["discontinuous"],
        seen_in_train=None if train is None else sum(_form(d, span) in train for d, span in _mentions(documents)),
        fingerprint=fingerprint,
    )


def _type(corpus: Corpus, name: str, examples: int, frequent: int) -> TypeOverview:
    forms: Counter[str] = Counter()
    spelt: dict[str, Counter[str]] = {}
    lengths: Counter[int] = Counter()
    for documents in corpus.splits.values():
        for document, span in _mentions(documents):
            if span.type == name:
                text = " ".join(text_of(document.text, span.key).split())
                forms[text.casefold()] += 1
                spelt.setdefault(text.casefold(), Counter())[text] += 1
                lengths[min(count_words(text), LONGEST_WORDS)] += 1
    words = range(1, max(lengths, default=0) + 1)
    return TypeOverview(
        mentions=forms.total(),
        forms=len(forms),
        length_words={f"{n} or more" if n == LONGEST_WORDS else str(n): lengths[n] for n in words},
        frequencies={
            _range(low, high): sum(low <= count <= (high or count) for count in forms.values())
            for low, high in _FREQUENCIES
        },
        frequent=[(spelt[form].most_common(1)[0][0], count) for form, count in forms.most_common(frequent)],
        examples=_examples(corpus, name, examples),
    )


def _range(low: int, high: int | None) -> str:
    return f"{low} or more" if high is None else str(low) if low == high else f"{low} to {high}"


def _examples(corpus: Corpus, name: str, count: int) -> list[Example]:
    """Mentions at even distances, so that they are neither all alike nor drawn anew at every call."""
    split: SplitName = "train" if "train" in corpus.splits else "test"
    found = [(d, span) for d, span in _mentions(corpus.splits[split]) if span.type == name]
    step = max(1, len(found) // max(1, count))
    return [_example(split, document, span) for document, span in found[::step][:count]]


def _example(split: SplitName, document: Document, span: Span) -> Example:
    start, end = max(0, span.start - CONTEXT_CHARACTERS), min(len(document.text), span.end + CONTEXT_CHARACTERS)
    before, after = document.text[start : span.start], document.text[span.end : end]
    if start > 0:
        before = "…" + (before.partition(" ")[2] or before)
    if end < len(document.text):
        after = (after.rpartition(" ")[0] or after) + "…"
    return Example(
        split=split,
        document_id=document.id,
        start=span.start,
        end=span.end,
        before=before,
        mention=text_of(document.text, span.key, " … "),
        after=after,
    )


def _mentions(documents: Iterable[Document]) -> Iterator[tuple[Document, Span]]:
    for document in documents:
        for span in document.spans:
            yield document, span


def _form(document: Document, span: Span) -> tuple[str, str]:
    return (normalise(text_of(document.text, span.key)), span.type)
