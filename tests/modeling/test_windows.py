"""Text to windows and back, for the three kinds of tokenizers and for awkward text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.tiny import tiny_tokenizer
from zoo.corpora.document import Document, Span
from zoo.modeling.heads import heads_of
from zoo.modeling.labels import LabelSpace
from zoo.modeling.reach import missing_mentions
from zoo.modeling.windows import IGNORED, Entity, decode, encode, finish, join_windows, label_window

LABELS = LabelSpace(("Disease", "Chemical"), 4)
KINDS = ("wordpiece", "unigram", "bpe")
PIECES = [
    "asthma",
    "aspirin",
    "Kidney",
    "naïve",
    "e\u0301tat",
    "🧬",
    "😷",
    "日本",
    "IL-6",
    "(5%)",
    "x" * 120,
    "\u200b",
    "µg",
    "ﬁbrosis",
    "א",
]
GAPS = [" ", "  ", "\t", "\r\n", "\n\n", " , "]
TOKENIZERS: dict[str, Any] = {}


def tokenizer(kind: str) -> Any:
    if kind not in TOKENIZERS:
        TOKENIZERS[kind] = tiny_tokenizer(kind)
    return TOKENIZERS[kind]


def round_trip(
    kind: str, document: Document, window_tokens: int = 64, stride_tokens: int = 16
) -> set[tuple[int, int, str]]:
    """Decode the gold labels of all windows."""
    found = []
    for window in encode(tokenizer(kind), [document.text], window_tokens=window_tokens, stride_tokens=stride_tokens):
        ids = np.asarray(label_window(window, document.spans, LABELS))
        found.append(decode(window, ids, np.ones(len(window), dtype=np.float32), LABELS.labels))
    return {entity.key for entity in finish(document.text, found)}


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Words and gaps; some runs of words are mentions."""
    text, spans = "", []
    for _ in range(draw(st.integers(0, 12))):
        text += draw(st.sampled_from(GAPS))
        start = len(text)
        for index in range(draw(st.integers(1, 2))):
            text += (" " if index else "") + draw(st.sampled_from(PIECES))
        if draw(st.booleans()):
            spans.append(Span(start, len(text), draw(st.sampled_from(LABELS.types))))
    return Document("d", text + draw(st.sampled_from(["", *GAPS])), tuple(spans))


@pytest.mark.parametrize("kind", KINDS)
@example(document=Document("d", " asthma \u200b asthma", (Span(1, 7, "Disease"), Span(8, 16, "Disease"))))
@settings(max_examples=60, deadline=None)
@given(document=documents())
def test_decode_inverts_encode(kind: str, document: Document) -> None:
    windows = encode(tokenizer(kind), [document.text], window_tokens=256, stride_tokens=64)
    lost = missing_mentions([document], windows, heads_of("flat", LABELS.types), LABELS)
    found, gold = round_trip(kind, document, 256, 64), {span.key for span in document.spans}
    assert (len(gold - found), 0) == lost, "what cannot be expressed is counted"
    # A mention of which the tokenizer sees nothing at all, or not its borders, is lost; every other one comes back.
    hopeless = {"\u200b", "ﬁbrosis", "e\u0301tat", "x" * 120, "日本"}
    for key in gold - found:
        assert any(piece in document.text[key[0] : key[1]] for piece in hopeless), document.text[key[0] : key[1]]


@pytest.mark.parametrize("kind", KINDS)
def test_hundred_thousand_characters_lose_nothing(kind: str) -> None:
    sentence = "Patients with asthma took aspirin daily .\n"
    repeats = 100_000 // len(sentence) + 1
    spans = []
    for index in range(repeats):
        offset = index * len(sentence)
        spans += [Span(offset + 14, offset + 20, "Disease"), Span(offset + 26, offset + 33, "Chemical")]
    document = Document("long", sentence * repeats, tuple(spans))
    assert round_trip(kind, document) == {span.key for span in spans}


@pytest.mark.parametrize("kind", KINDS)
def test_empty_text_has_one_window_and_no_entity(kind: str) -> None:
    windows = encode(tokenizer(kind), ["", " \n"], window_tokens=16, stride_tokens=4)
    assert sorted({window.text for window in windows}) == [0, 1]
    assert round_trip(kind, Document("e", "")) == set()


def test_labels_of_other_people_may_begin_with_an_entity() -> None:
    (window,) = encode(tokenizer("wordpiece"), ["asthma"], window_tokens=64, stride_tokens=16)
    ids, ones = np.zeros(len(window), dtype=np.int64), np.ones(len(window), dtype=np.float32)
    assert decode(window, ids, ones, ["B-Disease", "I-Disease", "O"]) == [Entity(0, 6, "Disease", 1.0)]
    assert decode(window, ids + 2, ones, ["B-Disease", "I-Disease", "O"]) == []


def test_every_sub_token_is_labelled_and_special_tokens_are_ignored() -> None:
    text = "severe migraine today"
    (window,) = encode(tokenizer("wordpiece"), [text], window_tokens=64, stride_tokens=16)
    ids = label_window(window, [Span(0, 15, "Disease")], LABELS)
    assert ids[0] == ids[-1] == IGNORED
    inside = [i for i, (start, end) in zip(ids, window.offsets.tolist(), strict=True) if end > start and start < 15]
    assert len(inside) > 2
    assert inside == [LABELS.begin("Disease")] + [LABELS.begin("Disease") + 1] * (len(inside) - 1)


def test_windows_overlap_by_the_stride_and_cover_the_text() -> None:
    text = " ".join(["asthma"] * 100)
    windows = encode(tokenizer("wordpiece"), [text], window_tokens=32, stride_tokens=8)
    assert all(len(window) <= 32 for window in windows)
    covered = {tuple(pair) for window in windows for pair in window.offsets[window.real].tolist()}
    assert covered == {
        tuple(pair)
        for pair in encode(tokenizer("wordpiece"), [text], window_tokens=4096, stride_tokens=8)[0].offsets.tolist()
    } - {(0, 0)}


def test_of_two_overlapping_entities_the_longer_stays() -> None:
    short, long = Entity(5, 9, "Disease", 0.9), Entity(0, 9, "Disease", 0.5)
    assert join_windows([short, long]) == [long]
    assert join_windows([Entity(0, 4, "Disease", 0.4), Entity(0, 4, "Chemical", 0.6)]) == [
        Entity(0, 4, "Chemical", 0.6)
    ]
    assert join_windows([short, Entity(9, 12, "Disease", 0.5)]) == [short, Entity(9, 12, "Disease", 0.5)]


def test_labels_without_types_are_decoded_as_those_with_one() -> None:
    from zoo.evaluation.scoring import rename_types

    tokenizer = tiny_tokenizer("wordpiece")
    text = "asthma aspirin ibuprofen with"
    (window,) = encode(tokenizer, [text], window_tokens=32, stride_tokens=8)
    scores = np.ones(len(window), dtype=np.float32)
    label_of = {0: 0, 7: 1, 15: 0, 25: 2}  # by the first character of each word
    ids = np.array([label_of[text.rfind(" ", 0, end) + 1] for _, end in window.offsets.tolist()])
    typed = decode(window, ids, scores, ["B-Disease", "I-Disease", "O"])
    bare = decode(window, ids, scores, ["B", "I", "O"])
    assert [(e.start, e.end) for e in bare] == [(e.start, e.end) for e in typed] == [(0, 14), (15, 24)]
    assert {e.type for e in bare} == {"entity"}
    for mapping in ({"B": "Disease", "I": "Disease"}, {"entity": "Disease"}, {"I": "Disease"}):
        assert rename_types([bare], mapping) == [typed]
