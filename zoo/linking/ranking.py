"""Evidence weighed: the probability that a name means a concept, or none of those found.

A conditional logit (McFadden 1974): the utility of a candidate is linear in its features, that of "none of them" a
constant, and probabilities are their softmax. Fitted on mentions with gold concepts, they are calibrated by that.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydantic import Field

from zoo.linking.candidates import FEATURES, Evidence
from zoo.records import Record

_PENALTY = 1e-4
"""Of the squared weights, against the mean log-likelihood of a mention."""


class Ranking(Record):
    """Weights of the features, and from which probability on a mention is linked."""

    weights: dict[str, float] = Field(description="by feature; what is missing weighs nothing")
    none: float = Field(description="utility of no concept")
    threshold: float = Field(
        default=0.0, ge=0, le=1, description="lowest probability of a link; below it there is none"
    )

    def probabilities(self, candidates: Sequence[Evidence]) -> list[float]:
        """Of each candidate; what is left to 1 is that of none."""
        if not candidates:
            return []
        weights = np.array([self.weights.get(name, 0.0) for name in FEATURES])
        utilities = np.array([evidence.features() for evidence in candidates]) @ weights
        top = max(utilities.max(), self.none)
        terms = np.exp(utilities - top)
        return [float(p) for p in terms / (terms.sum() + np.exp(self.none - top))]


def fit_ranking(examples: Sequence[tuple[Sequence[Evidence], Sequence[bool]]], *, penalty: float = _PENALTY) -> Ranking:
    """Fit the weights.

    Args:
        examples: Of each mention, its candidates and which of them are right; none is right where the mention has no
            concept, or one that was not found.
        penalty: L2 penalty, against the mean log-likelihood of a mention.
    """
    from scipy.optimize import minimize

    rows, groups, right, none_is_right = [], [], [], []
    for number, (candidates, gold) in enumerate(examples):
        none_is_right.append(not any(gold))
        for evidence, is_right in zip(candidates, gold, strict=True):
            rows.append(evidence.features())
            groups.append(number)
            right.append(is_right)
    features = np.array(rows, float).reshape(-1, len(FEATURES))
    group, is_gold, none_gold = np.array(groups, int), np.array(right, bool), np.array(none_is_right, bool)
    count = len(examples)

    def loss(parameters: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        weights, none = parameters[:-1], parameters[-1]
        utilities = features @ weights
        top = np.full(count, none)
        np.maximum.at(top, group, utilities)
        terms, none_terms = np.exp(utilities - top[group]), np.exp(none - top)
        every = np.bincount(group, terms, count) + none_terms
        gold = np.bincount(group, terms * is_gold, count) + none_terms * none_gold
        share = terms / every[group]
        gold_share = np.where(is_gold, terms / np.maximum(gold, 1e-300)[group], 0.0)
        slope = features.T @ (share - gold_share)
        none_slope = (none_terms / every - np.where(none_gold, none_terms / np.maximum(gold, 1e-300), 0.0)).sum()
        value = float(np.log(every).sum() - np.log(np.maximum(gold, 1e-300)).sum()) / count
        gradient = np.append(slope, none_slope) / count + 2 * penalty * parameters
        return value + penalty * float(parameters @ parameters), gradient

    found = minimize(loss, np.zeros(len(FEATURES) + 1), jac=True, method="L-BFGS-B")
    weights = dict(zip(FEATURES, (round(float(w), 4) for w in found.x[:-1]), strict=True))
    return Ranking(weights=weights, none=round(float(found.x[-1]), 4))


LEXICAL = Ranking(
    weights={"exact": 6.0, "preferred": 1.0, "alike": 4.0, "ngrams": 8.0, "covered": 1.0, "covering": 1.0},
    none=7.0,
)
"""For linkers without training."""
