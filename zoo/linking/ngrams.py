"""Names that look alike: cosine of TF-IDF vectors of character trigrams, over an inverted index that may lie on disk.

Trigrams are hashed, so that there is no vocabulary to load. Those of more than a twentieth of the names tell little and
cost most: they count in the length of a vector, but have no postings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zoo.linking.spelling import plain

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import HashingVectorizer

_GRAMS = 1 << 18
_MOST_FREQUENT, _ALWAYS = 0.05, 1_000
"""Share of the names above which a trigram has no postings; in so many names or fewer it always has."""
_BATCH = 100_000
_FILES = ("starts", "names", "weights", "idf")


@dataclass(frozen=True)
class Ngrams:
    """Trigrams of names.

    Attributes:
        starts: `[starts[g], starts[g + 1])` are the postings of trigram `g`.
        names: Of each posting, the row of its name.
        weights: Of each posting, the trigram's share of the name's vector of length 1.
        idf: Inverse document frequency of each trigram.
        size: Number of names.
    """

    starts: npt.NDArray[np.int64]
    names: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    idf: npt.NDArray[np.float32]
    size: int

    @classmethod
    def of(cls, names: Sequence[str]) -> Ngrams:
        """Index names by their place."""
        from scipy import sparse

        parts = [_vectorizer().transform(names[at : at + _BATCH]) for at in range(0, len(names), _BATCH)]
        counts: Any = sparse.vstack(parts, format="csr") if parts else sparse.csr_matrix((0, _GRAMS), dtype=np.float32)
        counts.data = 1 + np.log(counts.data)
        frequency = np.bincount(counts.indices, minlength=_GRAMS)
        idf = (np.log((1 + len(names)) / (1 + frequency)) + 1).astype(np.float32)
        counts.data *= idf[counts.indices]
        rows = np.repeat(np.arange(len(names)), np.diff(counts.indptr))
        length = np.sqrt(np.bincount(rows, counts.data**2, minlength=len(names)))
        counts.data /= length[rows]
        kept = frequency[counts.indices] <= max(_ALWAYS, _MOST_FREQUENT * len(names))
        postings = sparse.csc_matrix((counts.data[kept], (rows[kept], counts.indices[kept])), shape=counts.shape)
        starts, indices = postings.indptr.astype(np.int64), postings.indices.astype(np.int32)
        return cls(starts, indices, postings.data.astype(np.float32), idf, len(names))

    def save(self, folder: Path) -> None:
        """Write the arrays, for `open`."""
        for name in _FILES:
            np.save(folder / f"ngrams.{name}.npy", getattr(self, name), allow_pickle=False)

    @classmethod
    def open(cls, folder: Path, size: int) -> Ngrams:
        """Map what `save` wrote; nothing is read yet.

        Raises:
            OSError, ValueError: A file is missing or damaged.
        """
        starts, names, weights, idf = (
            np.load(folder / f"ngrams.{name}.npy", mmap_mode="r", allow_pickle=False) for name in _FILES
        )
        return cls(starts, names, weights, idf, size)

    def search(self, name: str, most: int) -> list[tuple[int, float]]:
        """The names most like one: their rows with the cosine, best first."""
        vector: Any = _vectorizer().transform([name])
        if not vector.nnz or not self.size:
            return []
        weights = (1 + np.log(vector.data)) * self.idf[vector.indices]
        weights /= np.sqrt((weights**2).sum())
        scores = np.zeros(self.size, np.float32)
        for gram, weight in zip(vector.indices, weights, strict=True):
            span = slice(self.starts[gram], self.starts[gram + 1])
            scores[self.names[span]] += self.weights[span] * weight
        best = np.flatnonzero(scores >= max(scores.max() / 3, 1e-6))
        if len(best) > most:
            best = best[np.argpartition(-scores[best], most)[:most]]
        ordered = best[np.lexsort((best, -scores[best]))]
        return [(int(row), float(scores[row])) for row in ordered]


@cache
def _vectorizer() -> HashingVectorizer:
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(
        analyzer="char_wb",
        ngram_range=(3, 3),
        preprocessor=plain,
        n_features=_GRAMS,
        norm=None,
        alternate_sign=False,
        dtype=np.float32,
    )
