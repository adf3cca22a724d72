"""Evidence weighed: the probability that a name means a concept, or none of those found.

A conditional logit (McFadden 1974): each candidate has a utility, "none of them" a constant one, and probabilities are
their softmax. Fitted on mentions with gold concepts, they are calibrated by that. Utilities are linear in the features,
and where they were trained also in some hidden units.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydantic import Field

from zoo.linking.candidates import FEATURES, Evidence
from zoo.records import Record

_HIDDEN = 32
_LINEAR_PENALTY, _HIDDEN_PENALTY = 1e-4, 1e-4
"""Of the squared weights, against the mean log-likelihood of a mention."""
_STEPS, _LEARNING_RATE = 400, 0.02


class Ranking(Record):
    """Weights of the features, and from which probability on a mention is linked."""

    weights: dict[str, float] = Field(description="by feature; what is missing weighs nothing")
    none: float = Field(description="utility of no concept")
    hidden: tuple[tuple[float, ...], ...] = Field(
        default=(), description="of each hidden unit its bias, then its weights in the order of `features`"
    )
    output: tuple[float, ...] = Field(default=(), description="weight of each hidden unit (tanh)")
    features: tuple[str, ...] = Field(default=FEATURES, description="order of the weights of hidden units")
    threshold: float = Field(default=0.0, ge=0, le=1, description="lowest probability of a link")

    def probabilities(self, candidates: Sequence[Evidence]) -> list[float]:
        """Of each candidate; what is left to 1 is that of none."""
        if not candidates:
            return []
        values = np.array([evidence.features() for evidence in candidates])
        utilities = values @ np.array([self.weights.get(name, 0.0) for name in FEATURES])
        if self.hidden:
            hidden = np.array(self.hidden)
            order = [FEATURES.index(name) for name in self.features]
            utilities += np.tanh(values[:, order] @ hidden[:, 1:].T + hidden[:, 0]) @ np.array(self.output)
        top = max(utilities.max(), self.none)
        terms = np.exp(utilities - top)
        return [float(p) for p in terms / (terms.sum() + np.exp(self.none - top))]


def fit_ranking(
    examples: Sequence[tuple[Sequence[Evidence], Sequence[bool]]], *, hidden: int = _HIDDEN, seed: int = 0
) -> Ranking:
    """Fit the weights by Adam on all mentions at once.

    Args:
        examples: Of each mention, its candidates and which of them are right; none is right where the mention has no
            concept, or one that was not found.
        hidden: Number of hidden units.
        seed: Of their first weights.
    """
    import torch

    features, mention, right = _arrays(examples)
    values, owner, gold = torch.from_numpy(features), torch.from_numpy(mention), torch.from_numpy(right)
    none_gold = torch.tensor([not any(each) for _, each in examples])
    generator = torch.Generator().manual_seed(seed)
    linear = torch.zeros(len(FEATURES), requires_grad=True)
    inner = (torch.randn(hidden, len(FEATURES), generator=generator) / len(FEATURES) ** 0.5).requires_grad_()
    bias, none = torch.zeros(hidden, requires_grad=True), torch.zeros(1, requires_grad=True)
    output = (0.1 * torch.randn(hidden, generator=generator)).requires_grad_()
    optimizer = torch.optim.Adam([linear, inner, bias, output, none], lr=_LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, _STEPS)
    for _ in range(_STEPS):
        utilities = values @ linear + torch.tanh(values @ inner.T + bias) @ output
        terms, of_none = utilities.clamp(max=60).exp(), none.exp()
        every = torch.zeros(len(examples)).index_add(0, owner, terms) + of_none
        correct = torch.zeros(len(examples)).index_add(0, owner, terms * gold) + of_none * none_gold
        penalty = _LINEAR_PENALTY * linear.square().sum()
        penalty = penalty + _HIDDEN_PENALTY * (inner.square().sum() + output.square().sum())
        loss = (every.log() - correct.log()).mean() + penalty
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    units = torch.cat([bias[:, None], inner], 1).detach()
    return Ranking(
        weights=dict(zip(FEATURES, _rounded(linear.detach().numpy()), strict=True)),
        none=_rounded(none.detach().numpy())[0],
        hidden=tuple(_rounded(unit) for unit in units.numpy()),
        output=_rounded(output.detach().numpy()),
    )


def _arrays(
    examples: Sequence[tuple[Sequence[Evidence], Sequence[bool]]],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Of all candidates, one after another: features, number of the mention, whether it is right."""
    rows = [evidence.features() for candidates, _ in examples for evidence in candidates]
    owner = np.repeat(np.arange(len(examples)), [len(candidates) for candidates, _ in examples])
    right = [is_right for _, gold in examples for is_right in gold]
    return np.array(rows, np.float32).reshape(-1, len(FEATURES)), owner.astype(np.int64), np.array(right, bool)


def _rounded(values: npt.NDArray[np.float32]) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)


LEXICAL = Ranking(
    weights={"exact": 6.0, "preferred": 1.0, "alike": 4.0, "ngrams": 8.0, "covered": 1.0, "covering": 1.0},
    none=7.0,
    threshold=0.15,
)
"""For linkers without training, set by hand; `benchmarks/linking/defaults.py` says how, and whence the threshold."""
