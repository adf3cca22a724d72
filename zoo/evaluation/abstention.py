"""When to answer: precision against the share of mentions answered, a threshold from dev, mentions without concept."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from zoo.records import Record

PRECISION = 0.95
"""Precision that a threshold is chosen for."""
_STEPS = 20
"""Points of a curve: each twentieth of the mentions."""

Answer = tuple[float, bool]
"""Score of a link, and whether its first id is right."""


class CurvePoint(Record):
    """The surest mentions answered, down to a threshold."""

    threshold: float
    answered_share: float = Field(ge=0, le=1)
    precision: float = Field(ge=0, le=1)


class Abstention(Record):
    """What an abstaining linker answers, over mentions with an id, right by BELB's rule."""

    target_precision: float = Field(ge=0, le=1)
    threshold: float | None = Field(
        description="lowest score at which precision on dev is the target; null: no dev, or it is reached nowhere"
    )
    answered_share: float = Field(ge=0, le=1, description="share of mentions at or above the threshold; 0 without one")
    precision: float = Field(ge=0, le=1, description="of those; 0 where there is none")
    curve: list[CurvePoint] = Field(description="surest first; equal scores are answered together")


class NilScore(Record):
    """Mentions that are annotated without an id, and mentions that were linked to none."""

    gold_mentions: int = Field(ge=0)
    predicted_mentions: int = Field(ge=0)
    precision: float = Field(ge=0, le=1)
    recall: float = Field(ge=0, le=1)


def curve(answers: Sequence[Answer]) -> list[CurvePoint]:
    """Precision of the surest answers, at each different score."""
    points: list[CurvePoint] = []
    right = 0
    ordered = sorted(answers, key=lambda answer: -answer[0])
    for number, (score, is_right) in enumerate(ordered, start=1):
        right += is_right
        if number == len(ordered) or ordered[number][0] < score:
            share, precision = number / len(ordered), right / number
            points.append(CurvePoint(threshold=score, answered_share=share, precision=precision))
    return points


def choose_threshold(answers: Sequence[Answer], precision: float = PRECISION) -> float | None:
    """The lowest score at which answers are right often enough: it answers most.

    Args:
        answers: Those of the dev split.
        precision: How often, as a fraction.

    Returns:
        The score; None where no answer, or too few, are right.
    """
    return min((point.threshold for point in curve(answers) if point.precision >= precision), default=None)


def score_abstention(
    answers: Sequence[Answer], threshold: float | None, target_precision: float = PRECISION
) -> Abstention:
    """What a threshold gives, and the curve in steps of a twentieth of the mentions."""
    given = [right for score, right in answers if threshold is not None and score >= threshold]
    points = curve(answers)
    steps = [next(p for p in points if p.answered_share >= step / _STEPS) for step in range(1, _STEPS + 1) if points]
    return Abstention(
        target_precision=target_precision,
        threshold=threshold,
        answered_share=len(given) / len(answers) if answers else 0.0,
        precision=sum(given) / len(given) if given else 0.0,
        curve=list(dict.fromkeys(steps)),
    )


def score_nil(gold: Sequence[bool], predicted: Sequence[bool]) -> NilScore:
    """Score abstentions on gold mentions: which have no id, and which were linked to none."""
    both = sum(one and other for one, other in zip(gold, predicted, strict=True))
    return NilScore(
        gold_mentions=sum(gold),
        predicted_mentions=sum(predicted),
        precision=both / sum(predicted) if any(predicted) else 0.0,
        recall=both / sum(gold) if any(gold) else 0.0,
    )
