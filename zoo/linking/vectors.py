"""Vectors of all names of an ontology on disk, in 8 bits a number, and the nearest of them to a name's.

An inverted file: names lie in order of the nearest of some centroids (k-means), and a search looks into the lists of
the nearest centroids alone. A folder of arrays, mapped into memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zoo.errors import ZooError

_LISTS_LOOKED_INTO = 16
_NAMES_PER_LIST = 512
_TRAINING_NAMES = 20_000
"""Names that centroids are computed from."""


@dataclass(frozen=True)
class Vectors:
    """Vectors of names.

    Attributes:
        codes: `[names, width]` in int8, in order of the lists.
        scales: What a name's codes are multiplied by.
        rows: Row of each name in the index.
        places: Of each row of the index, the place of its vector here; names of one concept may share one.
        centroids: `[lists, width]`.
        starts: `[starts[l], starts[l + 1])` are the names of list `l`.
    """

    codes: npt.NDArray[np.int8]
    scales: npt.NDArray[np.float32]
    rows: npt.NDArray[np.int32]
    places: npt.NDArray[np.int32]
    centroids: npt.NDArray[np.float32]
    starts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, vectors: npt.NDArray[np.float32], share: npt.NDArray[np.int64] | None = None, seed: int = 0) -> Vectors:
        """Index vectors of length 1.

        Args:
            vectors: Some names' vectors.
            share: Of each name of the index, the row of its vector; None: each has its own.
            seed: Of the centroids.
        """
        lists = max(1, len(vectors) // _NAMES_PER_LIST)
        centroids, nearest = np.zeros((1, vectors.shape[1]), np.float32), np.zeros(len(vectors), np.int64)
        if lists > 1:
            from sklearn.cluster import MiniBatchKMeans

            some = np.random.default_rng(seed).permutation(len(vectors))[:_TRAINING_NAMES]
            means = MiniBatchKMeans(lists, random_state=seed, n_init=1, batch_size=4096).fit(vectors[some])
            centroids = means.cluster_centers_.astype(np.float32)
            nearest = means.predict(vectors)
        order = np.argsort(nearest, kind="stable")
        starts = np.searchsorted(nearest[order], np.arange(lists + 1)).astype(np.int64)
        inverse = np.empty(len(order), np.int32)
        inverse[order] = np.arange(len(order), dtype=np.int32)
        share = np.arange(len(vectors)) if share is None else share
        rows = np.unique(share, return_index=True)[1].astype(np.int32)  # the first name with each vector
        scales = (np.abs(vectors).max(axis=1, initial=1e-9) / 127).astype(np.float32)
        codes = np.rint(vectors / scales[:, None]).astype(np.int8)
        return cls(codes[order], scales[order], rows[order], inverse[share], centroids, starts)

    def save(self, folder: Path) -> None:
        """Write the arrays into a folder, for `open`."""
        folder.mkdir(parents=True, exist_ok=True)
        for field in fields(self):
            np.save(folder / f"{field.name}.npy", getattr(self, field.name), allow_pickle=False)

    @classmethod
    def open(cls, folder: Path) -> Vectors:
        """Map what `save` wrote; nothing is read yet.

        Raises:
            ZooError: It is damaged.
        """
        try:
            codes, scales, rows, places, centroids, starts = (
                np.load(folder / f"{field.name}.npy", mmap_mode="r", allow_pickle=False) for field in fields(cls)
            )
        except (OSError, ValueError) as error:
            raise ZooError(f"cannot read the vectors of names: {error}", where=folder, fix="build it again") from None
        return cls(codes, scales, rows, places, centroids, starts)

    def search(self, vector: npt.NDArray[np.float32], most: int) -> list[tuple[int, float]]:
        """The nearest names: their rows in the index with the cosine, best first."""
        if not len(self.rows):
            return []
        best = np.argsort(-(self.centroids @ vector))[:_LISTS_LOOKED_INTO]
        places = np.concatenate([np.arange(self.starts[one], self.starts[one + 1]) for one in best])
        scores = np.concatenate(
            [self.codes[self.starts[one] : self.starts[one + 1]].astype(np.float32) @ vector for one in best]
        )
        scores *= self.scales[places]
        top = np.argpartition(-scores, most)[:most] if len(scores) > most else np.arange(len(scores))
        top = top[np.argsort(-scores[top], kind="stable")]
        return [(int(self.rows[places[one]]), float(scores[one])) for one in top]

    def cosines(self, vector: npt.NDArray[np.float32], rows: Sequence[int]) -> npt.NDArray[np.float32]:
        """Cosine of names, by their rows in the index, with a vector."""
        places = self.places[np.asarray(rows, np.int64)]
        found: npt.NDArray[np.float32] = (self.codes[places].astype(np.float32) @ vector) * self.scales[places]
        return found
