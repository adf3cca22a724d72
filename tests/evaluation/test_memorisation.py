"""Seen and unseen mentions, and the score without leaked documents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.corpora.document import Document, Span
from zoo.errors import ZooError
from zoo.evaluation.memorisation import GroupScore, SeenUnseen, seen_unseen, without_leaked
from zoo.evaluation.spans import Counts, count, total
from zoo.modeling.windows import Entity


def document(text: str, *mentions: tuple[str, str]) -> Document:
    spans = []
    for mention, name in mentions:
        start = text.index(mention)
        spans.append(Span(start, start + len(mention), name))
    return Document(text, text, tuple(spans))


TRAIN = [document("Breast\n cancer after aspirin", ("Breast\n cancer", "Disease"), ("aspirin", "Chemical"))]


def test_a_worked_example() -> None:
    """Seen gold: breast cancer (found), ASPIRIN (missed). Unseen gold: asthma (found), gout (missed).

    Wrong predictions: 'aspirin' as Disease is unseen, for that type; 'breast cancer' where it is not gold is seen.
    """
    test = [
        document(
            "BREAST cancer , asthma , gout , ASPIRIN",
            ("BREAST cancer", "Disease"),
            ("asthma", "Disease"),
            ("gout", "Disease"),
            ("ASPIRIN", "Chemical"),
        ),
        document("breast cancer screening"),
    ]
    predictions = [
        [Entity(0, 13, "Disease", 0.9), Entity(16, 22, "Disease", 0.9), Entity(32, 39, "Disease", 0.5)],
        [Entity(0, 13, "Disease", 0.8)],
    ]
    found = seen_unseen(TRAIN, test, predictions)
    assert found.seen == GroupScore.of(Counts(tp=1, fp=1, fn=1))
    assert found.unseen == GroupScore.of(Counts(tp=1, fp=1, fn=1))
    assert found.seen.model_dump() == {
        "f1": 0.5,
        "precision": 0.5,
        "recall": 0.5,
        "gold_mentions": 2,
        "predicted_mentions": 2,
        "true_positives": 1,
    }
    assert (found.seen_gold_share, found.train_forms) == (0.5, 2)
    assert SeenUnseen.model_validate_json(found.model_dump_json()) == found


def test_a_wrong_border_counts_in_the_groups_of_both_surface_forms() -> None:
    """Gold 'breast cancer' is seen and missed; the prediction 'cancer' is unseen and wrong."""
    test = [document("breast cancer", ("breast cancer", "Disease"))]
    found = seen_unseen(TRAIN, test, [[Entity(7, 13, "Disease", 1.0)]])
    assert found.seen == GroupScore.of(Counts(fn=1)) and found.unseen == GroupScore.of(Counts(fp=1))


def test_a_tagger_that_only_remembers_scores_nothing_on_unseen_mentions() -> None:
    test = [document("aspirin and gout", ("aspirin", "Chemical"), ("gout", "Disease"))]
    found = seen_unseen(TRAIN, test, [[Entity(0, 7, "Chemical", 1.0)]])
    assert (found.seen.f1, found.unseen.f1, found.unseen.recall) == (1.0, 0.0, 0.0)


def test_empty_groups_have_zero_counts() -> None:
    found = seen_unseen([], [document("nothing")], [[]])
    assert found.seen == found.unseen == GroupScore.of(Counts()) and found.seen_gold_share == 0


MENTIONS = st.sets(
    st.tuples(st.integers(0, 7), st.integers(1, 3), st.sampled_from(["A", "B"])).map(
        lambda m: (m[0], min(m[0] + m[1], 8), m[2])
    ),
    max_size=6,
)
CASES = st.lists(st.tuples(st.text("ab A", min_size=8, max_size=8), MENTIONS, MENTIONS), max_size=4)


def test_the_form_of_a_discontinuous_mention_is_its_fragments() -> None:
    train = [Document("1", "T cells", (Span(0, 7, "Cell"),))]
    parts = ((0, 1), (8, 13))
    test = [Document("2", "T and B cells", (Span(0, 13, "Cell", (), parts), Span(6, 13, "Cell")))]
    found = seen_unseen(train, test, [[Entity(0, 13, "Cell", 1.0, None, parts), Entity(0, 13, "Cell", 1.0)]])
    assert (found.seen.true_positives, found.seen.gold_mentions, found.seen.predicted_mentions) == (1, 1, 1)
    assert (found.unseen.gold_mentions, found.unseen.predicted_mentions) == (1, 1)  # `B cells`, `T and B cells`


@given(CASES, CASES)
def test_seen_and_unseen_counts_add_up_to_all(
    train: list[tuple[str, set[tuple[int, int, str]], set[tuple[int, int, str]]]],
    test: list[tuple[str, set[tuple[int, int, str]], set[tuple[int, int, str]]]],
) -> None:
    def documents(cases: list[tuple[str, set[tuple[int, int, str]], set[tuple[int, int, str]]]]) -> list[Document]:
        return [
            Document(str(i), text, tuple(sorted(Span(*m) for m in gold))) for i, (text, gold, _) in enumerate(cases)
        ]

    found = seen_unseen(documents(train), documents(test), [[Entity(*m, 1.0) for m in p] for _, _, p in test])
    whole = total(count(gold, predicted) for _, gold, predicted in test)
    assert found.seen.true_positives + found.unseen.true_positives == whole.tp
    assert found.seen.gold_mentions + found.unseen.gold_mentions == whole.tp + whole.fn
    assert found.seen.predicted_mentions + found.unseen.predicted_mentions == whole.tp + whole.fp


@given(CASES)
def test_in_train_itself_every_gold_mention_is_seen(
    cases: list[tuple[str, set[tuple[int, int, str]], set[tuple[int, int, str]]]],
) -> None:
    documents = [Document(str(i), text, tuple(Span(*m) for m in gold)) for i, (text, gold, _) in enumerate(cases)]
    found = seen_unseen(documents, documents, [[Entity(*m, 1.0) for m in p] for _, _, p in cases])
    assert found.unseen.gold_mentions == 0


def test_leaked_documents_are_left_out() -> None:
    counts = [Counts(5, 0, 0), Counts(1, 1, 0), Counts(0, 0, 2)]
    found = without_leaked(counts, (0,))
    assert (found.micro_f1, found.precision, found.recall) == (pytest.approx(2 / 5), 0.5, pytest.approx(1 / 3))
    assert (found.documents, found.leaked_documents, found.gold_mentions, found.leaked_gold_mentions) == (2, 1, 3, 5)
    assert without_leaked(counts, ()).micro_f1 == total(counts).f1
    assert without_leaked(counts, {0, 1, 2}).documents == 0


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_that_is_no_document_is_refused(index: int) -> None:
    with pytest.raises(ZooError, match="no document"):
        without_leaked([Counts()] * 3, [0, index])
