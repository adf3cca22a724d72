"""A line break never merges two entities, and a wrapped line never breaks one."""

from __future__ import annotations

import pytest

from zoo.modeling.windows import Entity
from zoo.tagging.lines import cut_at_breaks, shared_lines


def cut(text: str, merged: list[str], *alone: str) -> list[str]:
    """Texts of what is left of entities, where a model finds `alone` in lines alone."""
    entities = [Entity(text.index(each), text.index(each) + len(each), "A", 0.5) for each in merged]
    lines = shared_lines(text, entities)
    found = [
        [Entity(at, at + len(each), "A", 0.9) for each in alone if (at := text[start:end].find(each)) >= 0]
        for start, end in lines
    ]
    return [text[each.start : each.end] for each in cut_at_breaks(text, entities, lines, found)]


@pytest.mark.parametrize(
    ("text", "merged", "alone", "expected"),
    [
        ("aspirin\nibuprofen", ["aspirin\nibuprofen"], ["aspirin", "ibuprofen"], ["aspirin", "ibuprofen"]),
        ("type 2\ndiabetes", ["type 2\ndiabetes"], ["diabetes"], ["type 2\ndiabetes"]),
        ("- aspirin\n- ibuprofen", ["aspirin\n- ibuprofen"], ["aspirin", "ibuprofen"], ["aspirin", "ibuprofen"]),
        ("1. a\n2. b.\n 3) c", ["a\n2. b.\n 3) c"], ["a", "b.", "c"], ["a", "b.", "c"]),
        ("acute\ngout, so", ["acute\ngout"], ["acute", "gout"], ["acute", "gout"]),
        ("has breast\ncancer, so", ["breast\ncancer"], ["breast", "cancer"], None),
        ("has type 2\r\n  diabetes, gout", ["type 2\r\n  diabetes", "gout"], ["diabetes", "gout"], None),
        ("x\n a \n\n b \r\nc", ["a \n\n b \r\nc"], ["a", "b", "c"], ["a", "b", "c"]),
        ("a\nb\nc d\ne", ["a\nb\nc d\ne"], ["a", "b", "d", "e"], ["a", "b\nc d\ne"]),
        ("a\nb", ["a", "b"], [], None),
        ("no break here", ["break here"], ["here"], None),
        ("acute a\nb x", ["a\nb"], ["acute a", "b"], None),
    ],
)
def test_entities_are_cut_between_lines_that_stand_alone(
    text: str, merged: list[str], alone: list[str], expected: list[str] | None
) -> None:
    assert cut(text, merged, *alone) == (merged if expected is None else expected)


def test_only_lines_of_entities_across_breaks_are_looked_at() -> None:
    text = "one\ntwo a\nb three\nfour c\n\nd\nfive"
    entities = [Entity(text.index(t), text.index(t) + len(t), "A", 1.0) for t in ("one", "a\nb", "c\n\nd")]
    assert [text[a:b] for a, b in shared_lines(text, entities)] == ["two a", "b three", "four c", "d"]
    assert shared_lines(text, entities[:1]) == []
    parts = Entity(0, 9, "A", 1.0, None, ((0, 3), (8, 9)))
    assert shared_lines(text, [parts]) == []
    assert cut_at_breaks(text, [parts], [], []) == [parts]


def test_scores_and_other_entities_stay() -> None:
    text = "a\nb"
    other = Entity(0, 3, "B", 0.4)
    found = cut_at_breaks(
        text, [Entity(0, 3, "A", 0.5), other], [(0, 1), (2, 3)], [[Entity(0, 1, "A", 0.8)], [Entity(0, 1, "A", 0.7)]]
    )
    assert found == [other, Entity(0, 1, "A", 0.8), Entity(2, 3, "A", 0.7)]
