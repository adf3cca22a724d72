"""A stream of documents is answered as each of them alone, in whatever buffers and blocks it is cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.tiny import TEXTS, TOKENIZER_OF, save_tiny_backbone, tiny_tokenizer
from zoo.modeling.windows import encode
from zoo.tagging import stream
from zoo.tagging.stream import stream_windows, tag_stream
from zoo.tagging.tagger import Tagger
from zoo.tagging.texts import Text

FAMILIES = ("bert", "deberta-v2", "roberta")
LABELS = ["O", "B-Disease", "I-Disease"]


@pytest.fixture(scope="module", params=FAMILIES)
def tagger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tagger:
    """A random model that finds plenty, in windows of 32 tokens that share 8."""
    return make_tagger(request.param, tmp_path_factory.mktemp("tiny"))


def make_tagger(family: str, folder: Path) -> Tagger:
    import torch
    from transformers import AutoModelForTokenClassification

    save_tiny_backbone(family, folder)
    labels: dict[str, Any] = {"num_labels": 3, "id2label": dict(enumerate(LABELS))}
    torch.manual_seed(1)
    model = AutoModelForTokenClassification.from_pretrained(folder, **labels)
    with torch.no_grad():
        model.classifier.weight.normal_(0, 2)
    tokenizer = tiny_tokenizer(TOKENIZER_OF[family])
    tokenizer.model_max_length = 32
    return Tagger.of(model, tokenizer, stride_tokens=8)


def trimmed(text: str, offsets: Any) -> list[tuple[int, int]]:
    """Offsets without the space that a byte-level tokenizer counts in at the start of what it is given."""
    return [(start + len(text[start:end]) - len(text[start:end].lstrip()), end) for start, end in offsets.tolist()]


words = st.sampled_from([*" ".join(TEXTS).split(), "\n", "\t", "  ", "naïve", "β-catenin", "中文"])


@settings(max_examples=60, deadline=None)
@given(parts=st.lists(words, min_size=1, max_size=120), characters=st.integers(20, 400))
@example(parts=["abcdefghijklmnopqrstuvwxyz", "with"], characters=20)
def test_windows_of_blocks_are_those_of_the_whole_text(tagger: Tagger, parts: list[str], characters: int) -> None:
    text = " ".join(parts)
    blocks = list(stream_windows(tagger, text, block_characters=characters))
    whole = encode(tagger.tokenizer, [text], window_tokens=32, stride_tokens=8)
    assert [w.input_ids for w in blocks] == [w.input_ids for w in whole]
    for ours, theirs in zip(blocks, whole, strict=True):
        assert ours.real.tolist() == theirs.real.tolist()
        texts = theirs.offsets[:, 1] > theirs.offsets[:, 0]  # others stand for white space, before or after it
        assert trimmed(text, ours.offsets[texts]) == trimmed(text, theirs.offsets[texts])
        assert not (ours.offsets[~texts, 1] > ours.offsets[~texts, 0]).any()
        assert ours.continues[ours.real].tolist() == theirs.continues[theirs.real].tolist()


@pytest.mark.parametrize("word", ["e\u0301tat\u00a0as\u00adthma", "患者服用阿司匹林", "कि\u200dतना\u200b"])
def test_windows_of_blocks_are_those_of_any_writing(tagger: Tagger, word: str) -> None:
    for text in (word * 30, f"{word} " * 30):
        blocks, whole = list(stream_windows(tagger, text, block_characters=40)), tagger.encode([text])
        assert [w.input_ids for w in blocks] == [w.input_ids for w in whole]
        for ours, theirs in zip(blocks, whole, strict=True):
            texts = theirs.offsets[:, 1] > theirs.offsets[:, 0]
            assert trimmed(text, ours.offsets[texts]) == trimmed(text, theirs.offsets[texts])


@pytest.mark.parametrize(("buffer_tokens", "block_characters"), [(1, 60), (100, 200), (1 << 17, 100_000)])
def test_a_stream_answers_as_one_document_at_a_time(
    tagger: Tagger, buffer_tokens: int, block_characters: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "BLOCK_CHARACTERS", block_characters)
    contents = [*TEXTS, "", "  ", " ".join(TEXTS) * 4, TEXTS[0]]
    texts = [Text(str(number), content) for number, content in enumerate(contents)]
    answers = list(tag_stream([tagger], iter(texts), buffer_tokens=buffer_tokens))
    assert [answer.text for answer in answers] == texts
    alone = [tagger.tag([content])[0] for content in contents]
    assert [[e.key for e in answer.entities[0]] for answer in answers] == [[e.key for e in each] for each in alone]
    scores = [e.score for answer in answers for e in answer.entities[0]]
    assert scores == pytest.approx([e.score for each in alone for e in each], abs=1e-4)
    assert len(scores) > 20


def test_documents_are_read_as_they_are_needed(tagger: Tagger) -> None:
    """A stream without end is answered too, so memory cannot grow with it."""
    given = 0

    def endless() -> Any:
        nonlocal given
        while True:
            given += 1
            yield Text(str(given), TEXTS[0])

    answers = tag_stream([tagger], endless(), buffer_tokens=200)
    assert [next(answers).text.id for _ in range(50)] == [str(n) for n in range(1, 51)]
    assert given < 100
