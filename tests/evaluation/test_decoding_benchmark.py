"""`benchmarks/decoding.py`: its one forward pass gives what four calls of the plain pipeline give."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from tests.conftest import ROOT, TINY_SENTENCES
from zoo.corpora.document import Document
from zoo.tagging.tagger import Tagger

LABELS = ("O", "B-Disease", "I-Disease", "B-Chemical", "I-Chemical")


@pytest.mark.parametrize("family", ["bert", "roberta", "xlm-roberta"])
def test_one_forward_pass_gives_what_four_pipelines_give(family: str, tiny_registry: Path) -> None:
    from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline, set_seed

    folder = tiny_registry / "models" / family
    set_seed(1)
    model = AutoModelForTokenClassification.from_pretrained(
        folder, num_labels=len(LABELS), id2label=dict(enumerate(LABELS)), label2id={n: i for i, n in enumerate(LABELS)}
    )
    with_head = 20 * model.get_parameter("classifier.weight").data  # so that labels change from token to token
    model.get_parameter("classifier.weight").data = with_head
    tagger = Tagger.of(model, AutoTokenizer.from_pretrained(folder))
    texts = [text for text, _ in TINY_SENTENCES]
    texts.append(" ".join(texts))  # several windows
    benchmark = runpy.run_path(str(ROOT / "benchmarks" / "decoding.py"))
    found = benchmark["decode_all"](tagger, [Document(str(n), text) for n, text in enumerate(texts)])

    different = set()
    for strategy in ("simple", "first", "average", "max"):
        ner = pipeline(
            "token-classification",
            model=tagger.model,
            tokenizer=tagger.tokenizer,
            aggregation_strategy=strategy,
            stride=tagger.stride_tokens,
        )
        for text, entities, ours in zip(texts, ner(texts), found[strategy], strict=True):
            expected = [(e["entity_group"], text[e["start"] : e["end"]].strip()) for e in entities]
            assert [(e.type, text[e.start : e.end]) for e in ours] == [item for item in expected if item[1]]
        different.add(tuple(tuple(e.key for e in entities) for entities in found[strategy]))
    assert len(different) > 1  # the strategies do differ on this model
