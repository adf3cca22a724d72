"""Texts that nearly repeat an earlier one, among hundreds of thousands: MinHash sketches of many texts at a time.

As in `similarity`, agreeing bands name candidates and the exact Jaccard similarity decides. Permutations are computed
for the shingles of thousands of texts at once, in a few operators; datasketch takes one text at a time, which is most
of the time of passages as short as these.
"""

from __future__ import annotations

import functools
import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt

from zoo.corpora.similarity import ROWS, SEED, SHINGLE_WORDS, THRESHOLD, bands, padded, words

_BATCH = 1000
_Hashes = npt.NDArray[np.uint64]


def repeated_texts(texts: Sequence[str], threshold: float = THRESHOLD) -> dict[int, int]:
    """Find the texts that nearly repeat an earlier one; a text that does so is itself no text to be repeated.

    Args:
        texts: The texts; those without a word repeat none.
        threshold: Least Jaccard similarity of the shingle sets, from 0.5 to 1.

    Returns:
        Index of a text -> index of the first earlier text that stays and that it repeats.

    Raises:
        ZooError: The threshold is not in [0.5, 1].
    """
    sketches = Sketches(threshold)
    for start in range(0, len(texts), _BATCH):
        sketches.add([words(text) for text in texts[start : start + _BATCH]])
    return sketches.repeated(lambda item: words(texts[item]))


class Sketches:
    """MinHash sketches of texts, 8 bytes per band and text; the texts themselves are asked for where two collide.

    Unlike `near_duplicates` this compares with texts that stay alone, so that thousands of copies of one are no burden.

    Args:
        threshold: Least Jaccard similarity of the shingle sets, from 0.5 to 1.

    Raises:
        ZooError: The threshold is not in [0.5, 1].
    """

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self._threshold, self._bands = threshold, bands(threshold)
        self._blocks: list[_Hashes] = []
        generator = np.random.default_rng(SEED)
        self._shingle = generator.integers(2**64, size=SHINGLE_WORDS, dtype=np.uint64)
        rows = self._bands * ROWS
        self._factors = generator.integers(2**31, size=rows, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
        self._summands = generator.integers(2**32, size=rows, dtype=np.uint32)
        self._mix = generator.integers(2**64, size=ROWS, dtype=np.uint64)

    def add(self, texts: Sequence[Sequence[str]]) -> None:
        """Sketch the next texts, given as their words."""
        if not texts:
            return
        filled = [padded(text, SHINGLE_WORDS) or [""] * SHINGLE_WORDS for text in texts]
        numbers: defaultdict[str, int] = defaultdict()
        numbers.default_factory = numbers.__len__
        lengths = np.array([len(text) for text in filled])
        flat = np.fromiter(map(numbers.__getitem__, chain.from_iterable(filled)), np.int64, int(lengths.sum()))
        codes = np.fromiter((zlib.crc32(word.encode()) for word in numbers), np.uint64, len(numbers))[flat]
        count = len(flat) - SHINGLE_WORDS + 1
        shingles = np.zeros(count, dtype=np.uint64)  # multilinear hashing: the upper half of the sum is what is random
        for shift, factor in enumerate(self._shingle):
            shingles += codes[shift : shift + count] * factor
        owners = np.repeat(np.arange(len(filled)), lengths)
        inside = owners[:count] == owners[SHINGLE_WORDS - 1 :]
        values = (shingles[inside] >> np.uint64(32)).astype(np.uint32)
        starts = np.concatenate([[0], np.cumsum(lengths - (SHINGLE_WORDS - 1))[:-1]])
        block = np.zeros((len(filled), self._bands), dtype=np.uint64)
        for row, (factor, summand) in enumerate(zip(self._factors, self._summands, strict=True)):
            minima = np.minimum.reduceat(values * factor + summand, starts)
            block[:, row // ROWS] += (minima + np.uint64(1)) * self._mix[row % ROWS]
        self._blocks.append(block)

    def repeated(self, words_of: Callable[[int], Sequence[str]]) -> dict[int, int]:
        """What `repeated_texts` returns; `words_of` gives the words of a text by its number, in the order of adding."""

        @functools.lru_cache(maxsize=1024)
        def shingles(item: int) -> frozenset[tuple[str, ...]]:
            text = padded(words_of(item), SHINGLE_WORDS)
            return frozenset(zip(*(text[shift:] for shift in range(SHINGLE_WORDS)), strict=False))

        def jaccard(first: int, second: int) -> float:
            shared = len(shingles(first) & shingles(second))
            return shared / (len(shingles(first)) + len(shingles(second)) - shared) if shared else 0.0

        found: dict[int, int] = {}
        stays: dict[tuple[int, int], list[int]] = {}
        for item, buckets in sorted(self._shared_buckets().items()):
            earlier = sorted({other for bucket in buckets for other in stays.get(bucket, ())})
            original = next((other for other in earlier if jaccard(other, item) >= self._threshold), None)
            if original is not None:
                found[item] = original
                continue
            for bucket in buckets:
                stays.setdefault(bucket, []).append(item)
        return found

    def _shared_buckets(self) -> dict[int, list[tuple[int, int]]]:
        """Of each text that agrees with another in a band: those bands, and a number of what stands there."""
        found: dict[int, list[tuple[int, int]]] = {}
        for band in range(self._bands if self._blocks else 0):
            column = np.concatenate([block[:, band] for block in self._blocks])
            _, values, counts = np.unique(column, return_inverse=True, return_counts=True)
            for item in np.flatnonzero(counts[values] > 1).tolist():
                found.setdefault(item, []).append((band, int(values[item])))
        return found
