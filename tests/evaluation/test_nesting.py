"""Mentions in, across and between others, and what a model finds of each kind."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.records import nesting_data
from zoo.corpora.document import Document, Key, Span, fragments_of
from zoo.corpora.overlaps import places
from zoo.evaluation.nesting import Nesting, PartScore, score_nesting
from zoo.evaluation.scoring import score_predictions
from zoo.modeling.windows import Entity

#       0         1         2         3
#       0123456789012345678901234567890123456789
TEXT = "human IL-2 receptor gene, T and B cells"
OUTER, MIDDLE, INNER = (0, 24, "DNA"), (6, 19, "protein"), (6, 10, "protein")
T_CELLS: Key = (26, 39, "cell", ((26, 27), (34, 39)))
B_CELLS: Key = (32, 39, "cell")
GOLD: list[Key] = [OUTER, MIDDLE, INNER, T_CELLS, B_CELLS]


def score(gold: list[Key], found: list[Key]) -> Nesting:
    nesting = score_nesting([gold], [found])
    assert nesting is not None
    return nesting


def part(gold: int, found: int, predicted: int, right: int) -> PartScore:
    recall, precision = found / gold if gold else 0, right / predicted if predicted else 0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0
    return PartScore(f1=f1, precision=precision, recall=recall, gold_mentions=gold, predicted_mentions=predicted)


def test_each_mention_counts_where_it_lies() -> None:
    """`T cells` and `B cells` share `cells`, and neither holds the other."""
    nesting = score(GOLD, GOLD)
    assert nesting == Nesting(
        outer=part(3, 3, 3, 3),
        inner=part(2, 2, 2, 2),
        by_depth={"1": part(3, 3, 3, 3), "2": part(1, 1, 1, 1), "3+": part(1, 1, 1, 1)},
        inner_same_type=part(1, 1, 1, 1),
        overlapping=part(2, 2, 2, 2),
        discontinuous=part(1, 1, 1, 1),
    )


def test_recall_goes_by_gold_and_precision_by_predictions() -> None:
    """What is found is inner for recall, and alone among the predictions: nothing is held against it."""
    nesting = score(GOLD, [MIDDLE, (26, 39, "cell"), B_CELLS])
    assert nesting.inner == part(2, 1, 1, 1)  # `B cells` lies in the wrong `T and B cells`
    assert nesting.outer == part(3, 1, 2, 1) and nesting.discontinuous == part(1, 0, 0, 0)
    assert nesting.by_depth == {"1": part(3, 1, 2, 1), "2": part(1, 1, 1, 1), "3+": part(1, 0, 0, 0)}


def test_two_types_on_the_same_characters_overlap_and_a_mention_in_a_gap_lies_apart() -> None:
    same = places([(0, 4, "A"), (0, 4, "B")])
    assert [(len(place.holders), len(place.overlapping)) for place in same.values()] == [(0, 1), (0, 1)]
    gap: Key = (0, 9, "A", ((0, 2), (7, 9)))
    assert not any(place.holders or place.overlapping for place in places([gap, (3, 6, "A")]).values())
    held = places([gap, (7, 9, "B")])
    assert held[7, 9, "B"].holders == [gap]


def test_flat_splits_have_no_scores_of_nesting() -> None:
    flat: list[Key] = [(0, 4, "A"), (4, 6, "A"), (8, 9, "B")]
    assert score_nesting([flat, []], [flat[1:], flat]) is None
    document = Document("1", "x" * 9, tuple(Span(*key[:3]) for key in flat))
    assert score_predictions([document], [[Entity(0, 4, "A", 1.0)]], samples=10).nesting is None


def test_the_score_of_a_split_holds_it() -> None:
    document = Document("1", TEXT, tuple(sorted(Span(*k[:3], (), *k[3:]) for k in GOLD)))  # type: ignore[misc]
    found = [Entity(*k[:3], 1.0, None, *k[3:]) for k in GOLD[1:]]  # type: ignore[misc]
    whole = score_predictions([document], [found], samples=10, unreachable=1)
    assert whole.nesting is not None and whole.nesting.unreachable_mentions == 1
    assert whole.nesting.inner.recall == 1 and whole.nesting.outer.recall == 2 / 3
    wrong = [*found[:-2], Entity(26, 39, "cell", 1.0, None, ((26, 27), (33, 39))), found[-1]]
    assert score_predictions([document], [wrong], samples=10).recall == 3 / 5, "its very fragments are asked for"


def test_only_what_occurs_is_shown() -> None:
    assert list(Nesting.model_validate(nesting_data()).parts) == [
        "outside others",
        "inside another",
        "inside one of the same type",
        "across another, or on its very characters",
        "discontinuous",
    ]


@st.composite
def keys(draw: st.DrawFn) -> set[Key]:
    made: set[Key] = set()
    for _ in range(draw(st.integers(0, 6))):
        start, length, name = draw(st.integers(0, 9)), draw(st.integers(1, 8)), draw(st.sampled_from("AB"))
        end = start + length
        broken = length > 2 and draw(st.booleans())
        made.add((start, end, name, ((start, start + 1), (end - 1, end))) if broken else (start, end, name))
    return made


@given(keys())
def test_places_are_what_sets_of_characters_say(some: set[Key]) -> None:
    def characters(key: Key) -> set[int]:
        return {at for start, end in fragments_of(key) for at in range(start, end)}

    for key, place in places(some).items():
        own = characters(key)
        assert set(place.holders) == {other for other in some if own < characters(other)}
        assert set(place.overlapping) == {
            other
            for other in some
            if other != key and own & characters(other) and not (own < characters(other) or characters(other) < own)
        }


@given(st.lists(st.tuples(keys(), keys()), max_size=3))
def test_parts_add_up(sides: list[tuple[set[Key], set[Key]]]) -> None:
    gold, found = [g for g, _ in sides], [p for _, p in sides]
    nesting = score_nesting(gold, found)
    if nesting is None:
        return
    hits = sum(len(g & p) for g, p in sides)
    for parts in ([nesting.outer, nesting.inner], list(nesting.by_depth.values())):
        assert sum(each.gold_mentions for each in parts) == sum(map(len, gold))
        assert sum(each.predicted_mentions for each in parts) == sum(map(len, found))
        assert round(sum(each.recall * each.gold_mentions for each in parts)) == hits
        assert round(sum(each.precision * each.predicted_mentions for each in parts)) == hits
    assert nesting.by_depth.get("1", part(0, 0, 0, 0)) == nesting.outer
