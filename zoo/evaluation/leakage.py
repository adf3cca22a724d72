"""What the texts of one split tell about another: exact and near duplicates within a corpus and between corpora."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from zoo.corpora.load import Corpus
from zoo.corpora.similarity import (
    NORMALISATION,
    SENTENCE_WORDS,
    THRESHOLD,
    near_duplicates,
    normalise,
    sentences,
    words,
)
from zoo.passages.contamination import PassageOverlap
from zoo.records import Record
from zoo.registry.schema import SplitName

Level = Literal["sentence", "document"]
WITHIN: tuple[tuple[SplitName, SplitName], ...] = (("train", "test"), ("dev", "test"), ("train", "dev"))
"""Pairs of splits that are compared in a corpus; the second is the one that leaks."""
_EXAMPLES = 3
_EXCERPT_CHARACTERS = 240


class SharedText(Record):
    """One text that stands in both splits, as an example."""

    document: int = Field(ge=0, description="index of the document in the compared split")
    text: str = Field(description="the text in the compared split, at most its first 240 characters")
    reference_text: str = Field(description="the text of the reference that it repeats, cut likewise")
    similarity: float = Field(ge=0, le=1, description="Jaccard similarity of the shingle sets; 1 where exact")


class Overlap(Record):
    """Texts of a split that stand in a reference split too.

    For a corpus of sentences the text is the document; a corpus of documents is compared twice, by whole documents and
    by their sentences (split at line ends and after full stops, question and exclamation marks).
    """

    reference_corpus: str
    reference_split: SplitName
    corpus: str
    split: SplitName = Field(description="the compared split, whose documents leak")
    level: Level
    texts: int = Field(ge=0, description="texts of the compared split")
    verbatim_distinct: int = Field(
        ge=0, description="different texts that stand in both splits, character for character"
    )
    exact: int = Field(ge=0, description="texts of the compared split that equal one of the reference, normalised")
    near: int = Field(ge=0, description="further texts of the compared split whose similarity reaches the threshold")
    longer: int = Field(ge=0, description="exact and near texts of five words or more: no mere headings")
    leaked_documents: tuple[int, ...] = Field(
        description="indices of the documents of the compared split with an exact or near text, in order"
    )
    examples: tuple[SharedText, ...] = Field(description="the longest exact and the longest near texts, at most 3 each")

    @property
    def leaked(self) -> int:
        """Exact and near texts together."""
        return self.exact + self.near

    @property
    def leaked_share(self) -> float:
        """Share of the compared texts that leak, as a fraction."""
        return self.leaked / self.texts if self.texts else 0.0


class LeakageReport(Record):
    """Everything that `zoo corpora check` found."""

    schema_version: Literal[1] = 1
    threshold: float = Field(ge=0, le=1, description="least Jaccard similarity of a near duplicate")
    normalisation: str = Field(default=NORMALISATION, description="what exact and near mean")
    within: tuple[Overlap, ...] = Field(description="between the splits of each corpus")
    across: tuple[Overlap, ...] = Field(description="from the train split of a corpus to the test split of others")
    passages: tuple[PassageOverlap, ...] = Field(
        default=(), description="from passages to the test split of each corpus"
    )
    not_checked: dict[str, str] = Field(default_factory=dict, description="corpus or passages -> why it was left out")


@dataclass(frozen=True)
class _Text:
    """A text to compare: its document's index, and its number among the different normalised texts."""

    document: int
    number: int
    text: str


class _Texts:
    """All texts of one level, each normal form numbered once, however often it occurs."""

    def __init__(self, level: Level) -> None:
        self.level = level
        self.splits: dict[tuple[str, SplitName], list[_Text]] = {}
        self.numbers: dict[str, int] = {}
        self.words: list[list[str]] = []

    def add(self, corpus: Corpus, split: SplitName) -> None:
        """Take in the documents of a split, whole or sentence by sentence."""
        texts = self.splits[corpus.entry.id, split] = []
        for index, document in enumerate(corpus.splits[split]):
            whole = self.level == "document"
            for text in [document.text] if whole else sentences(document, corpus.entry):
                if not (normal := normalise(text)):
                    continue
                number = self.numbers.setdefault(normal, len(self.numbers))
                if number == len(self.words):
                    self.words.append(words(normal))
                texts.append(_Text(index, number, text))

    def numbers_of(self, keys: set[tuple[str, SplitName]]) -> set[int]:
        """Numbers of the texts of some splits."""
        return {text.number for key in keys for text in self.splits[key]}


_Pair = tuple[tuple[str, SplitName], tuple[str, SplitName]]
"""Reference and compared split, each `(corpus id, split)`."""


def check_corpora(
    corpora: Sequence[Corpus], *, names: Sequence[str] | None = None, threshold: float = THRESHOLD
) -> tuple[tuple[Overlap, ...], tuple[Overlap, ...]]:
    """Compare the splits of corpora, and their train splits with the test splits of the other corpora.

    Args:
        corpora: All corpora that take part.
        names: Ids of those whose splits are compared and whose train split is the reference; None means all.
        threshold: Least Jaccard similarity of a near duplicate, from 0.5 to 1.

    Returns:
        Overlaps within corpora, and across; a pair of corpora of documents has one for each level.

    Raises:
        ZooError: The threshold is not in [0.5, 1].
    """
    chosen = [corpus for corpus in corpora if names is None or corpus.entry.id in names]
    within: list[_Pair] = [
        ((c.entry.id, a), (c.entry.id, b)) for c in chosen for a, b in WITHIN if {a, b} <= set(c.splits)
    ]
    trained = [corpus for corpus in chosen if "train" in corpus.splits]
    across: list[_Pair] = [
        ((c.entry.id, "train"), (o.entry.id, "test")) for c in trained for o in corpora if o.entry.id != c.entry.id
    ]
    found = _overlaps(corpora, [*within, *across], threshold)
    inside = tuple(item for item in found if item.corpus == item.reference_corpus)
    return inside, tuple(item for item in found if item.corpus != item.reference_corpus)


def leaked_test_documents(corpus: Corpus, threshold: float = THRESHOLD) -> Overlap:
    """Test documents that stand in train too, whole, exactly or nearly: what a score without leakage leaves out.

    Args:
        corpus: The corpus.
        threshold: Least Jaccard similarity of a near duplicate, from 0.5 to 1.
    """
    name = corpus.entry.id
    texts = _Texts(corpus.entry.unit)
    texts.add(corpus, "train")
    texts.add(corpus, "test")
    pair: _Pair = ((name, "train"), (name, "test"))
    return _overlap(texts, pair, _near(texts, [pair], threshold))


def _overlaps(corpora: Sequence[Corpus], pairs: Sequence[_Pair], threshold: float) -> list[Overlap]:
    short, whole = _Texts("sentence"), _Texts("document")
    for corpus in corpora:
        for split in corpus.splits:
            short.add(corpus, split)
            if corpus.entry.unit == "document":
                whole.add(corpus, split)
    found = []
    for texts in (short, whole):
        here = [pair for pair in pairs if pair[0] in texts.splits and pair[1] in texts.splits]
        near = _near(texts, here, threshold)
        found += [_overlap(texts, pair, near) for pair in here]
    return found


def _near(texts: _Texts, pairs: Sequence[_Pair], threshold: float) -> dict[int, dict[int, float]]:
    reference = texts.numbers_of({pair[0] for pair in pairs})
    compared = texts.numbers_of({pair[1] for pair in pairs})
    return near_duplicates(texts.words, reference, compared, threshold)


def _overlap(texts: _Texts, pair: _Pair, near: Mapping[int, Mapping[int, float]]) -> Overlap:
    (reference_corpus, reference_split), (corpus, split) = pair
    reference, compared = texts.splits[pair[0]], texts.splits[pair[1]]
    shown = {text.number: text.text for text in reversed(reference)}
    exact: list[tuple[_Text, int, float]] = []
    alike: list[tuple[_Text, int, float]] = []
    for text in compared:
        if text.number in shown:
            exact.append((text, text.number, 1.0))
        elif here := [(value, -number) for number, value in near.get(text.number, {}).items() if number in shown]:
            value, number = max(here)
            alike.append((text, -number, value))

    def length(text: _Text) -> int:
        return len(texts.words[text.number])

    def examples(items: list[tuple[_Text, int, float]]) -> list[SharedText]:
        once = {text.number: (text, other, value) for text, other, value in reversed(items)}
        longest = sorted(once.values(), key=lambda item: (-length(item[0]), item[0].document))[:_EXAMPLES]
        return [
            SharedText(
                document=text.document,
                text=text.text[:_EXCERPT_CHARACTERS],
                reference_text=shown[other][:_EXCERPT_CHARACTERS],
                similarity=value,
            )
            for text, other, value in longest
        ]

    leaked = [text for text, _, _ in (*exact, *alike)]
    return Overlap(
        reference_corpus=reference_corpus,
        reference_split=reference_split,
        corpus=corpus,
        split=split,
        level=texts.level,
        texts=len(compared),
        verbatim_distinct=len({text.text for text in reference} & {text.text for text in compared}),
        exact=len(exact),
        near=len(alike),
        longer=sum(length(text) >= SENTENCE_WORDS for text in leaked),
        leaked_documents=tuple(sorted({text.document for text in leaked})),
        examples=tuple(examples(exact) + examples(alike)),
    )
