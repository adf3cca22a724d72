"""How much of a score is memory: mentions seen and unseen in training, and the score without leaked test documents."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from pydantic import Field

from zoo.corpora.document import Document, Key, text_of
from zoo.corpora.similarity import normalise
from zoo.errors import ZooError
from zoo.evaluation.spans import Counts, count, total
from zoo.records import Record

Form = tuple[str, str]
"""Surface form of a mention in its normal form, and the type."""


class Predicted(Protocol):
    """A predicted mention: `Entity`, or `Span`."""

    @property
    def key(self) -> Key:
        """`(start, end, type)` of the half-open span `[start, end)`."""


class GroupScore(Record):
    """Strict span scores of a part of the mentions, as fractions; 0 where the part is empty, as its counts show."""

    f1: float = Field(ge=0, le=1)
    precision: float = Field(ge=0, le=1)
    recall: float = Field(ge=0, le=1)
    gold_mentions: int = Field(ge=0, description="true positives and false negatives")
    predicted_mentions: int = Field(ge=0, description="true and false positives")
    true_positives: int = Field(ge=0)

    @classmethod
    def of(cls, counts: Counts) -> GroupScore:
        """Score of these counts."""
        return cls(
            f1=counts.f1,
            precision=counts.precision,
            recall=counts.recall,
            gold_mentions=counts.tp + counts.fn,
            predicted_mentions=counts.tp + counts.fp,
            true_positives=counts.tp,
        )


class SeenUnseen(Record):
    """Strict scores on mentions whose surface form training holds as a mention of the same type, and on all others.

    Every mention, gold or predicted, is in the group of its own surface form, so recall is over the gold mentions of a
    group, and a false positive counts against the group of the text that it marks. The counts of both add up to those
    of the whole score. Surface forms are compared case-folded, with runs of white space as one space.
    """

    seen: GroupScore
    unseen: GroupScore
    seen_gold_share: float = Field(ge=0, le=1, description="share of the gold mentions that are seen")
    train_forms: int = Field(ge=0, description="different pairs of surface form and type in training")


class WithoutLeaked(Record):
    """Strict micro-averaged score of the documents that do not stand in train, as fractions."""

    micro_f1: float = Field(ge=0, le=1)
    precision: float = Field(ge=0, le=1)
    recall: float = Field(ge=0, le=1)
    documents: int = Field(ge=0, description="documents that are scored")
    leaked_documents: int = Field(ge=0, description="documents left out: exact or near duplicates of one in train")
    gold_mentions: int = Field(ge=0)
    leaked_gold_mentions: int = Field(ge=0, description="gold mentions of the documents left out")


def seen_unseen(
    train_documents: Iterable[Document],
    test_documents: Sequence[Document],
    predictions: Sequence[Sequence[Predicted]],
) -> SeenUnseen:
    """Score mentions seen and unseen in training apart.

    The surface form is the text of the mention, of a discontinuous one its fragments with a space between them.

    Args:
        train_documents: Documents whose mentions count as seen.
        test_documents: Documents with gold spans.
        predictions: Predicted mentions per test document.
    """
    known = {_form(document.text, span.key) for document in train_documents for span in document.spans}
    seen, unseen = Counts(), Counts()
    for document, entities in zip(test_documents, predictions, strict=True):
        gold, predicted = {span.key for span in document.spans}, {entity.key for entity in entities}
        old = {key for key in gold | predicted if _form(document.text, key) in known}
        seen += count(gold & old, predicted & old)
        unseen += count(gold - old, predicted - old)
    all_gold = seen.tp + seen.fn + unseen.tp + unseen.fn
    return SeenUnseen(
        seen=GroupScore.of(seen),
        unseen=GroupScore.of(unseen),
        seen_gold_share=(seen.tp + seen.fn) / all_gold if all_gold else 0.0,
        train_forms=len(known),
    )


def without_leaked(counts: Sequence[Counts], leaked: Collection[int]) -> WithoutLeaked:
    """Score without the test documents that stand in train too.

    Args:
        counts: Counts of each test document.
        leaked: Indices of the documents to leave out, such as `Overlap.leaked_documents`.

    Raises:
        ZooError: An index is no document's.
    """
    left_out = set(leaked)
    if unknown := sorted(index for index in left_out if not 0 <= index < len(counts)):
        raise ZooError(
            f"there is no document {unknown[0]} among {len(counts)}",
            fix="the leaked documents and the counts must be of the same split",
        )
    kept = total(item for index, item in enumerate(counts) if index not in left_out)
    dropped = total(counts[index] for index in left_out)
    return WithoutLeaked(
        micro_f1=kept.f1,
        precision=kept.precision,
        recall=kept.recall,
        documents=len(counts) - len(left_out),
        leaked_documents=len(left_out),
        gold_mentions=kept.tp + kept.fn,
        leaked_gold_mentions=dropped.tp + dropped.fn,
    )


def _form(text: str, key: Key) -> Form:
    return normalise(text_of(text, key)), key[2]
