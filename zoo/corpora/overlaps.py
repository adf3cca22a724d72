"""Mentions that share characters: how they lie among each other, and what becomes of them in a sequence of labels."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

from zoo.corpora.document import Document, Key, Span, fragments_of
from zoo.errors import ZooError

Policy = Literal["keep", "longest", "error"]


@dataclass(slots=True)
class Place:
    """How a mention lies among the others of its side (gold or predicted) in a document.

    One holds another where all characters of the other are its own, and it has more; of a discontinuous mention only
    the characters of its fragments count. So of two types on the same characters neither holds the other: they overlap.

    Attributes:
        holders: Mentions that hold it.
        overlapping: Mentions that share characters with it, where neither holds the other.
    """

    holders: list[Key] = field(default_factory=list)
    overlapping: list[Key] = field(default_factory=list)


def places(keys: Collection[Key]) -> dict[Key, Place]:
    """How each of the mentions of one side of a document lies among the others."""
    found = {key: Place() for key in sorted(keys)}
    ordered = list(found)
    characters = {key: {at for start, end in fragments_of(key) for at in range(start, end)} for key in ordered}
    for number, key in enumerate(ordered):
        for other in ordered[number + 1 :]:
            if other[0] >= key[1]:
                break
            if characters[key] < characters[other]:
                found[key].holders.append(other)
            elif characters[other] < characters[key]:
                found[other].holders.append(key)
            elif characters[key] & characters[other]:
                found[key].overlapping.append(other)
                found[other].overlapping.append(key)
    return found


def count_places(documents: Iterable[Document]) -> Counter[str]:
    """Mentions that do not lie apart and in one piece, by how they lie; some in several ways."""
    counts: Counter[str] = Counter()
    for document in documents:
        for key, place in places({span.key for span in document.spans}).items():
            counts["inside another"] += bool(place.holders)
            counts["across another"] += bool(place.overlapping)
            counts["discontinuous"] += len(key) > 3
    return +counts


def resolve_overlaps(
    document: Document, policy: Policy, counts: Counter[str], *, where: str | Path | None = None
) -> Document:
    """Apply a corpus's overlap policy to the mentions of a document.

    - `error`: a repeated, overlapping or discontinuous mention is an error.
    - `longest`: discontinuous mentions are left out; of mentions that share characters the longest stays (of equally
      long ones the first), and what overlaps it is left out.
    - `keep`: all stay, discontinuous ones with the span from their first to their last character.

    A mention that repeats another with the same characters and type is one mention: it is joined to the first, with the
    concept ids of both, under `keep` and `longest`.

    Args:
        document: Mentions in order of their start.
        policy: As above.
        counts: Counts, by kind, what is left out or joined.
        where: File of the document, for the error message.

    Returns:
        The document, the very same if there was nothing to decide.

    Raises:
        ZooError: The policy is `error` and there is such a mention; names the document and the mentions.
    """
    spans = document.spans
    overlapping = any(one.end > other.start for one, other in pairwise(spans))
    if not overlapping and not any(span.fragments for span in spans):
        return document
    if policy == "error":
        raise _refused(document, where)
    kept = _without_repeats(spans, counts)
    if policy == "longest":
        kept = _longest(kept, counts)
    return replace(document, spans=tuple(kept))


def _without_repeats(spans: tuple[Span, ...], counts: Counter[str]) -> list[Span]:
    kept: dict[Key, Span] = {}
    for span in spans:
        same = span.key
        if same in kept:
            counts["repeated mention joined to the first"] += 1
            concepts = tuple(dict.fromkeys(kept[same].concept_ids + span.concept_ids))
            kept[same] = replace(kept[same], concept_ids=concepts)
        else:
            kept[same] = span
    return list(kept.values())


def _longest(spans: list[Span], counts: Counter[str]) -> list[Span]:
    kept: list[Span] = []  # disjoint, in order
    for span in sorted(spans, key=lambda span: (span.start - span.end, span.start)):
        if span.fragments:
            counts["discontinuous mention left out"] += 1
            continue
        index = bisect_left(kept, span.start, key=lambda other: other.end - 1)  # the first that ends after our start
        if index == len(kept) or kept[index].start >= span.end:
            kept.insert(index, span)
        else:
            counts[f"{_relation(span, kept[index])} left out"] += 1
    return kept


def _relation(span: Span, longer: Span) -> str:
    if (span.start, span.end) == (longer.start, longer.end):
        return "mention of the same characters with another type"
    if longer.start <= span.start and span.end <= longer.end:
        return "nested mention"
    return "overlapping mention"


def _refused(document: Document, where: str | Path | None) -> ZooError:
    fix = "set `overlaps: longest` (keeps the longest, counts the rest) or `overlaps: keep` in the corpus entry"
    for one, other in pairwise(document.spans):
        if one.end > other.start:
            second = "stands twice" if one == other else f"shares characters with {_shown(document, other)}"
            return ZooError(
                f"in document {document.id} the mention {_shown(document, one)} {second}", where=where, fix=fix
            )
    broken = next(span for span in document.spans if span.fragments)
    return ZooError(
        f"in document {document.id} the mention {_shown(document, broken)} is discontinuous", where=where, fix=fix
    )


def _shown(document: Document, span: Span) -> str:
    return f"{document.text[span.start : span.end][:60]!r} [{span.start}, {span.end}) {span.type}"
