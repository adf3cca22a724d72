"""Test text inside raw text: does a passage hold a run of words, or a whole sentence, of a test set?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, repeat

import numpy as np
import numpy.typing as npt
from pydantic import Field

from zoo.corpora.load import Corpus
from zoo.corpora.similarity import SENTENCE_WORDS, Ints, sentences, words
from zoo.passages.passage import Passage
from zoo.records import Record

RUN_WORDS = 13
"""Words in a row that passage and test text may not share; the length that Brown et al. 2020 use (arXiv:2005.14165)."""
_EXAMPLES = 3
_BATCH = 2000
_SEED = 0
_Hashes = npt.NDArray[np.uint64]


class SharedRun(Record):
    """One place where a passage repeats a test document."""

    passage_id: str
    document: int = Field(ge=0, description="index of the test document")
    words: str = Field(description="the words in a row that both hold, case-folded, without punctuation")


class PassageOverlap(Record):
    """What passages hold of the test split of a corpus. Words are case-folded runs of letters and digits."""

    passages: str = Field(description="id or file name of the passages")
    passages_read: int = Field(ge=0)
    corpus: str
    documents: int = Field(ge=0, description="documents of the test split")
    run_documents: int = Field(ge=0, description="test documents that share 13 words in a row with a passage")
    sentence_documents: int = Field(
        ge=0, description="test documents of which a passage holds a whole sentence of five words or more"
    )
    leaked_documents: tuple[int, ...] = Field(description="indices of the test documents of either kind, in order")
    passages_hit: int = Field(ge=0, description="passages that hold such a run or sentence")
    examples: tuple[SharedRun, ...] = Field(description="the first three pairs of passage and test document")


def check_passages(name: str, passages: Iterable[Passage], corpora: Sequence[Corpus]) -> tuple[PassageOverlap, ...]:
    """Look for the text of test sets in passages, which are streamed.

    Args:
        name: What to call the passages in the result.
        passages: The passages.
        corpora: Corpora whose test split is looked for.

    Returns:
        One result for each corpus.
    """
    index = TextIndex(corpora)
    found = {corpus.entry.id: _Found() for corpus in corpora}
    read = 0
    stream = iter(passages)
    while batch := list(islice(stream, _BATCH)):
        ids, owners = index.encode([words(passage.text) for passage in batch])
        for hit in index.shared(ids):
            corpus, document = index.document_at(hit.place)
            passage = int(owners[hit.position])
            found[corpus].add(read + passage, batch[passage].id, document, hit, index.spell(hit))
        read += len(batch)
    return tuple(
        PassageOverlap(
            passages=name,
            passages_read=read,
            corpus=corpus,
            documents=len(documents),
            run_documents=len(found[corpus].runs),
            sentence_documents=len(found[corpus].sentences),
            leaked_documents=tuple(sorted(found[corpus].runs | found[corpus].sentences)),
            passages_hit=len(found[corpus].passages),
            examples=tuple(found[corpus].examples.values()),
        )
        for corpus, documents in ((item.entry.id, item.splits["test"]) for item in corpora)
    )


@dataclass(frozen=True, slots=True, order=True)
class _Hit:
    """Equal words: `words` of them, at `position` of the passages and at `place` of the test text."""

    position: int
    place: int
    words: int
    whole_sentence: bool


@dataclass
class _Found:
    """What was found of one corpus so far."""

    runs: set[int] = field(default_factory=set)
    sentences: set[int] = field(default_factory=set)
    passages: set[int] = field(default_factory=set)
    examples: dict[tuple[int, int], SharedRun] = field(default_factory=dict)

    def add(self, passage: int, passage_id: str, document: int, hit: _Hit, shared: str) -> None:
        self.passages.add(passage)
        if hit.words >= RUN_WORDS:
            self.runs.add(document)
        if hit.whole_sentence:
            self.sentences.add(document)
        if len(self.examples) < _EXAMPLES and (passage, document) not in self.examples:
            self.examples[passage, document] = SharedRun(passage_id=passage_id, document=document, words=shared)


class TextIndex:
    """The words of all test sets, numbered, in one array; word sequences are found by hash and then compared.

    Args:
        corpora: Corpora whose test split is looked for.
    """

    def __init__(self, corpora: Sequence[Corpus]) -> None:
        self._vocabulary: dict[str, int] = {}
        self._documents: list[tuple[str, int]] = []
        self._sentences: dict[int, int] = {}  # place of the first word -> number of words
        flat: list[int] = []
        owners: list[int] = []
        for corpus in corpora:
            for number, document in enumerate(corpus.splits["test"]):
                for sentence in map(words, sentences(document, corpus.entry)):
                    if len(sentence) >= SENTENCE_WORDS:
                        self._sentences[len(flat)] = len(sentence)
                    flat += [self._vocabulary.setdefault(word, len(self._vocabulary) + 1) for word in sentence]
                flat.append(0)
                owners += [len(self._documents)] * (len(flat) - len(owners))
                self._documents.append((corpus.entry.id, number))
        self._flat, self._owners = np.array(flat, dtype=np.int64), owners
        self._spelling = ["", *self._vocabulary]
        generator = np.random.default_rng(_SEED)
        self._codes = generator.integers(2**64, size=len(self._spelling), dtype=np.uint64)
        self._multipliers = generator.integers(2**63, size=RUN_WORDS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        self._index: dict[int, tuple[_Hashes, Ints, npt.NDArray[np.bool_]]] = {}
        for size, hashes in self._hashes(self._flat):
            known, places = self._sorted(hashes, size)
            if len(known):
                present = np.zeros(1 << max(16, len(known).bit_length() + 4), dtype=np.bool_)
                present[known >> np.uint64(64 - _bits(present))] = True
                self._index[size] = known, places, present

    def places(self, texts: Sequence[Sequence[str]]) -> list[list[tuple[int, int]]]:
        """Where each text holds 13 words in a row, or a whole sentence of five words or more, of a test set.

        Args:
            texts: Words of each text.

        Returns:
            For each text the half-open ranges of such words; of sentences longer than a run, the first 13.
        """
        ids, owners = self.encode(texts)
        starts = np.searchsorted(owners, np.arange(len(texts)))
        found: list[list[tuple[int, int]]] = [[] for _ in texts]
        for hit in self.shared(ids):
            owner = int(owners[hit.position])
            first = hit.position - int(starts[owner])
            found[owner].append((first, first + hit.words))
        return found

    def encode(self, texts: Sequence[Sequence[str]]) -> tuple[Ints, Ints]:
        """Number the words of texts, 0 for words no test set has and after each text; and the text of each."""
        lengths = np.array([len(text) + 1 for text in texts], dtype=np.int64)
        known, end = self._vocabulary.get, ("",)
        flat = chain.from_iterable(part for text in texts for part in (text, end))
        ids = np.fromiter(map(known, flat, repeat(0)), np.int64, int(lengths.sum()))
        return ids, np.repeat(np.arange(len(texts)), lengths)

    def shared(self, ids: Ints) -> Iterator[_Hit]:
        """Runs, and whole sentences shorter or longer than a run, in the order of the passages."""
        hits = []
        for size, hashes in self._hashes(ids):
            if size not in self._index:
                continue
            known, places, present = self._index[size]
            maybe = np.flatnonzero(present[hashes >> np.uint64(64 - _bits(present))])  # few are left to look up
            lows = np.searchsorted(known, hashes[maybe])
            sure = known.take(lows, mode="clip") == hashes[maybe]
            for position, low in zip(maybe[sure].tolist(), lows[sure].tolist(), strict=True):
                high = np.searchsorted(known, hashes[position], "right")
                for place in places[low:high].tolist():
                    if np.array_equal(ids[position : position + size], self._flat[place : place + size]):
                        hits.append(_Hit(position, place, size, self._is_whole(ids, position, place, size)))
        yield from sorted(hits)

    def document_at(self, place: int) -> tuple[str, int]:
        """Corpus and index of the test document at a place."""
        return self._documents[self._owners[place]]

    def spell(self, hit: _Hit) -> str:
        """The words of a hit."""
        return " ".join(self._spelling[number] for number in self._flat[hit.place : hit.place + hit.words])

    def _hashes(self, ids: Ints) -> Iterator[tuple[int, _Hashes]]:
        """Hashes of the sequences of 5, 6, ... 13 words that begin at each position; sums wrap at 64 bits."""
        codes = self._codes[ids]
        hashes = np.zeros(len(ids) + 1, dtype=np.uint64)
        for size in range(1, min(RUN_WORDS, len(ids)) + 1):
            hashes = hashes[:-1] + codes[size - 1 :] * self._multipliers[size - 1]
            if size >= SENTENCE_WORDS:
                yield size, hashes

    def _sorted(self, hashes: _Hashes, size: int) -> tuple[_Hashes, Ints]:
        """Hashes of all runs, or of the sentences of just this size, in order, and their places."""
        if size == RUN_WORDS:
            gaps = np.concatenate([[0], np.cumsum(self._flat == 0)])
            places = np.flatnonzero(gaps[size:] == gaps[:-size])
        else:
            places = np.array([place for place, length in self._sentences.items() if length == size], dtype=np.int64)
        order = np.argsort(hashes[places], kind="stable")
        return hashes[places][order], places[order]

    def _is_whole(self, ids: Ints, position: int, place: int, size: int) -> bool:
        length = self._sentences.get(place, 0)
        return min(length, RUN_WORDS) == size and np.array_equal(
            ids[position : position + length], self._flat[place : place + length]
        )


def _bits(table: npt.NDArray[np.bool_]) -> int:
    """How many upper bits of a hash are its place in a table."""
    return len(table).bit_length() - 1
