"""Parts of discontinuous mentions, put together."""

from __future__ import annotations

from zoo.corpora.document import Span
from zoo.modeling.parts import join_parts


def joined(first: list[Span], last: list[Span]) -> list[tuple[tuple[int, int], ...]]:
    return [fragments for *_, fragments in join_parts(first, last)]


def test_a_first_part_takes_the_nearest_last_part_of_its_type_behind_it() -> None:
    """What reaches over its end, lies before it, touches it, is of another type or far away is none."""
    rod = Span(10, 13, "Cell")
    across, before, other = Span(12, 20, "Cell"), Span(0, 5, "Cell"), Span(14, 16, "Gene")
    near, next_one = Span(24, 38, "Cell"), Span(50, 55, "Cell")
    assert joined([rod], [next_one, before, across, other, near]) == [((10, 13), (24, 38))]
    assert joined([rod, Span(18, 22, "Cell")], [near]) == [((10, 13), (24, 38)), ((18, 22), (24, 38))]
    assert joined([rod], [Span(13, 20, "Cell")]) == []
    assert joined([rod], [Span(133, 140, "Cell")]) == [((10, 13), (133, 140))]
    assert joined([rod], [Span(134, 140, "Cell")]) == []
