"""What an epoch reads: runs of neighbouring sentences as one text, and how much of each of several corpora.

Runs prepare a training on sentences for whole documents.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from zoo.corpora.document import Document
from zoo.language.cutting import gap

LONGEST_RUN = 10
"""Sentences of the longest run; runs have 2 to this many, each length as likely."""


@dataclass(frozen=True)
class Share:
    """A part of the training documents, and how many of it an epoch reads."""

    part: slice
    documents: int


def shares_by_size(parts: Sequence[slice], temperature: float) -> list[Share]:
    """Shares in proportion to size ** (1 / temperature), of an epoch with as many documents as there are.

    Args:
        parts: Parts of the training documents, none of them empty.
        temperature: See `zoo.registry.schema.JoinedSource`.
    """
    sizes = [part.stop - part.start for part in parts]
    weights = [(size / max(sizes)) ** (1 / temperature) for size in sizes]
    each = [max(1, round(sum(sizes) * weight / sum(weights))) for weight in weights]
    return [Share(part, documents) for part, documents in zip(parts, each, strict=True)]


def draw_epoch(
    documents: Sequence[Document], shares: Sequence[Share], joined: float, rng: random.Random
) -> list[tuple[Document, int]]:
    """What an epoch reads, drawn anew at each call.

    Of each part all documents are read as often as its share holds them, and as many more as that leaves, none of these
    twice.

    Args:
        documents: Sentences in the order of their texts.
        shares: Shares of their parts; empty: all are read once.
        joined: As `share` of `join_runs`.
        rng: Source of the choice.

    Returns:
        As `join_runs`; runs never reach from one part into another.
    """
    if not shares:
        return join_runs(documents, joined, rng)
    drawn: list[tuple[Document, int]] = []
    for share in shares:
        own = documents[share.part]
        times, missing = divmod(share.documents, len(own))
        for _ in range(times):
            drawn += join_runs(own, joined, rng)
        runs = join_runs(own, joined, rng) if missing else []
        for run in rng.sample(runs, len(runs)):
            if run[1] <= missing:
                drawn.append(run)
                missing -= run[1]
    return drawn


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
    spans, text = [], ""
    for document in run:
        text += gap(text, document.text) if text else ""
        offset = len(text)
        text += document.text
        for span in document.spans:
            moved = tuple((start + offset, end + offset) for start, end in span.fragments)
            spans.append(replace(span, start=span.start + offset, end=span.end + offset, fragments=moved))
    return Document(run[0].id, text, tuple(spans))
