"""How alike two texts are: normal form, word shingles, near duplicates by MinHash and exact Jaccard similarity.

Candidates come from banded MinHash (Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, 3rd ed., sections 3.3 and
3.4), through the library datasketch; each is then decided by the exact Jaccard similarity of the shingle sets, so
the method can miss a pair with the tiny probability below, and never invents one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zoo.corpora.document import Document
from zoo.errors import ZooError
from zoo.language import cutting
from zoo.language.writing import flatten
from zoo.registry.schema import CorpusEntry

SHINGLE_WORDS = 3
THRESHOLD = 0.8
SEED = 1
"""Seed of the MinHash permutations."""
MISS_PROBABILITY = 1e-6
"""Most that a pair exactly at the threshold may be missed with; pairs above it are missed less."""
NORMALISATION = (
    "exact: equal when case-folded, with runs of white space as one space; "
    f"near: Jaccard similarity of the sets of {SHINGLE_WORDS}-word shingles (shorter texts: all their words as one "
    "shingle), words being case-folded runs of letters and digits"
)
SENTENCE_WORDS = 5
"""From how many words on a text is a sentence, and no mere heading."""
ROWS = 3
"""Of a band of MinHash."""
Ints = npt.NDArray[np.int64]


def normalise(text: str) -> str:
    """Case-folded, in the one writing of `zoo.language`, runs of white space as one space, none at the ends."""
    return " ".join(flatten(text.casefold()).split())


def words(text: str) -> list[str]:
    """Case-folded runs of letters and digits, so that `TNF - alpha` and `TNF-alpha` agree."""
    return cutting.letter_runs(flatten(text.casefold()))


def sentences(document: Document, entry: CorpusEntry) -> list[str]:
    """The sentences of a document of a corpus: its text where the corpus's unit is the sentence."""
    return [document.text] if entry.unit == "sentence" else cutting.sentences(document.text, entry.language)


@dataclass(frozen=True)
class ShingleSets:
    """The set of shingles of each of N texts, as sorted numbers in one array.

    Attributes:
        values: Shingle numbers of all texts, shape [S]; equal shingles have equal numbers.
        offsets: Text `i` has `values[offsets[i]:offsets[i + 1]]`, shape [N + 1].
    """

    values: Ints
    offsets: Ints

    def __getitem__(self, index: int) -> Ints:
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def jaccard(self, first: int, second: int) -> float:
        """Exact Jaccard similarity of two texts; 0 where one has no word."""
        a, b = self[first], self[second]
        shared = len(np.intersect1d(a, b, assume_unique=True))
        return shared / (len(a) + len(b) - shared) if shared else 0.0


def shingle_sets(texts: Sequence[Sequence[str]], size: int = SHINGLE_WORDS) -> ShingleSets:
    """Number the shingles of texts.

    Args:
        texts: Words of each text.
        size: Words of a shingle; a text of fewer words has one shingle, all of it; one of none has no shingle.
    """
    vocabulary: dict[str, int] = {}
    flat = np.fromiter(
        (vocabulary.setdefault(word, len(vocabulary)) for text in texts for word in padded(text, size)), np.int64
    )
    lengths = np.array([max(len(text), size) if len(text) else 0 for text in texts], dtype=np.int64)
    owners = np.repeat(np.arange(len(texts)), lengths)
    count = max(len(flat) - size + 1, 0)
    inside = owners[:count] == owners[len(flat) - count :] if count else np.zeros(0, dtype=np.bool_)
    # words are joined one at a time and renumbered, so the product of two numbers stays within 64 bits
    numbers = flat[:count][inside]
    for shift in range(1, size):
        joined = numbers * len(vocabulary) + flat[shift : shift + count][inside]
        numbers = np.unique(joined, return_inverse=True)[1].astype(np.int64)
    base = int(numbers.max(initial=0)) + 1
    sets = np.unique(owners[:count][inside] * base + numbers)
    offsets = np.searchsorted(sets, np.arange(len(texts) + 1, dtype=np.int64) * base)
    return ShingleSets(sets % base, offsets.astype(np.int64))


def bands(threshold: float) -> int:
    """Number of MinHash bands of three rows that miss a pair at the threshold with at most `MISS_PROBABILITY`.

    A pair of similarity s agrees in a band of r rows with probability s^r, so b bands miss it with (1 - s^r)^b.

    Raises:
        ZooError: The threshold is not in [0.5, 1].
    """
    if not 0.5 <= threshold <= 1:
        raise ZooError(f"the threshold {threshold} is not a similarity from 0.5 to 1", fix="0.8 is usual")
    if threshold == 1:
        return 2
    return max(2, math.ceil(math.log(MISS_PROBABILITY) / math.log1p(-(threshold**ROWS))))


def near_duplicates(
    texts: Sequence[Sequence[str]], reference: Collection[int], compared: Collection[int], threshold: float = THRESHOLD
) -> dict[int, dict[int, float]]:
    """Find pairs of texts, one of each group, whose shingle sets have at least this Jaccard similarity.

    Args:
        texts: Words of each text; give each text once.
        reference: Indices of one group.
        compared: Indices of the other, which may overlap; a text is never paired with itself. It is kept in memory.
        threshold: Least similarity, from 0.5 to 1.

    Returns:
        Index of `compared` -> index of `reference` -> similarity, for those that have any.

    Raises:
        ZooError: The threshold is not in [0.5, 1].
    """
    from datasketch import MinHash, MinHashLSH

    number_of_bands = bands(threshold)
    settings = {"num_perm": number_of_bands * ROWS, "seed": SEED, "hashfunc": int}
    sets = shingle_sets(texts)
    sizes = np.diff(sets.offsets)
    index = MinHashLSH(num_perm=number_of_bands * ROWS, params=(number_of_bands, ROWS))
    kept = [item for item in sorted(set(compared)) if sizes[item]]
    for item, sketch in zip(kept, MinHash.generator((sets[i].tolist() for i in kept), **settings), strict=True):
        index.insert(item, sketch, check_duplication=False)
    found: dict[int, dict[int, float]] = {}
    asked = [item for item in sorted(set(reference)) if sizes[item]]
    for item, sketch in zip(asked, MinHash.generator((sets[i].tolist() for i in asked), **settings), strict=True):
        for other in index.query(sketch):
            # the sizes alone bound the similarity
            low, high = sorted((sizes[item], sizes[other]))
            if other != item and low >= threshold * high and (value := sets.jaccard(item, other)) >= threshold:
                found.setdefault(other, {})[item] = value
    return found


def padded(text: Sequence[str], size: int) -> Sequence[str]:
    """Fill a short text up to one shingle; no word is empty, so the filling is none."""
    return text if len(text) >= size or not text else [*text, *[""] * (size - len(text))]
