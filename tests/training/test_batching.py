"""Batches and joined runs hold every sentence once, in an order that the seed decides."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.corpora.document import Document, Span, text_of
from zoo.training.batching import epoch_batches, mixed_batches
from zoo.training.joining import LONGEST_RUN, draw_epoch, join_runs, shares_by_size


@settings(deadline=None)
@given(st.lists(st.integers(3, 80), max_size=300), st.integers(1, 20), st.integers(0, 5))
def test_every_window_is_in_one_batch(lengths: list[int], batch_size: int, seed: int) -> None:
    batches = epoch_batches(lengths, batch_size, random.Random(seed))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(len(batch) <= batch_size for batch in batches)
    assert batches == epoch_batches(lengths, batch_size, random.Random(seed))


@settings(deadline=None)
@given(st.lists(st.sampled_from([0.5, 1.0, 3.0]), max_size=100), st.integers(1, 20), st.integers(0, 5))
def test_mixed_batches_hold_every_window_once(weights: list[float], batch_size: int, seed: int) -> None:
    batches = mixed_batches(weights, batch_size, random.Random(seed))
    assert sorted(index for batch in batches for index in batch) == list(range(len(weights)))
    assert all(batch_size <= sum(weights[i] for i in batch) < batch_size + 3 for batch in batches[:-1])
    assert batches == mixed_batches(weights, batch_size, random.Random(seed))


def test_a_joined_run_fills_a_batch_by_what_it_holds() -> None:
    batches = epoch_batches([10] * 8, 4, random.Random(0), weights=[4.0] * 8)
    assert [len(batch) for batch in batches] == [1] * 8


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


def test_discontinuous_mentions_stay_so_in_runs() -> None:
    """Else their gap would be trained on as a part of them."""
    text, parts = "T and B cells", ((0, 1), (8, 13))
    some = [Document(str(i), text, (Span(0, 13, "Cell", (), parts), Span(6, 13, "Cell"))) for i in range(20)]
    runs = join_runs(some, 0.9, random.Random(1))
    assert any(size > 1 for _, size in runs)
    for document, size in runs:
        assert [text_of(document.text, span.key) for span in document.spans] == ["T cells", "B cells"] * size


def test_the_share_of_joined_sentences_is_as_asked() -> None:
    runs = join_runs(sentences(20_000), 0.5, random.Random(1))
    assert abs(sum(size for _, size in runs if size > 1) / 20_000 - 0.5) < 0.03
    assert all(size == 1 for _, size in join_runs(sentences(100), 0.0, random.Random(1)))


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=4), st.floats(0.05, 20), st.floats(0, 0.9), st.integers(0, 5))
def test_an_epoch_has_of_each_corpus_what_its_share_says(
    sizes: list[int], temperature: float, joined: float, seed: int
) -> None:
    documents = [Document(f"{part}/{i}", "word .", ()) for part, size in enumerate(sizes) for i in range(size)]
    starts = [sum(sizes[:part]) for part in range(len(sizes))]
    parts = [slice(start, start + size) for start, size in zip(starts, sizes, strict=True)]
    shares = shares_by_size(parts, temperature)
    drawn = draw_epoch(documents, shares, joined, random.Random(seed))
    assert drawn == draw_epoch(documents, shares, joined, random.Random(seed))
    for part, share in enumerate(shares):
        own = [(document.id, size) for document, size in drawn if document.id.startswith(f"{part}/")]
        read = sum(size for _, size in own)
        assert share.documents - LONGEST_RUN < read <= share.documents
        if not joined:  # each as often as any other, or once more
            times = Counter(name for name, _ in own)
            assert (
                read == share.documents
                and max(times.values()) - (min(times.values()) if len(times) == sizes[part] else 0) <= 1
            )


def test_shares_by_temperature() -> None:
    """sizes ** (1 / temperature), of as many documents as there are: 100 and 900 are 10 and 30 at temperature 2."""
    parts = [slice(0, 100), slice(100, 1000)]
    read = {t: [share.documents for share in shares_by_size(parts, t)] for t in (1.0, 2.0, 1e9)}
    assert read == {1.0: [100, 900], 2.0: [250, 750], 1e9: [500, 500]}


def test_runs_do_not_reach_from_one_corpus_into_the_next() -> None:
    documents = [Document(f"{part}", f"{part}", ()) for part in "ab" for _ in range(300)]
    shares = shares_by_size([slice(0, 300), slice(300, 600)], 1.0)
    drawn = draw_epoch(documents, shares, 0.9, random.Random(0))
    assert any(size > 1 for _, size in drawn)
    assert all(len(set(document.text) - {" "}) == 1 for document, _ in drawn)
