"""Token ids of many texts, each encoded once, in one array: 4 bytes a token, whatever the number of epochs."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zoo.training.masked_lm import encode_passages

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BATCH = 1000
Ints = npt.NDArray[np.int64]


class TokenSequences:
    """The sequences of texts, one after another; a text has several where it is longer than one may be.

    Args:
        tokenizer: Encodes the texts.
        texts: The texts, read a thousand at a time.
        length_tokens: Most tokens of a sequence.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], length_tokens: int) -> None:
        tokens, ends, sequences_before = array("i"), array("q", [0]), array("q", [0])
        for start in range(0, len(texts), _BATCH):
            for text_sequences in encode_passages(tokenizer, texts[start : start + _BATCH], length_tokens):
                for sequence in text_sequences:
                    tokens.extend(sequence)
                    ends.append(len(tokens))
                sequences_before.append(len(ends) - 1)
        self._tokens = np.frombuffer(tokens, dtype=np.int32) if tokens else np.zeros(0, dtype=np.int32)
        self._ends, self._before = np.array(ends), np.array(sequences_before)
        self.lengths: Ints = np.diff(self._ends)
        """Tokens of each sequence."""

    def __getitem__(self, number: int) -> list[int]:
        ids: list[int] = self._tokens[self._ends[number] : self._ends[number + 1]].tolist()
        return ids

    def of(self, texts: Sequence[int] | Ints) -> Ints:
        """Numbers of the sequences of these texts, in order."""
        chosen = np.asarray(texts, dtype=np.int64)
        counts = self._before[chosen + 1] - self._before[chosen]
        first = np.repeat(self._before[chosen] - (np.cumsum(counts) - counts), counts)
        numbers: Ints = first + np.arange(len(first))
        return numbers
