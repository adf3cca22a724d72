"""What of an error analysis stands in `result.json`: counts of each class, and a few examples where one may quote."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from zoo.corpora.document import Key, text_of
from zoo.evaluation.errors import ErrorKind, ErrorReport, Mistake
from zoo.records import Record

EXAMPLES_PER_CLASS = 2
_CONTEXT_CHARACTERS = 40


class ErrorCounts(Record):
    """Mistakes of one class."""

    false_positives: int = Field(ge=0)
    false_negatives: int = Field(ge=0)


class ErrorExample(Record):
    """A mistake in its surroundings."""

    kind: ErrorKind
    before: str = Field(description="text up to the mistake")
    text: str = Field(description="all that the prediction and the gold mention span")
    after: str
    gold: str | None = Field(description="`mention (Type)`, null where nothing is annotated")
    predicted: str | None = Field(description="`mention (Type)`, null where nothing was found")


class ErrorSummary(Record):
    """Mistakes on the test split by class, as `zoo errors` sorts them."""

    classes: dict[ErrorKind, ErrorCounts]
    examples: list[ErrorExample] = Field(description="empty where the licence of the corpus does not allow quoting")


def summarize_errors(report: ErrorReport, *, quote: bool) -> ErrorSummary:
    """The summary of an error analysis.

    Args:
        report: The analysis.
        quote: Whether text of the corpus may be shown.
    """
    examples = [
        _example(report, mistake)
        for kind in report.kinds
        for mistake in report.examples(kind, EXAMPLES_PER_CLASS)
        if quote
    ]
    return ErrorSummary(
        classes={
            kind: ErrorCounts(false_positives=counts.fp, false_negatives=counts.fn)
            for kind, counts in report.by_kind.items()
        },
        examples=examples,
    )


def _example(report: ErrorReport, mistake: Mistake) -> ErrorExample:
    text = report.documents[mistake.document].text
    keys = [mistake.key, *([mistake.counterpart] if mistake.counterpart else [])]
    start, end = min(key[0] for key in keys), max(key[1] for key in keys)
    own, other = _named(text, keys[:1]), _named(text, keys[1:])
    low, high = max(0, start - _CONTEXT_CHARACTERS), min(len(text), end + _CONTEXT_CHARACTERS)
    return ErrorExample(
        kind=mistake.kind,
        before=("… " if low else "") + text[low:start],
        text=text[start:end],
        after=text[end:high] + (" …" if high < len(text) else ""),
        gold=other if mistake.predicted else own,
        predicted=own if mistake.predicted else other,
    )


def _named(text: str, keys: Sequence[Key]) -> str | None:
    return next((f"{text_of(text, key, ' … ')} ({key[2]})" for key in keys), None)
