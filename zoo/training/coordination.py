"""What an adapter's splitter knows of discontinuous mentions, learned from the training documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.corpora.document import Document, fragments_of
from zoo.tagging.coordination import (
    LIKELY,
    LONGEST,
    MOST_CHARACTERS,
    Splitter,
    SplitterScore,
    TypeSplitter,
    candidates,
    name_words,
    tree_of,
    words_of,
)

_FOLDS = 5
_FEWEST = 20
"""Discontinuous mentions of a type in training, below which its folds would say nothing: a rule of thumb."""
_CERTAIN = 0.05
"""Least often that as many right ones would come up if right and wrong ones were equally likely (sign test)."""
_STRENGTH = 3.0
"""Inverse of the penalty on squared weights; on CRAFT's training documents, cross-validated, 1 to 10 differ little."""


def learn_splitter(documents: Sequence[Document], types: Sequence[str]) -> tuple[Splitter, dict[str, SplitterScore]]:
    """Learn how discontinuous mentions are found, of each type for which it pays.

    A fifth of the documents in turn is searched with the names of the others; on these candidates the regression is
    fitted, and judged by cross-validation over the same fifths. Names of the splitter are those of all documents.

    Args:
        documents: Training documents with gold mentions.
        types: Entity types of the corpus.

    Returns:
        The splitter, and of each type that has enough discontinuous mentions how they are found.
    """
    learned: dict[str, TypeSplitter] = {}
    scores: dict[str, SplitterScore] = {}
    for name in types:
        mentions = sum(len({s.key for s in d.spans if s.fragments and s.type == name}) for d in documents)
        if mentions >= _FEWEST:
            scores[name], own = _learn(documents, name, mentions)
            if own:
                learned[name] = own
    return Splitter(types=learned), scores


def _learn(documents: Sequence[Document], name: str, mentions: int) -> tuple[SplitterScore, TypeSplitter | None]:
    from scipy.stats import binomtest
    from sklearn.model_selection import PredefinedSplit, cross_val_predict

    names = [_names(document, name) for document in documents]
    rows: list[dict[str, int]] = []
    right: list[bool] = []
    folds: list[int] = []
    for fold in range(_FOLDS):
        others = {each for number, own in enumerate(names) if number % _FOLDS != fold for each in own}
        tree = tree_of(others)
        for document in documents[fold::_FOLDS]:
            gold = {span.fragments for span in document.spans if span.fragments and span.type == name}
            pieces = [(span.start, span.end) for span in document.spans if not span.fragments and span.type == name]
            for candidate in candidates(words_of(document.text), pieces, tree):
                rows.append(dict.fromkeys(candidate.features, 1))
                right.append(candidate.fragments in gold)
                folds.append(fold)
    hit = np.array(right, dtype=np.bool_)
    places = np.array(folds, dtype=np.int64)
    if any(len(np.unique(places[which])) < 2 for which in (hit, ~hit)):  # four folds would have one class alone
        return SplitterScore(mentions=mentions, right=0, wrong=0, kept=False), None
    chances = cross_val_predict(_regression(), rows, hit, cv=PredefinedSplit(folds), method="predict_proba")[:, 1]
    found, wrong = (int((chances[which] >= LIKELY).sum()) for which in (hit, ~hit))
    kept = found > 0 and binomtest(found, found + wrong, alternative="greater").pvalue <= _CERTAIN
    score = SplitterScore(mentions=mentions, right=found, wrong=wrong, kept=bool(kept))
    if not kept:
        return score, None
    fitted = _regression().fit(rows, hit)
    features, model = fitted[0].feature_names_, fitted[1]
    weights = {feature: round(float(w), 3) for feature, w in zip(features, model.coef_[0], strict=True)}
    known = sorted({" ".join(words) for own in names for words in own})
    bias = round(float(model.intercept_[0]), 3)
    return score, TypeSplitter(names=tuple(known), weights={f: w for f, w in weights.items() if w}, bias=bias)


def _names(document: Document, name: str) -> set[tuple[str, ...]]:
    """Names of a type in a document that can be in two pieces."""
    words = {name_words(document.text, fragments_of(span.key)) for span in document.spans if span.type == name}
    return {each for each in words if 1 < len(each) <= 2 * LONGEST and len(" ".join(each)) <= MOST_CHARACTERS}


def _regression() -> Any:  # noqa: ANN401 - a Pipeline of scikit-learn, which has no types
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(DictVectorizer(), LogisticRegression(C=_STRENGTH, max_iter=3000))
