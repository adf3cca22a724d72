"""From passages as they were read to pieces that may be trained on: length, sample, test text."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice, pairwise

from zoo.passages.contamination import TextIndex
from zoo.passages.cutting import cut_text
from zoo.passages.passage import Passage
from zoo.registry.schema import PassageEntry

_BATCH = 1000


def long_enough(passages: Iterable[Passage], min_words: int, tally: Counter[str]) -> Iterator[Passage]:
    """Passages of at least so many words; counts `read` and `too_short`."""
    for passage in passages:
        tally["read"] += 1
        if length_words(passage) < min_words:
            tally["too_short"] += 1
        else:
            yield passage


def sample(passages: Iterator[Passage], entry: PassageEntry, seed: int, tally: Counter[str]) -> Iterator[Passage]:
    """As many as the entry asks for, those with the smallest hashes of ids, in their order; counts `not_sampled`.

    No more of them are in memory.
    """
    if entry.sample is None:
        yield from passages
        return
    heap: list[tuple[int, int, Passage]] = []
    for number, passage in enumerate(passages):
        item = (-int.from_bytes(random_key(seed, entry.id, passage.id), "big"), number, passage)
        if len(heap) < entry.sample:
            heapq.heappush(heap, item)
        else:
            heapq.heappushpop(heap, item)
            tally["not_sampled"] += 1
    yield from (passage for _, _, passage in sorted(heap, key=lambda item: item[1]))


def without_test_text(
    passages: Iterator[Passage], index: TextIndex, min_words: int, max_words: int, tally: Counter[str]
) -> Iterator[Passage]:
    """Pieces of passages that hold no test text, neither alone nor with a piece beside them.

    Counts `cut_pieces` and `test_overlap`.
    """
    while batch := list(islice(passages, _BATCH)):
        cut = [cut_text(passage.text, max_words, min_words) for passage in batch]
        windows = [[f"{a} {b}" for a, b in pairwise(pieces)] or pieces for pieces in cut]
        held = iter(index.held_by([window for group in windows for window in group]))
        for passage, pieces, group in zip(batch, cut, windows, strict=True):
            tally["cut_pieces"] += len(pieces) - 1
            bad = list(islice(held, len(group)))
            for number, text in enumerate(pieces):
                if any(bad[max(number - 1, 0) : number + 1]):
                    tally["test_overlap"] += 1
                elif len(pieces) == 1:
                    yield passage
                else:
                    yield Passage(f"{passage.id}#{number + 1}", text, passage.source, passage.document_id)


def random_key(seed: int, *parts: str) -> bytes:
    """A hash to order by that looks random and is the same everywhere."""
    return hashlib.blake2b("\0".join((str(seed), *parts)).encode(), digest_size=16).digest()


def length_words(passage: Passage) -> int:
    """Number of words, which are what white space separates."""
    return len(passage.text.split())
