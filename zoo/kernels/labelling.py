"""Entities of many windows by packed encoders: batches over threads, adapters of one base together.

With precision `auto` everything is computed in bfloat16, and again in float32 what bfloat16 leaves open: windows that
hold a word whose label may be another one. How far bfloat16 is off is measured on the windows computed both ways; with
what is allowed for, one or two windows of a hundred thousand are left as they are and should not be (an estimate, of
`benchmarks/speed/doubt.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from math import log
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from zoo.kernels.packed import Format, PackedEncoder, Run, pack, rows_of, select, table
from zoo.modeling.windows import Entity, Window, decode, words_of

if TYPE_CHECKING:
    from zoo.tagging.tagger import Tagger

_THREADS = 8
"""At most so many batches at a time: more would wait for Python between kernels; further cores help within kernels."""
_LEAST_DOUBT = 0.05
"""Difference of two logits that bfloat16 may turn round whatever was measured."""
_RARE = 1e-3
"""Share of near ties of which the error may be larger than is allowed for; that such a tie is so near is rare again."""
_MANY = 150
"""From so many measured errors on, the rare ones are estimated; with fewer the largest counts, times `_CAUTION`."""
_CAUTION = 1.5
_NEAR = 2.0
"""Errors are measured where the best two labels are no further apart: elsewhere they decide nothing."""
_MOST_LABELS = 4
"""Labels of a token that are kept; where that many are within reach of the best, its window is computed again."""
_MOST_DOUBTS = 4
"""Open words of a window that are tried in all their combinations; with more it is computed again."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A window's labels.

    Attributes:
        ids: Labels of each token, the best first, shape [T, K], K at most 4.
        gaps: Logit of the best minus that of each, shape [T, K].
        scores: Softmax probability of the best, shape [T].
    """

    ids: npt.NDArray[np.int64]
    gaps: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]


def decode_packed(
    taggers: Sequence[Tagger],
    windows: Sequence[Window],
    *,
    precision: Literal["auto", "bfloat16", "float32"],
    batch_tokens: int,
    progress: Callable[[int], None] | None = None,
) -> list[list[list[Entity]]]:
    """Entities of each window by each model.

    Args:
        taggers: Models that `can_pack` takes; adapters of one base share the layers below the first that one touches.
        windows: Windows of any texts.
        precision: `auto`: the entities of float32, scores of either format.
        batch_tokens: Tokens of one batch, unless a single window has more.
        progress: Called with the number of windows done after each batch of the first pass.

    Returns:
        Per model, per window.
    """
    models = [(tagger.model, tagger.adapter) for tagger in taggers]
    names = [tagger.labels for tagger in taggers]
    everything = [set(range(len(windows))) for _ in taggers]

    def label(form: Format, wanted: Sequence[set[int]]) -> list[dict[int, Labelled]]:
        first = form != "float32" or precision == "float32"
        return _label(pack(models, form), windows, wanted, batch_tokens, progress if first else None)

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
    """Labels of which the open ones are computed exactly, until what is left is surer than any error that was seen."""
    exact: list[dict[int, Labelled]] = [{} for _ in rough]
    errors: list[list[npt.NDArray[np.float32]]] = [[] for _ in rough]
    doubts = [_LEAST_DOUBT] * len(rough)
    while True:
        wanted = [
            {i for i, each in found.items() if i not in done and _is_open(windows[i], each, doubt, own)}
            for found, done, doubt, own in zip(rough, exact, doubts, names, strict=True)
        ]
        if not any(wanted):
            return [found | done for found, done in zip(rough, exact, strict=True)]
        for number, new in enumerate(exactly(wanted)):
            exact[number] |= new
            errors[number] += [_errors(rough[number][i], each) for i, each in new.items()]
            if new:
                doubts[number] = max(doubts[number], _likely_doubt(np.concatenate(errors[number])))


def _likely_doubt(errors: npt.NDArray[np.float32]) -> float:
    """What all errors but rare ones stay under: those above their 95th percentile fall off exponentially."""
    if errors.size < _MANY:
        return _CAUTION * float(errors.max(initial=0.0))
    knee = float(np.quantile(errors, 0.95))
    return knee + float((errors[errors > knee] - knee).mean()) * log(0.05 / _RARE)


def _errors(rough: Labelled, exact: Labelled) -> npt.NDArray[np.float32]:
    """Errors of the difference of the best two logits, where it is small enough to matter."""
    if rough.ids.shape[1] == 1:
        return np.zeros(0, dtype=np.float32)
    same = rough.ids[:, 0] == exact.ids[:, 0]
    ours, theirs = rough.gaps[:, 1], exact.gaps[:, 1]
    errors = np.abs(np.where(same, ours - theirs, ours + theirs))
    return errors[theirs < _NEAR]


def _is_open(window: Window, found: Labelled, doubt: float, names: Sequence[str]) -> bool:
    """Whether the entities of a window can be others if each difference of two logits is off by up to `doubt`.

    Decoding takes the label of a word's surest token, so a word is open if that label is, or if another token may be
    the surest. Where few words are open, all their combinations are decoded: that a mention's first word may be `I-`
    instead of `B-`, say, changes nothing.
    """
    real = np.flatnonzero(window.real)
    if not real.size:
        return False
    best, near = found.ids[real, 0], found.gaps[real] < doubt
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
        rivals = [t for t in range(begin, end + 1) if sure[t] >= sure[surest] - 2 * doubt]
        if any(near[t].sum() == _MOST_LABELS for t in rivals):  # and who knows how many more
            return True
        labels = {int(each) for t in rivals for each in found.ids[real[t]][near[t]]}
        if len({names[label].partition("-")[2] for label in labels}) > 1:  # of other types, or of none
            return True
        if len(labels) > 1:
            options.append((int(real[surest]), labels))
    if len(options) > _MOST_DOUBTS:
        return True
    seen = set()
    for combination in product(*(labels for _, labels in options)):
        changed = found.ids[:, 0].copy()
        changed[[token for token, _ in options]] = combination
        seen.add(tuple(entity.key for entity in decode(window, changed, found.scores, names)))
        if len(seen) > 1:
            return True
    return False


def _label(
    encoders: Sequence[PackedEncoder],
    windows: Sequence[Window],
    wanted: Sequence[set[int]],
    batch_tokens: int,
    progress: Callable[[int], None] | None,
) -> list[dict[int, Labelled]]:
    """Labels of the wanted windows of each encoder; layers that all share run once for all."""
    shared = 0
    for layers in zip(*(encoder.layers for encoder in encoders), strict=True):
        if len(encoders) == 1 or any(layer is not layers[0] for layer in layers):
            break
        shared += 1

    def run(batch: Sequence[int]) -> list[dict[int, Labelled]]:
        with torch.inference_mode():
            hidden, runs = table(encoders[0], [windows[i] for i in batch])
            for layer in encoders[0].layers[:shared]:
                hidden = layer(hidden, runs)
            found = []
            for encoder, own in zip(encoders, wanted, strict=True):
                kept = [i in own for i in batch]
                chosen = [i for i in batch if i in own]
                found.append(_one(encoder, *select(hidden, runs, kept), chosen, windows, shared) if chosen else {})
            return found

    batches = _batches(windows, sorted(set().union(*wanted)), batch_tokens)
    labelled: list[dict[int, Labelled]] = [{} for _ in encoders]
    with _workers() as workers:
        futures = {workers.submit(run, batch): len(batch) for batch in batches}
        for future in as_completed(futures):
            for all_found, found in zip(labelled, future.result(), strict=True):
                all_found |= found
            if progress:
                progress(futures[future])
    return labelled


def _one(
    encoder: PackedEncoder,
    hidden: torch.Tensor,
    runs: Sequence[Run],
    indices: Sequence[int],
    windows: Sequence[Window],
    done: int,
) -> dict[int, Labelled]:
    """Labels by one encoder, from the hidden states before its layer `done`."""
    for layer in encoder.layers[done:]:
        hidden = layer(hidden, runs)
    logits = encoder.logits(hidden)
    best = logits.topk(min(_MOST_LABELS, logits.shape[1]), dim=-1)
    scores = (best.values[:, 0] - logits.logsumexp(-1)).exp_().numpy()
    gaps, ids = (best.values[:, :1] - best.values).numpy(), encoder.label_ids[best.indices].numpy()
    starts = [run.start + i * run.length for run in runs for i in range(run.windows)]
    found = {}
    for index, start in zip(indices, starts, strict=True):
        rows = slice(start, start + len(windows[index]))
        found[index] = Labelled(ids[rows], gaps[rows], scores[rows])
    return found


def _batches(windows: Sequence[Window], indices: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Windows of like length together, the longest first, so that threads end at the same time."""
    batches: list[list[int]] = []
    size = batch_tokens
    for index in sorted(indices, key=lambda i: -len(windows[i])):
        rows = rows_of(windows[index])
        if size + rows > batch_tokens:
            batches.append([])
            size = 0
        batches[-1].append(index)
        size += rows
    return batches


@contextmanager
def _workers() -> Iterator[ThreadPoolExecutor]:
    """Threads that share PyTorch's: a batch to each makes better use of two cores than two cores to each batch."""
    threads = torch.get_num_threads()
    number = min(threads, _THREADS)
    each: Any = threads // number
    try:
        with ThreadPoolExecutor(number, initializer=lambda: torch.set_num_threads(each)) as workers:
            yield workers
    finally:
        torch.set_num_threads(threads)
