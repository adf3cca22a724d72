"""Whether a model in another form computes what the original computes, on real text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

import zoo.registry
from zoo.corpora.readers.jsonl import read_jsonl
from zoo.modeling.batches import forward, token_batches
from zoo.modeling.windows import Entity, Window, finish
from zoo.records import Record
from zoo.tagging.engine import decode_logits
from zoo.tagging.tagger import Tagger

LOGIT_TOLERANCE = 1e-4
"""float32 on another path through the same weights rounds otherwise; more than this is another model."""
_Found = dict[int, list[Entity]]
BATCH_TOKENS = 1024
"""Long windows go alone, short ones padded together: both are compared."""


class Agreement(Record):
    """How far two models agree on the same texts."""

    texts: int
    tokens: int = Field(description="special tokens included, padding not")
    max_logit_difference: float = Field(description="largest absolute difference of a logit of a token")
    entities: int = Field(description="of the original")
    other_entities: int = Field(description="of the other")
    equal_entities: int = Field(description="the same [start, end) and type in both")

    @property
    def share(self) -> float | None:
        """Equal entities as a fraction of those that either finds; None: neither finds any."""
        either = self.entities + self.other_entities - self.equal_entities
        return self.equal_entities / either if either else None


def sample_texts() -> list[str]:
    """Test documents of the bundled sample corpora (original abstracts), and all of them as one long text."""
    folder = Path(zoo.registry.__file__).parent / "samples"
    texts = [document.text for path in sorted(folder.glob("sample-*/test.jsonl")) for document in read_jsonl(path)]
    return [*texts, " ".join(texts[::4])]


def compare(
    original: Tagger, other: Tagger, texts: Sequence[str], own: Sequence[int], *, batch_tokens: int = BATCH_TOKENS
) -> Agreement:
    """Logits and entities of two models on the same texts.

    Args:
        original: The model to be like.
        other: The model in another form; its label k is label `own[k]` of the original.
        texts: Texts of any length.
        own: Columns of the original's logits, shape [labels of the other].
        batch_tokens: Padded tokens of a batch; 1: every window alone.
    """
    import torch

    windows = original.encode(texts)
    pad_id = int(original.tokenizer.pad_token_id or 0)
    largest: list[torch.Tensor] = []
    found: tuple[_Found, _Found] = ({}, {})
    with torch.inference_mode():
        for batch in token_batches(windows, batch_tokens):
            chosen = [windows[index] for index in batch]
            logits = [forward(tagger.model, chosen, pad_id) for tagger in (original, other)]
            difference = (logits[0][..., list(own)] - logits[1]).abs()
            largest += [difference[row, : len(window)].max() for row, window in enumerate(chosen)]
            for side, tagger in enumerate((original, other)):
                found[side].update(zip(batch, decode_logits(chosen, logits[side], tagger.labels), strict=True))
    ours, theirs = (_keys(texts, windows, side) for side in found)
    return Agreement(
        texts=len(texts),
        tokens=sum(map(len, windows)),
        max_logit_difference=float(torch.stack(largest).max()),  # not a number stays not a number
        entities=len(ours),
        other_entities=len(theirs),
        equal_entities=len(ours & theirs),
    )


def _keys(texts: Sequence[str], windows: Sequence[Window], found: _Found) -> set[tuple[int, int, int, str]]:
    """Text, start, end and type of every entity."""
    per_text: list[list[list[Entity]]] = [[] for _ in texts]
    for index, window in enumerate(windows):
        per_text[window.text].append(found[index])
    return {
        (number, *entity.key)
        for number, (text, per_window) in enumerate(zip(texts, per_text, strict=True))
        for entity in finish(text, per_window)
    }
