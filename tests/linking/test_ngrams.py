"""Names that look alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from zoo.linking.ngrams import Ngrams
from zoo.linking.spelling import plain
from zoo.linking.vectors import Vectors

NAMES = ["breast cancer", "breast carcinoma", "renal cell carcinoma", "asthma", "chronic asthma", "", "β-thalassaemia"]


def test_cosines_are_those_of_scikit_learn() -> None:
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3), preprocessor=plain, sublinear_tf=True)
    matrix = vectorizer.fit_transform(NAMES)
    ngrams = Ngrams.of(NAMES)
    for query in ("breast cancers", "carcinoma of the breast", "asthma"):
        # trigrams of the query that no name has do not count there, and do here
        own = vectorizer.transform([query])
        expected = (matrix @ own.T).toarray().ravel()
        found = dict(ngrams.search(query, 7))
        best = max(found, key=lambda row: found[row])
        assert best == int(np.argmax(expected))
    assert dict(ngrams.search("asthma", 7))[3] == pytest.approx(1.0)


def test_saved_and_mapped(tmp_path: Path) -> None:
    ngrams = Ngrams.of(NAMES)
    ngrams.save(tmp_path)
    again = Ngrams.open(tmp_path, len(NAMES))
    assert again.search("beta thalassemia", 3) == ngrams.search("beta thalassemia", 3)
    assert again.search("beta thalassemia", 3)[0][0] == 6
    assert isinstance(again.names, np.memmap)


def test_nothing_is_like_nothing() -> None:
    assert Ngrams.of([]).search("asthma", 5) == []
    assert Ngrams.of(NAMES).search("", 5) == []
    assert Ngrams.of(NAMES).search("qqqq", 5) == []


def test_nearest_vectors_are_those_of_a_full_search(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(40, 24))
    vectors = (centres[generator.integers(40, size=6000)] + 0.4 * generator.normal(size=(6000, 24))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    Vectors.of(vectors).save(tmp_path)
    index = Vectors.open(tmp_path)
    hits = 0
    for row in range(0, 6000, 300):
        exact = np.argsort(-(vectors @ vectors[row]))[:10]
        found = index.search(vectors[row], 10)
        assert found[0][0] == row
        hits += len(set(exact.tolist()) & {each for each, _ in found})
        cosines = index.cosines(vectors[row], [row, 0])
        np.testing.assert_allclose(cosines, vectors[[row, 0]] @ vectors[row], atol=0.02)
    assert hits >= 0.9 * 200
