"""Our decoding equals the plain pipeline on the same text, short and long, for every kind of tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tiny import TEXTS, TOKENIZER_OF, save_tiny_backbone, tiny_tokenizer
from zoo.modeling.windows import aggregation_strategy
from zoo.tagging.tagger import Tagger


@pytest.mark.parametrize("family", ["bert", "deberta-v2", "roberta"])
def test_same_entities_as_the_pipeline(family: str, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForTokenClassification, pipeline

    save_tiny_backbone(family, tmp_path)
    names = ["O", "B-Disease", "I-Disease", "B-Chemical", "I-Chemical"]
    labels: dict[str, Any] = {
        "num_labels": 5,
        "id2label": dict(enumerate(names)),
        "label2id": {n: i for i, n in enumerate(names)},
    }
    torch.manual_seed(1)
    model = AutoModelForTokenClassification.from_pretrained(tmp_path, **labels)
    with torch.no_grad():  # a random head that finds plenty of entities of all shapes
        model.classifier.weight.normal_(0, 2)
    tokenizer = tiny_tokenizer(TOKENIZER_OF[family])
    tokenizer.model_max_length = 32
    tagger = Tagger.of(model, tokenizer, stride_tokens=8)
    ner = pipeline(
        "token-classification",
        model=model,
        tokenizer=tokenizer,
        aggregation_strategy=aggregation_strategy(tokenizer),
        stride=8,
    )
    texts = [*TEXTS, "  asthma\tand\r\nmigraine  ", " ".join(TEXTS) * 6]
    ours = tagger.tag_windows(texts, tagger.encode(texts))  # `tag` looks at lines a second time
    keys = [[[e.key for e in found] for found in each] for each in (tagger.tag(TEXTS), ours[: len(TEXTS)])]
    assert keys[0] == keys[1]
    total = 0
    for text, entities in zip(texts, ours, strict=True):
        theirs = []
        for e in ner(text):
            piece = text[e["start"] : e["end"]]
            if piece.strip():
                start = int(e["end"]) - len(piece.lstrip())
                theirs.append(
                    (start, int(e["start"]) + len(piece.rstrip()), e["entity_group"], round(float(e["score"]), 3))
                )
        assert [(e.start, e.end, e.type, round(e.score, 3)) for e in entities] == theirs
        total += len(theirs)
    assert total > 50
