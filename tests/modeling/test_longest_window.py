"""How long a window may be: what tokenizer and position embeddings allow."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tiny import TOKENIZER_OF, save_tiny_backbone, tiny_tokenizer
from zoo.modeling.batches import longest_window
from zoo.tagging.tagger import Tagger


@pytest.mark.parametrize(("family", "shifted"), [("bert", False), ("roberta", True), ("xlm-roberta", True)])
def test_the_longest_window_has_a_position_for_each_token(family: str, shifted: bool, tmp_path: Path) -> None:
    from transformers import AutoModelForTokenClassification

    save_tiny_backbone(family, tmp_path)
    model = AutoModelForTokenClassification.from_pretrained(tmp_path)
    assert model.config.model_type == family
    tokenizer = tiny_tokenizer(TOKENIZER_OF[family])
    tokenizer.model_max_length = 10_000
    positions = model.config.max_position_embeddings
    assert longest_window(model, tokenizer) == positions - (model.config.pad_token_id + 1 if shifted else 0)
    assert Tagger.of(model, tokenizer).tag([" ".join(["aspirin"] * 2 * positions)]) is not None
    tokenizer.model_max_length = 20
    assert longest_window(model, tokenizer) == 20
