"""Cutting long texts: nothing is lost, lengths are in range, borders are where sentences end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.passages.cutting import cut_text

WORDS = st.lists(st.sampled_from(["a", "bc", "d.", "e?)", "\n", "\n\n", "f"]), max_size=120)


@settings(deadline=None, max_examples=150)
@given(WORDS, st.integers(1, 30), st.data())
def test_pieces_are_the_text(tokens: list[str], max_words: int, data: st.DataObject) -> None:
    text = " ".join(tokens)
    min_words = data.draw(st.integers(0, max_words // 2))
    pieces = cut_text(text, max_words, min_words)
    assert [word for piece in pieces for word in piece.split()] == text.split()
    if len(pieces) == 1:
        assert pieces == [text] and len(text.split()) <= max_words
    else:
        assert all(max(min_words, 1) <= len(piece.split()) <= max_words for piece in pieces)
        assert all(piece == piece.strip() and piece in text for piece in pieces)


def test_sentences_stay_whole_where_they_can() -> None:
    first, second, third = "One two three four.", "Five six (seven eight.)", "Nine ten eleven twelve!"
    assert cut_text(f"{first} {second} {third}", 8) == [first, f"{second} {third}"]
    assert cut_text(f"{first} {second}\n{third} A b", 9) == [f"{first} {second}", f"{third} A b"]
    assert cut_text("a b c\nd e f g", 5) == ["a b c", "d e f g"]


def test_paragraphs_count_as_sentence_ends() -> None:
    assert cut_text("Findings\n\nnone of note here", 5) == ["Findings\n\nnone of note here"]
    assert cut_text("a b c d\n\ne f\ng h i", 6) == ["a b c d", "e f\ng h i"]


@pytest.mark.parametrize("length", [201, 250, 399, 400, 401, 1000])
def test_there_is_no_short_rest(length: int) -> None:
    sizes = [len(piece.split()) for piece in cut_text("w " * length, 200, 30)]
    assert min(sizes) >= 100 and len(sizes) == -(-length // 200)
