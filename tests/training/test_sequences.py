"""Token ids of texts in one array: what the tokenizer gives, in the order of an epoch."""

from __future__ import annotations

from itertools import chain

from tests.training.conftest import Tiny
from zoo.training.masked_lm import encode_passages
from zoo.training.sequences import TokenSequences


def test_an_epoch_is_what_the_tokenizer_gives_for_its_texts(tiny: Tiny) -> None:
    """Long texts are several sequences, texts are drawn twice or not at all; more than one reading of texts."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny.backbone)
    texts = ["aspirin stopped migraine " * (1 + number % 7) for number in range(1005)]
    sequences = TokenSequences(tokenizer, texts, 12)
    for epoch in ([4, 1003, 2, 2, 6, 999, 1000], range(1005), []):
        expected = [*chain.from_iterable(encode_passages(tokenizer, [texts[number] for number in epoch], 12))]
        numbers = sequences.of(epoch).tolist()
        assert [sequences[number] for number in numbers] == expected
        assert sequences.lengths[numbers].tolist() == [len(sequence) for sequence in expected]
    assert len(encode_passages(tokenizer, [texts[6]], 12)[0]) > 1
