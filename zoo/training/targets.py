"""What a token-classification training is to predict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from zoo.corpora.document import Document
from zoo.modeling.heads import Head, divide
from zoo.modeling.labels import LabelSpace
from zoo.modeling.windows import IGNORED, Window, label_window
from zoo.tagging.tagger import Tagger
from zoo.training.batching import Targets

WINDOWS = 4
"""Windows that count as one document, where a document has more: 60 whole articles are more than four batches of 16."""


def training_windows(
    tagger: Tagger, runs: Sequence[tuple[Document, int]], labels: LabelSpace, heads: Sequence[Head]
) -> tuple[list[Window], list[Targets], list[float]]:
    """Windows of the training text, the targets of their tokens, and documents that each window stands for.

    Args:
        tagger: Encodes the texts.
        runs: Documents, each with the number of documents of the corpus that it holds.
        labels: Label space of the base.
        heads: What is labelled.
    """
    texts = [document.text for document, _ in runs]
    windows = tagger.encode(texts)
    divided = [divide(document.spans, heads) for document, _ in runs]
    places = [{label: index for index, label in enumerate(labels.own_ids(head.types))} for head in heads]
    targets: list[Targets] = [
        [
            [place.get(label, IGNORED) for label in label_window(window, spans, labels)]
            for place, spans in zip(places, divided[window.text], strict=True)
        ]
        for window in windows
    ]
    pieces = Counter(window.text for window in windows)
    return windows, targets, [runs[w.text][1] / min(pieces[w.text], WINDOWS * runs[w.text][1]) for w in windows]
