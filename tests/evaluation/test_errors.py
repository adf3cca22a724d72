"""Every mistake is counted once, in the class that a person would give it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.corpora.document import Document, Span
from zoo.evaluation.errors import KINDS, ErrorReport, analyse
from zoo.evaluation.spans import Counts, Key, count_documents, total
from zoo.modeling.windows import Entity

#        0         1         2         3         4         5         6
#        0123456789012345678901234567890123456789012345678901234567890123456
TEXT = "acute renal failure, breast cancer cells, aspirin, gout and a rash."
GOLD = [(0, 19, "Disease"), (21, 34, "Disease"), (42, 49, "Chemical"), (51, 55, "Disease"), (62, 66, "Disease")]
FOUND = [(6, 19, "Disease"), (21, 40, "Cell"), (42, 49, "Disease"), (51, 55, "Disease"), (56, 59, "Disease")]


def document(name: str, text: str, gold: list[Key]) -> Document:
    return Document(name, text, tuple(Span(*key) for key in sorted(gold)))


def entities(keys: list[Key]) -> list[Entity]:
    return [Entity(*key, 0.9) for key in keys]


@pytest.fixture
def report() -> ErrorReport:
    return analyse([document("a", TEXT, GOLD), document("b", "no gout", [(3, 7, "Disease")])], [entities(FOUND), []])


def test_each_mistake_has_one_class(report: ErrorReport) -> None:
    found = {(m.document, m.kind, m.predicted, m.key): m.counterpart for m in report.mistakes}
    assert found == {
        (0, "boundary", False, (0, 19, "Disease")): (6, 19, "Disease"),
        (0, "boundary", True, (6, 19, "Disease")): (0, 19, "Disease"),
        (0, "boundary+type", False, (21, 34, "Disease")): (21, 40, "Cell"),
        (0, "boundary+type", True, (21, 40, "Cell")): (21, 34, "Disease"),
        (0, "type", False, (42, 49, "Chemical")): (42, 49, "Disease"),
        (0, "type", True, (42, 49, "Disease")): (42, 49, "Chemical"),
        (0, "spurious", True, (56, 59, "Disease")): None,
        (0, "missed", False, (62, 66, "Disease")): None,
        (1, "missed", False, (3, 7, "Disease")): None,
    }
    assert len(found) == len(report.mistakes)
    assert report.counts == Counts(1, 4, 5)
    assert report.by_kind["boundary"] == Counts(0, 1, 1)
    assert report.by_kind["missed"] == Counts(0, 0, 2)
    assert report.by_type["Chemical"]["type"] == Counts(0, 0, 1)  # gold; the prediction stands under Disease
    assert report.by_type["Disease"]["type"] == Counts(0, 1, 0)


def test_same_borders_come_before_an_overlap_of_the_same_type() -> None:
    gold = [(0, 6, "Disease"), (0, 13, "Cell")]
    report = analyse([document("a", "cancer cell x", gold)], [entities([(0, 13, "Disease")])])
    assert [(m.kind, m.counterpart) for m in report.mistakes if m.predicted] == [("type", (0, 13, "Cell"))]


def test_the_counterpart_is_the_longest_overlap() -> None:
    gold = [(0, 5, "Disease"), (6, 19, "Disease")]
    report = analyse([document("a", "renal acute failure", gold)], [entities([(2, 19, "Disease")])])
    assert [m.counterpart for m in report.mistakes if m.predicted] == [(6, 19, "Disease")]
    assert report.by_kind["boundary"] == Counts(0, 1, 2)


def test_spans_that_only_touch_do_not_overlap() -> None:
    report = analyse([document("a", "abcdef", [(0, 3, "A")])], [entities([(3, 6, "A")])])
    assert {m.kind for m in report.mistakes} == {"missed", "spurious"}


def test_a_repeated_prediction_counts_once() -> None:
    report = analyse([document("a", "gout", [])], [entities([(0, 4, "A"), (0, 4, "A")])])
    assert report.counts == Counts(0, 1, 0)
    assert len(report.mistakes) == 1


def test_strings_and_examples_are_deterministic(report: ErrorReport) -> None:
    assert report.frequent("missed") == [("gout", 1), ("rash", 1)]
    assert report.frequent("missed", 1) == [("gout", 1)]
    assert [m.key for m in report.examples("missed", 1)] == [(62, 66, "Disease")]
    many = analyse([document(str(i), "x", [(0, 1, "A")]) for i in range(10)], [[] for _ in range(10)])
    assert [m.document for m in many.examples("missed", 4)] == [0, 2, 5, 7]
    assert many.frequent("missed") == [("x", 10)]


def test_a_pair_of_mistakes_is_one_place(report: ErrorReport) -> None:
    assert len(report.of_kind("boundary")) == 2
    assert len(report.places("boundary")) == 1
    assert len(report.places("missed")) == 2


def test_context_marks_gold_and_prediction(report: ErrorReport) -> None:
    (mistake,) = report.places("boundary")
    context = report.context(mistake, 3)
    assert (context.start, context.end, context.cut_before, context.cut_after) == (0, 22, False, True)
    assert [(s.text, s.gold, s.predicted) for s in context.segments] == [
        ("acute ", ("Disease",), ()),
        ("renal failure", ("Disease",), ("Disease",)),
        (", ", (), ()),
        ("b", ("Disease",), ("Cell",)),
    ]


def test_json_holds_text_only_when_quoted(report: ErrorReport) -> None:
    quoted, silent = (json.dumps(report.to_json(quote=quote)) for quote in (True, False))
    assert "renal failure" in quoted
    assert not any(word in silent for word in ("renal", "breast", "gout", "rash"))
    data = json.loads(silent)
    assert data["classes"]["missed"] == {
        "meaning": "a gold mention that no prediction touches",
        "false_positives": 0,
        "false_negatives": 2,
    }
    assert len(data["mistakes"]) == 9


#              0         1         2         3
#              0123456789012345678901234567890123
NESTED_TEXT = "human IL-2 receptor gene, T and B cells"
OUTER, INNER, PART = (0, 24, "DNA"), (6, 19, "protein"), (6, 10, "protein")
T_CELLS, B_CELLS = (26, 39, "cell", ((26, 27), (34, 39))), (32, 39, "cell")


def nested(found: list[Key], gold: list[Key] | None = None) -> ErrorReport:
    marked = [Entity(*key[:3], 0.9, None, *key[3:]) for key in found]
    spans = [Span(*key[:3], (), *key[3:]) for key in gold or [OUTER, INNER, PART, T_CELLS, B_CELLS]]
    return analyse([Document("a", NESTED_TEXT, tuple(spans))], [marked])


def test_what_is_missed_in_a_mention_that_was_found_is_nested() -> None:
    report = nested([OUTER, B_CELLS])
    found = {m.key: (m.kind, m.counterpart) for m in report.mistakes}
    assert found == {INNER: ("nested", OUTER), PART: ("nested", OUTER), T_CELLS: ("nested", B_CELLS)}
    assert report.text(report.mistakes[-1]) == "T cells" and report.by_kind["nested"] == Counts(0, 0, 3)
    assert {m.key: m.kind for m in nested([INNER, T_CELLS, B_CELLS]).mistakes} == {OUTER: "nested", PART: "nested"}


def test_a_wrong_border_counts_for_the_mention_that_it_fits_best() -> None:
    kinds = {(m.key, m.predicted): m.kind for m in nested([(0, 19, "DNA"), PART, T_CELLS, B_CELLS]).mistakes}
    assert kinds == {(OUTER, False): "boundary", ((0, 19, "DNA"), True): "boundary", (INNER, False): "nested"}
    wrong: Key = (26, 39, "cell")  # from end to end: other borders than those of the fragments
    kinds = {(m.key, m.predicted): m.kind for m in nested([OUTER, INNER, PART, wrong, B_CELLS]).mistakes}
    assert kinds == {(T_CELLS, False): "boundary", (wrong, True): "boundary"}


def test_flat_reports_have_no_class_of_nested_mentions(report: ErrorReport) -> None:
    assert "nested" not in report.to_json(quote=True)["classes"] and "nested" not in report.by_type["Disease"]
    assert {layer for m in report.mistakes for s in report.context(m).segments for layer in s.gold_layers} == {0}


def test_layers_of_a_context_keep_nested_mentions_apart() -> None:
    report = nested([OUTER])
    context = report.context(report.of_kind("nested")[0], 60)
    assert [(s.text, s.gold_layers, s.predicted_layers) for s in context.segments] == [
        ("human ", (2,), (0,)),
        ("IL-2", (0, 1, 2), (0,)),
        (" receptor", (1, 2), (0,)),
        (" gene", (2,), (0,)),
        (", ", (), ()),
        ("T", (1,), ()),
        (" and ", (), ()),
        ("B ", (0,), ()),
        ("cells", (0, 1), ()),
    ]


KEYS = st.lists(
    st.builds(lambda s, n, t: (s, s + n, t), st.integers(0, 25), st.integers(1, 8), st.sampled_from(["A", "B"])),
    max_size=8,
)


@given(st.lists(st.tuples(KEYS, KEYS), max_size=4))
@settings(deadline=None)
def test_classes_add_up_to_the_counts_and_keep_their_promise(sides: list[tuple[list[Key], list[Key]]]) -> None:
    documents = [document(str(i), "x" * 40, gold) for i, (gold, _) in enumerate(sides)]
    report = analyse(documents, [entities(found) for _, found in sides])
    expected = total(count_documents([g for g, _ in sides], [p for _, p in sides]))
    assert report.counts == expected
    summed = total(report.by_kind.values())
    assert (
        (summed.fp, summed.fn)
        == (expected.fp, expected.fn)
        == (
            sum(m.predicted for m in report.mistakes),
            sum(not m.predicted for m in report.mistakes),
        )
    )
    assert total(c for kinds in report.by_type.values() for c in kinds.values()) == summed
    for mistake in report.mistakes:
        start, end, name = mistake.key
        others = sides[mistake.document][0 if mistake.predicted else 1]
        touching = [o for o in others if o[0] < end and start < o[1]]
        if not touching:
            assert mistake.kind == ("spurious" if mistake.predicted else "missed")
        elif beside := report.beside(mistake):
            assert mistake.kind == "nested" or mistake.counterpart not in beside, "what is right is taken for no other"
        elif any(o[:2] == (start, end) for o in touching):
            assert mistake.kind == "type"
        else:
            assert mistake.kind == ("boundary" if any(o[2] == name for o in touching) else "boundary+type")
        context = report.context(mistake, 5)
        shown = documents[mistake.document].text[context.start : context.end]
        assert "".join(s.text for s in context.segments) == shown
    assert sum(len(report.of_kind(kind)) for kind in KINDS) == len(report.mistakes)
