"""From passages as they were read to pieces that may be trained on: length, sample, test text."""

from __future__ import annotations

import hashlib
import heapq
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import accumulate, chain, islice
from pathlib import Path

from zoo.corpora.similarity import words
from zoo.language.cutting import count_words
from zoo.passages.contamination import TextIndex
from zoo.passages.cutting import cut_text
from zoo.passages.passage import Passage
from zoo.passages.stored import PassageWriter, StoredPassages
from zoo.registry.passage_entry import PassageEntry

_BATCH = 1000


def long_enough(passages: Iterable[Passage], min_words: int, tally: Counter[str]) -> Iterator[Passage]:
    """Passages of at least so many words; counts `read` and `too_short`."""
    for passage in passages:
        tally["read"] += 1
        if count_words(passage.text) < min_words:
            tally["too_short"] += 1
        else:
            yield passage


def sample(
    passages: Iterator[Passage], entry: PassageEntry, seed: int, tally: Counter[str], spill: Path
) -> Iterator[Passage]:
    """As many as the entry asks for, those with the smallest hashes of ids, in their order; counts `not_sampled`.

    Candidates are written to the file `spill`, so that no passage is in memory; of N passages k (1 + ln(N / k)) are.
    """
    if entry.sample is None:
        yield from passages
        return
    heap: list[tuple[int, int]] = []  # of passages taken so far: hash, the largest first, and place in the file
    with PassageWriter(spill) as writer:
        for passage in passages:
            key = -int.from_bytes(random_key(seed, entry.id, passage.id), "big")
            if len(heap) == entry.sample:
                tally["not_sampled"] += 1
                if (key, len(writer)) < heap[0]:
                    continue
                heapq.heapreplace(heap, (key, len(writer)))
            else:
                heapq.heappush(heap, (key, len(writer)))
            writer.add(passage)
    stored = StoredPassages(spill)
    yield from (stored[place] for place in sorted(place for _, place in heap))
    spill.unlink()


def without_test_text(
    passages: Iterator[Passage], index: TextIndex, min_words: int, max_words: int, tally: Counter[str]
) -> Iterator[list[tuple[Passage, list[str]]]]:
    """Pieces of passages that hold no test text, neither alone nor with a piece beside them; with their words.

    Counts `cut_pieces` and `test_overlap`. Yields what is left of a thousand passages at a time.
    """
    while batch := list(islice(passages, _BATCH)):
        cut = [cut_text(passage.text, max_words, min_words) for passage in batch]
        spelled = [[words(piece) for piece in pieces] for pieces in cut]
        held = index.places([list(chain.from_iterable(group)) for group in spelled])
        left = []
        for passage, pieces, group, found in zip(batch, cut, spelled, held, strict=True):
            tally["cut_pieces"] += len(pieces) - 1
            bad = _beside(found, [len(piece) for piece in group]) if found else set()
            tally["test_overlap"] += len(bad)
            for number, (text, its_words) in enumerate(zip(pieces, group, strict=True)):
                if number not in bad:
                    piece = passage
                    if len(pieces) > 1:
                        piece = Passage(f"{passage.id}#{number + 1}", text, passage.source, passage.document_id)
                    left.append((piece, its_words))
        yield left


def _beside(found: Iterable[tuple[int, int]], lengths: Iterable[int]) -> set[int]:
    """Pieces that hold a range of words, or stand beside the only piece that does."""
    ends = list(accumulate(lengths))
    bad: set[int] = set()
    for start, stop in found:
        first, last = bisect_right(ends, start), bisect_right(ends, stop - 1)
        bad |= set(range(max(min(first, last - 1), 0), min(max(last, first + 1) + 1, len(ends))))
    return bad


def random_key(seed: int, *parts: str) -> bytes:
    """A hash to order by that looks random and is the same everywhere."""
    return hashlib.blake2b("\0".join((str(seed), *parts)).encode(), digest_size=16).digest()
