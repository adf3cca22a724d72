"""What no prediction can hit, however well a model learns: mentions outside its tokens, and outside its heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zoo.corpora.document import Document
from zoo.modeling.heads import Head, divide, held_by
from zoo.modeling.labels import LabelSpace
from zoo.modeling.windows import Entity, Window, decode, finish, join_heads, label_window


class Missing(NamedTuple):
    """Gold mentions that no prediction can hit.

    Attributes:
        unaligned: Their borders fall inside a word or token.
        unreachable: The heads do not hold them: they are discontinuous, or overlap others on all levels of their type.
    """

    unaligned: int
    unreachable: int


def missing_mentions(
    documents: Sequence[Document], windows: Sequence[Window], heads: Sequence[Head], labels: LabelSpace
) -> Missing:
    """How many gold mentions no prediction can hit: what the labels of all windows and heads do not give back.

    Args:
        documents: Documents with gold spans.
        windows: Their windows.
        heads: The heads of the model.
        labels: Label space of the model.
    """
    gold = [list({span.key: span for span in document.spans}.values()) for document in documents]
    own = [divide(spans, heads) for spans in gold]
    found: list[list[list[list[Entity]]]] = [[[] for _ in heads] for _ in documents]
    for window in windows:
        scores = np.ones(len(window), dtype=np.float32)
        for spans, per_window in zip(own[window.text], found[window.text], strict=True):
            ids = np.asarray(label_window(window, spans, labels))
            per_window.append(decode(window, ids, scores, labels.labels))
    unaligned = unreachable = 0
    for document, spans, per_head in zip(documents, gold, found, strict=True):
        held = held_by(heads, spans)
        finished = [finish(document.text, per_window) for per_window in per_head]
        hit = {entity.key for entity in join_heads(finished)}
        unreachable += len(spans) - len(held)
        unaligned += len(held - hit)
    return Missing(unaligned, unreachable)
