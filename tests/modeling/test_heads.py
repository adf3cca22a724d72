"""Mentions that share characters, divided among heads: what these hold comes back exactly, the rest is counted."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.tiny import tiny_tokenizer
from zoo.corpora.document import Document, Key, Span
from zoo.modeling.heads import LAYOUTS, Head, Layout, ceiling, ceilings, choose, divide, heads_of, held_by
from zoo.modeling.labels import LabelSpace
from zoo.modeling.reach import missing_mentions
from zoo.modeling.windows import Window, decode, encode, finish, join_heads, label_window, words_of

LABELS = LabelSpace(("DNA", "Protein", "Cell"), 4)
TYPES = LABELS.types
WORDS = ["asthma", "IL-2", "receptor", "(alpha)", "NF-kappaB", "and", "T", "cells", ",", "naive", "gene.", "µg"]
WINDOWS = {"one window": (512, 128), "several windows": (32, 20)}
"""Longest window and stride in tokens. A mention of at most so many as the stride lies whole in one of them."""


@cache
def tokenizer() -> Any:
    return tiny_tokenizer("wordpiece")


def windows_of(text: str, how: str) -> list[Window]:
    window_tokens, stride_tokens = WINDOWS[how]
    return encode(tokenizer(), [text], window_tokens=window_tokens, stride_tokens=stride_tokens)


@cache
def words(text: str) -> list[tuple[int, int, int]]:
    """`[start, end)` of the words as the tokenizer sees them, and how many tokens each has."""
    (window,) = windows_of(text, "one window")
    first, last = words_of(window)
    offsets = window.offsets[window.real]
    return [(int(offsets[a, 0]), int(offsets[b, 1]), int(b - a + 1)) for a, b in zip(first, last, strict=True)]


@st.composite
def documents(draw: st.DrawFn, *, broken: bool = False, types: tuple[str, ...] = TYPES) -> Document:
    """Any mentions, nested and overlapping as they come, with borders at those of words; a third in parts if asked."""
    text = " ".join(draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=20)))
    places = words(text)
    spans: dict[Key, Span] = {}
    for _ in range(draw(st.integers(0, 10))):
        first = draw(st.integers(0, len(places) - 1))
        last = draw(st.integers(first, min(first + 6, len(places) - 1)))
        if sum(tokens for _, _, tokens in places[first : last + 1]) > 20:
            continue
        start, end, name = places[first][0], places[last][1], draw(st.sampled_from(types))
        fragments = ()
        if broken and last - first > 1 and draw(st.integers(0, 2)) == 0:
            gap = draw(st.integers(first + 1, last - 1))
            fragments = ((start, places[gap - 1][1]), (places[gap + 1][0], end))
        span = Span(start, end, name, (), fragments)
        spans[span.key] = span
    return Document("d", text, tuple(sorted(spans.values())))


def come_back(document: Document, heads: tuple[Head, ...], windows: list[Window]) -> set[Key]:
    """Mentions of a document, divided among heads, as labels of all windows, decoded and joined again."""
    per_head = []
    for spans in divide(document.spans, heads):
        assert all(one.end <= other.start for one, other in pairwise(spans)), "a head labels nothing twice"
        per_window = []
        for window in windows:
            ids = np.asarray(label_window(window, spans, LABELS))
            per_window.append(decode(window, ids, np.ones(len(window), dtype=np.float32), LABELS.labels))
        per_head.append(finish(document.text, per_window))
    return {entity.key for entity in join_heads(per_head)}


@pytest.mark.parametrize("how", WINDOWS)
@pytest.mark.parametrize(("layout", "levels"), [("flat", 1), ("types", 1), ("levels", 3), ("types-levels", 2)])
@settings(deadline=None, max_examples=40)
@given(document=documents())
def test_what_a_layout_holds_comes_back_and_the_rest_is_counted(
    layout: Layout, levels: int, how: str, document: Document
) -> None:
    heads, windows = heads_of(layout, TYPES, levels), windows_of(document.text, how)
    found = come_back(document, heads, windows)
    assert found == held_by(heads, document.spans)
    gold = {span.key for span in document.spans}
    assert found <= gold and missing_mentions([document], windows, heads, LABELS) == (0, len(gold) - len(found))
    counted = ceiling(layout, [document], TYPES, levels)
    assert (counted.held, counted.mentions) == (len(found), len(gold))


@pytest.mark.parametrize("how", WINDOWS)
@settings(deadline=None, max_examples=40)
@given(document=documents(), layout=st.sampled_from(["levels", "types-levels"]))
def test_enough_levels_hold_all_mentions_in_one_piece(how: str, document: Document, layout: Layout) -> None:
    heads = heads_of(layout, TYPES, 1 + len(document.spans))
    assert come_back(document, heads, windows_of(document.text, how)) == {span.key for span in document.spans}


@pytest.mark.parametrize("how", WINDOWS)
@settings(deadline=None, max_examples=40)
@given(document=documents(broken=True))
def test_no_head_holds_discontinuous_mentions(how: str, document: Document) -> None:
    gold, windows = {span.key for span in document.spans}, windows_of(document.text, how)
    heads = heads_of("levels", TYPES, 1 + len(document.spans))
    found = come_back(document, heads, windows)
    assert found == held_by(heads, document.spans) == {key for key in gold if len(key) == 3}
    assert missing_mentions([document], windows, heads, LABELS) == (0, len(gold) - len(found))


@settings(deadline=None, max_examples=40)
@given(st.lists(documents(), min_size=1, max_size=3))
def test_finer_layouts_hold_no_less(some: list[Document]) -> None:
    assume(any(document.spans for document in some))
    by_levels = [ceiling("types-levels", some, TYPES, levels).held for levels in (1, 2, 3)]
    assert by_levels == sorted(by_levels) and ceiling("types", some, TYPES).held == by_levels[0]
    found = ceilings(some, TYPES)
    assert {each.layout for each in found} == set(LAYOUTS)
    chosen = choose(found)
    assert all(len(c.heads) >= len(chosen.heads) or c.share < chosen.share + 0.005 for c in found)


def test_a_mention_in_a_token_is_unaligned_and_one_too_deep_unreachable() -> None:
    text = "NF-kappaB gene"
    spans = (Span(0, 14, "DNA"), Span(0, 9, "Protein"), Span(3, 5, "Protein"), Span(0, 14, "Cell"))
    document, windows = Document("d", text, spans), windows_of(text, "one window")
    assert missing_mentions([document], windows, heads_of("levels", TYPES, 2), LABELS) == (0, 2)
    assert missing_mentions([document], windows, heads_of("types-levels", TYPES, 2), LABELS) == (1, 0)
    broken = Document("d", text, (Span(0, 14, "DNA", (), ((0, 2), (10, 14))),))
    assert missing_mentions([broken], windows, heads_of("flat", TYPES), LABELS) == (0, 1)
