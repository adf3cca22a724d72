"""Batches and joined runs hold every sentence once, in an order that the seed decides."""

from __future__ import annotations

import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.corpora.document import Document, Span
from zoo.training.batching import epoch_batches
from zoo.training.joining import LONGEST_RUN, join_runs


@settings(deadline=None)
@given(st.lists(st.integers(3, 80), max_size=300), st.integers(1, 20), st.integers(0, 5))
def test_every_window_is_in_one_batch(lengths: list[int], batch_size: int, seed: int) -> None:
    batches = epoch_batches(lengths, batch_size, random.Random(seed))
    assert sorted(index for (batch,) in batches for index in batch) == list(range(len(lengths)))
    assert all(len(batch) <= batch_size for (batch,) in batches)
    assert batches == epoch_batches(lengths, batch_size, random.Random(seed))


@settings(deadline=None)
@given(st.lists(st.integers(3, 80), max_size=300), st.integers(1, 20), st.integers(1, 9), st.integers(0, 5))
def test_batches_of_groups_mix_lengths(lengths: list[int], batch_size: int, group_size: int, seed: int) -> None:
    batches = epoch_batches(lengths, batch_size, random.Random(seed), group_size=group_size)
    groups = [group for batch in batches for group in batch]
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    assert all(len(group) <= min(group_size, batch_size) for group in groups)
    documents = [sum(map(len, batch)) for batch in batches]
    assert all(batch_size <= number < batch_size + group_size for number in documents[:-1])
    if len(lengths) <= 50 * batch_size:  # one pool: groups are slices of the sorted lengths
        spans = sorted((min(lengths[i] for i in group), max(lengths[i] for i in group)) for group in groups)
        assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))


def test_a_joined_run_fills_a_batch_by_what_it_holds() -> None:
    batches = epoch_batches([10] * 8, 4, random.Random(0), weights=[4.0] * 8)
    assert [len(batch) for (batch,) in batches] == [1] * 8
    in_groups = epoch_batches([10] * 8, 8, random.Random(0), weights=[4.0] * 8, group_size=2)
    assert [[len(group) for group in batch] for batch in in_groups] == [[1, 1]] * 4


def sentences(count: int) -> list[Document]:
    return [
        Document(str(i), f"word{i} asthma .", (Span(len(f"word{i} "), len(f"word{i} asthma"), "Disease"),))
        for i in range(count)
    ]


@settings(deadline=None)
@given(st.integers(0, 60), st.floats(0, 0.9), st.integers(0, 5))
def test_joined_runs_hold_every_sentence_and_mention_once(count: int, share: float, seed: int) -> None:
    runs = join_runs(sentences(count), share, random.Random(seed))
    assert " ".join(document.text for document, _ in runs) == " ".join(s.text for s in sentences(count))
    assert sum(size for _, size in runs) == count
    assert all(1 <= size <= LONGEST_RUN for _, size in runs)
    assert sum(len(document.spans) for document, _ in runs) == count
    for document, _ in runs:
        assert {document.text[s.start : s.end] for s in document.spans} <= {"asthma"}


def test_the_share_of_joined_sentences_is_as_asked() -> None:
    runs = join_runs(sentences(20_000), 0.5, random.Random(1))
    assert abs(sum(size for _, size in runs if size > 1) / 20_000 - 0.5) < 0.03
    assert all(size == 1 for _, size in join_runs(sentences(100), 0.0, random.Random(1)))
