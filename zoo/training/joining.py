"""Runs of neighbouring sentences as one text, so that training on sentences also prepares for whole documents."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from zoo.corpora.document import Document

LONGEST_RUN = 10
"""Sentences of the longest run; runs have 2 to this many, each length as likely."""


def join_runs(documents: Sequence[Document], share: float, rng: random.Random) -> list[tuple[Document, int]]:
    """Join runs of consecutive documents, drawn anew at each call.

    Args:
        documents: Sentences in the order of their texts.
        share: Expected share of the sentences that end up in runs; 0 leaves all alone.
        rng: Source of the choice.

    Returns:
        Documents and how many sentences each holds.
    """
    mean = (2 + LONGEST_RUN) / 2
    # Of k starts a share p begins a run: p * mean of p * mean + (1 - p) sentences are in runs; solved for p.
    begins_run = share / (mean - (mean - 1) * share)
    joined: list[tuple[Document, int]] = []
    index = 0
    while index < len(documents):
        wanted = rng.randint(2, LONGEST_RUN) if share and rng.random() < begins_run else 1
        run = documents[index : index + wanted]
        joined.append((_join(run) if len(run) > 1 else run[0], len(run)))
        index += len(run)
    return joined


def _join(run: Sequence[Document]) -> Document:
    spans, offset = [], 0
    for document in run:
        for span in document.spans:
            moved = tuple((start + offset, end + offset) for start, end in span.fragments)
            spans.append(replace(span, start=span.start + offset, end=span.end + offset, fragments=moved))
        offset += len(document.text) + 1
    return Document(run[0].id, " ".join(document.text for document in run), tuple(spans))
