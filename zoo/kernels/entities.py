"""Entities of many windows, in bfloat16 where that is certain to give those of float32.

With precision `auto` everything is computed in bfloat16, and again in float32 where that is uncertain: windows that
hold a word whose label may be another one. How far bfloat16 is off is measured on the windows computed both ways; with
the error that is allowed for, one or two windows of a hundred thousand are taken for certain and are not (an estimate,
of `benchmarks/speed/uncertain.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import log
from typing import Literal

import numpy as np
import numpy.typing as npt

from zoo.kernels.infer import MOST_LABELS, Format, Labelled, Packable, label_windows, pack
from zoo.modeling.windows import Entity, Window, decode, words_of

_LEAST_ERROR = 0.05
"""Difference of two logits that bfloat16 may turn round whatever was measured."""
RARE = 1e-3
"""Share of near ties of which the error may be larger than is allowed for; that such a tie is so near is rare again."""
_MANY = 150
"""From so many measured errors on, the rare ones are estimated; with fewer the largest counts, times `_CAUTION`."""
_CAUTION = 1.5
_NEAR = 2.0
"""Errors are measured where the best two labels are no further apart: elsewhere they decide nothing."""
_MOST_UNCERTAIN = 4
"""Uncertain words of a window that are tried in all their combinations; with more it is computed again."""


def decode_packed(
    models: Sequence[Packable],
    names: Sequence[Sequence[str]],
    windows: Sequence[Window],
    *,
    precision: Literal["auto", "bfloat16", "float32"],
    batch_tokens: int,
    progress: Callable[[int], None] | None = None,
) -> list[list[list[Entity]]]:
    """Entities of each window by each model.

    Args:
        models: Models on one base.
        names: Label names by id, per model.
        windows: Windows of any texts.
        precision: `auto`: the entities of float32, scores of either format.
        batch_tokens: Tokens of one batch, unless a single window has more.
        progress: Called with the number of windows done after each batch of the first pass.

    Returns:
        Per model, per window.
    """
    everything = [set(range(len(windows))) for _ in models]

    def label(form: Format, wanted: Sequence[set[int]]) -> list[dict[int, Labelled]]:
        first = form != "float32" or precision == "float32"
        return label_windows(pack(models, form), windows, wanted, batch_tokens, progress if first else None)

    labelled = label("float32" if precision == "float32" else "bfloat16", everything)
    if precision == "auto":
        labelled = _checked(labelled, windows, names, lambda wanted: label("float32", wanted))
    return [
        [decode(window, found[i].ids[:, 0], found[i].scores, own) for i, window in enumerate(windows)]
        for found, own in zip(labelled, names, strict=True)
    ]


def _checked(
    rough: Sequence[dict[int, Labelled]],
    windows: Sequence[Window],
    names: Sequence[Sequence[str]],
    exactly: Callable[[Sequence[set[int]]], list[dict[int, Labelled]]],
) -> list[dict[int, Labelled]]:
    """Labels, the uncertain ones computed exactly, until the rest stands any error that was seen."""
    exact: list[dict[int, Labelled]] = [{} for _ in rough]
    errors: list[list[npt.NDArray[np.float32]]] = [[] for _ in rough]
    allowed = [_LEAST_ERROR] * len(rough)
    while True:
        wanted = [
            {i for i, each in found.items() if i not in done and is_uncertain(windows[i], each, error, own)}
            for found, done, error, own in zip(rough, exact, allowed, names, strict=True)
        ]
        if not any(wanted):
            return [found | done for found, done in zip(rough, exact, strict=True)]
        for number, new in enumerate(exactly(wanted)):
            exact[number] |= new
            errors[number] += [logit_errors(rough[number][i], each) for i, each in new.items()]
            if new:
                allowed[number] = max(allowed[number], likely_error(np.concatenate(errors[number])))


def likely_error(errors: npt.NDArray[np.float32]) -> float:
    """What all errors but rare ones stay under: those above their 95th percentile fall off exponentially."""
    if errors.size < _MANY:
        return _CAUTION * float(errors.max(initial=0.0))
    knee = float(np.quantile(errors, 0.95))
    return knee + float((errors[errors > knee] - knee).mean()) * log(0.05 / RARE)


def logit_errors(rough: Labelled, exact: Labelled) -> npt.NDArray[np.float32]:
    """Errors of the difference of the best two logits, where it is small enough to matter."""
    if rough.ids.shape[1] == 1:
        return np.zeros(0, dtype=np.float32)
    same = rough.ids[:, 0] == exact.ids[:, 0]
    ours, theirs = rough.gaps[:, 1], exact.gaps[:, 1]
    errors = np.abs(np.where(same, ours - theirs, ours + theirs))
    return errors[theirs < _NEAR]


def is_uncertain(window: Window, found: Labelled, error: float, names: Sequence[str]) -> bool:
    """Whether the entities of a window can be others if each difference of two logits is off by up to `error`.

    Decoding takes the label of a word's surest token, so a word is uncertain if that label is, or if another token
    may be the surest. Where few words are, all their combinations are decoded: that a mention's first word may be `I-`
    instead of `B-`, say, changes nothing.
    """
    real = np.flatnonzero(window.real)
    if not real.size:
        return False
    best, near = found.ids[real, 0], found.gaps[real] < error
    differs = window.continues[real] & np.append(False, best[1:] != best[:-1])
    suspicious = differs | (near.sum(1) > 1)
    if not suspicious.any():
        return False
    # log of p / (1 - p), the difference of the best logit to all others together
    sure = np.log(found.scores[real]) - np.log1p(-np.minimum(found.scores[real], 1 - 1e-7))
    options: list[tuple[int, set[int]]] = []
    first, last = words_of(window)
    for word in np.flatnonzero(np.logical_or.reduceat(suspicious, first)):
        begin, end = first[word], last[word]
        surest = begin + int(np.argmax(found.scores[real[begin : end + 1]]))
        rivals = [t for t in range(begin, end + 1) if sure[t] >= sure[surest] - 2 * error]
        if any(near[t].sum() == MOST_LABELS for t in rivals):  # and who knows how many more
            return True
        labels = {int(each) for t in rivals for each in found.ids[real[t]][near[t]]}
        if len({names[label].partition("-")[2] for label in labels}) > 1:  # of other types, or of none
            return True
        if len(labels) > 1:
            options.append((int(real[surest]), labels))
    if len(options) > _MOST_UNCERTAIN:
        return True
    seen = set()
    for combination in product(*(labels for _, labels in options)):
        changed = found.ids[:, 0].copy()
        changed[[token for token, _ in options]] = combination
        seen.add(tuple(entity.key for entity in decode(window, changed, found.scores, names)))
        if len(seen) > 1:
            return True
    return False
