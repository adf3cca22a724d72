"""How unsure models are of a document, and what it is about: what `suggestion` chooses documents to annotate by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
import numpy.typing as npt

from zoo.language.cutting import count_words
from zoo.modeling.batches import forward_heads, token_batches
from zoo.modeling.classifier import classifier
from zoo.modeling.windows import Window, parse_label, words_of
from zoo.tagging.tagger import Tagger
from zoo.tagging.texts import Text

LIKELY = 0.05
"""Probability of being in an entity from which on a word counts: all other words are surely in none."""
_TOGETHER = 256
"""Documents that are read at a time: their windows are sorted by length."""
_BATCH_TOKENS = 1024


@dataclass(frozen=True, slots=True, order=True)
class Doubt:
    """A word `[start, end)` and the probability that its label is wrong."""

    start: int
    end: int
    probability: float


@dataclass(frozen=True, slots=True)
class Unsure:
    """What models make of a document.

    Attributes:
        text: The document.
        words: How many it has.
        doubts: The words that are likely part of an entity, in order of the text.
        embedding: What it is about: mean of the hidden states before the first model's head, of length 1; shape [H].
    """

    text: Text
    words: int
    doubts: tuple[Doubt, ...]
    embedding: npt.NDArray[np.float32]

    @property
    def uncertainty(self) -> float:
        """Words that the models expect to get wrong, over the square root of the document's length in words.

        Their number alone would ask for the longest documents, their share for the shortest.
        """
        return sum(doubt.probability for doubt in self.doubts) / float(np.sqrt(max(1, self.words)))


def read_unsure(taggers: Sequence[Tagger], texts: Iterable[Text]) -> Iterator[Unsure]:
    """Read documents; of several models and heads, the one that doubts a word most counts.

    Args:
        taggers: Models.
        texts: Documents; some hundred are in memory at a time.

    Yields:
        In the order of `texts`.
    """
    texts = iter(texts)
    while together := list(islice(texts, _TOGETHER)):
        read = [_read(tagger, [text.text for text in together]) for tagger in taggers]
        for number, text in enumerate(together):
            found = read[0][number]
            doubts = _words(chain.from_iterable(each[number].doubts for each in read))
            norm = float(np.linalg.norm(found.hidden)) or 1.0
            yield Unsure(text, count_words(text.text), doubts, (found.hidden / norm).astype(np.float32))


def _words(doubts: Iterable[Doubt]) -> tuple[Doubt, ...]:
    """Each word once: what overlaps is one, found by several models or cut by the end of a window."""
    words: list[Doubt] = []
    for doubt in sorted(doubts):
        if words and doubt.start < words[-1].end:
            last = words.pop()
            doubt = Doubt(last.start, max(last.end, doubt.end), max(last.probability, doubt.probability))
        words.append(doubt)
    return tuple(words)


class _Found:
    """What one model made of a document, window by window."""

    def __init__(self) -> None:
        self.doubts: list[Doubt] = []
        self.hidden: npt.NDArray[np.float32] = np.zeros(1, dtype=np.float32)

    def add(self, window: Window, outside: npt.NDArray[np.float32], wrong: npt.NDArray[np.float32]) -> None:
        """Take in a window: probability that a token is in no entity, and that its best label is wrong; shape [T]."""
        real = np.flatnonzero(window.real)
        if not real.size:
            return
        first, last = words_of(window)
        likely = 1 - np.minimum.reduceat(outside[real], first)
        doubt = np.maximum.reduceat(wrong[real], first)
        starts, ends = window.offsets[real[first], 0], window.offsets[real[last], 1]
        for word in np.flatnonzero(likely >= LIKELY).tolist():
            self.doubts.append(Doubt(int(starts[word]), int(ends[word]), float(doubt[word])))


def _read(tagger: Tagger, texts: Sequence[str]) -> list[_Found]:
    """What a model makes of documents: one pass, in which the last hidden states are listened to."""
    import torch

    from zoo.kernels.merged import merged_lora

    windows, found = tagger.encode(texts), [_Found() for _ in texts]
    base, pad_id = tagger.base, int(tagger.tokenizer.pad_token_id or 0)
    outside = [number for number, label in enumerate(tagger.labels) if not parse_label(label)[1]]
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode())
        model, adapters = stack.enter_context(base.using(*(head.adapter for head in tagger.heads)))
        heads = [(adapter, head.columns) for adapter, head in zip(adapters, tagger.heads, strict=True)]
        if len(heads) == 1:
            stack.enter_context(merged_lora(model, precision="float32"))
        given: list[torch.Tensor] = []
        layer = classifier(model, adapters[0])
        hook = layer.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
        stack.callback(hook.remove)
        for batch in token_batches(windows, _BATCH_TOKENS):
            given.clear()
            chosen = [windows[index] for index in batch]
            logits = forward_heads(model, heads, chosen, pad_id)
            hidden = given[0].float().cpu().numpy()
            for per_head in logits:
                shares = per_head.float().softmax(-1)
                no_entity = shares[..., outside].sum(-1).cpu().numpy()
                wrong = (1 - shares.max(-1).values).cpu().numpy()
                for row, window in enumerate(chosen):
                    found[window.text].add(window, no_entity[row, : len(window)], wrong[row, : len(window)])
            for row, window in enumerate(chosen):
                found[window.text].hidden = found[window.text].hidden + hidden[row, : len(window)][window.real].sum(0)
    return found
