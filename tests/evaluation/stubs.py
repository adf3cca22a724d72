"""A tagger without a network and one with the smallest possible: both find the words of a list."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from zoo.modeling.device import Precision
from zoo.modeling.windows import Entity

WORDS = {"asthma": "Disease", "migraine": "Disease", "aspirin": "Chemical", "ibuprofen": "Chemical"}


class ListTagger:
    """Finds words exactly as they are written in its list; `tag` is that of `Tagger`."""

    def __init__(self, words: Mapping[str, str] = WORDS) -> None:
        self.words = words
        self.tagged: list[list[str]] = []

    def tag(
        self, texts: Sequence[str], *, precision: Precision = "float32", progress: Callable[[int], None] | None = None
    ) -> list[list[Entity]]:
        self.tagged.append(list(texts))
        pattern = "|".join(map(re.escape, self.words))
        return [
            [Entity(m.start(), m.end(), self.words[m.group()], 1.0) for m in re.finditer(rf"\b({pattern})\b", text)]
            for text in texts
        ]


def save_list_model(folder: Path, words: Mapping[str, str] = WORDS, disabled: Sequence[str] = ()) -> None:
    """Write a BERT without layers whose embeddings are its word list: a real model that needs no training.

    Args:
        folder: Where to.
        words: Word in lower case -> type.
        disabled: Types of further labels that its head switches off, as the zoo's adapters do.
    """
    import torch
    from transformers import BertConfig, BertForTokenClassification, BertTokenizerFast

    types = sorted(set(words.values()))
    labels = ["O", *(f"{prefix}-{name}" for name in (*types, *disabled) for prefix in ("B", "I"))]
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,;:!?()-'/"
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = [*special, *words, *letters, *(f"##{letter}" for letter in letters)]
    size = 4 * (1 + len(types))
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=size,
        num_hidden_layers=0,
        num_attention_heads=1,
        intermediate_size=4,
        max_position_embeddings=64,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
    )
    model = BertForTokenClassification(config)
    with torch.no_grad():
        embeddings = model.bert.embeddings
        embeddings.position_embeddings.weight.zero_()
        embeddings.token_type_embeddings.weight.zero_()
        embeddings.word_embeddings.weight.zero_()
        embeddings.word_embeddings.weight[:, 0] = 1.0
        model.classifier.weight.zero_()
        model.classifier.bias.zero_()
        model.classifier.weight[0, 0] = 1.0
        for index, name in enumerate(types, start=1):
            model.classifier.weight[2 * index - 1, index] = 1.0
            for word in (word for word, kind in words.items() if kind == name):
                embeddings.word_embeddings.weight[vocabulary.index(word), [0, index]] = torch.tensor([0.0, 1.0])
        model.classifier.bias[1 + 2 * len(types) :] = -1e4
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    model.save_pretrained(folder)
    BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
