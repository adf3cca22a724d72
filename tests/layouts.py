"""Tiny models in the file layouts of the paper's backbones on the Hub: none has safetensors or tokenizer.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.tiny import TEXTS

LAYOUTS = {
    "deberta-v3-large": "deberta-v2",
    "pubmedbert-large": "bert",
    "biomedelectra-large": "bert",
    "bioelectra-base": "electra",
}
"""Backbone of the registry -> its family."""
_SIZES = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 96}


def save_layout(name: str, folder: Path, texts: Sequence[str] = TEXTS, positions: int = 64) -> None:
    """Write random weights in the layout of a backbone.

    Args:
        name: Backbone of the registry.
        folder: A new folder.
        texts: What the vocabulary is made from.
        positions: Length of the longest window.

    deberta-v3: spm.model, no `architectures`, float16, heads under names of its own. BiomedBERT: vocab.txt and a
    masked language model. BiomedELECTRA: model_type bert, no tokenizer_config.json. BioELECTRA: a discriminator.
    """
    import torch
    import transformers as t

    t.set_seed(0)
    folder.mkdir(parents=True)
    if name == "deberta-v3-large":
        config, weights = _deberta(folder, texts, positions)
    else:
        words = _save_vocabulary(folder, texts)
        if name != "biomedelectra-large":
            (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True}))
        config = {"model_type": "electra" if name == "bioelectra-base" else "bert", "vocab_size": words, **_SIZES}
        config |= {"max_position_embeddings": positions, "type_vocab_size": 2}
        if name == "bioelectra-base":
            config |= {"architectures": ["ElectraForPreTraining"], "embedding_size": 64}
            weights = t.ElectraForPreTraining(t.ElectraConfig(**config)).state_dict()
        else:
            config |= {"architectures": ["BertForMaskedLM"]} if name == "pubmedbert-large" else {}
            weights = t.BertForMaskedLM(t.BertConfig(**config)).state_dict()
    (folder / "config.json").write_text(json.dumps(config))
    torch.save(weights, folder / "pytorch_model.bin")


def _deberta(folder: Path, texts: Sequence[str], positions: int) -> tuple[dict[str, Any], dict[str, Any]]:
    import sentencepiece
    import torch
    import transformers as t

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*texts] * 4),
        model_prefix=str(folder / "spm"),
        vocab_size=200,
        hard_vocab_limit=False,
        minloglevel=2,
        **{"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3},
        **{"pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]"},
    )
    (folder / "spm.vocab").unlink()
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False, "vocab_type": "spm"}))
    config: dict[str, Any] = {
        "model_type": "deberta-v2",
        "vocab_size": 220,
        **_SIZES,
        "max_position_embeddings": positions,
        **{"relative_attention": True, "position_buckets": 8, "max_relative_positions": -1},
        **{"norm_rel_ebd": "layer_norm", "share_att_key": True, "pos_att_type": "p2c|c2p"},
        **{"position_biased_input": False, "type_vocab_size": 0, "layer_norm_eps": 1e-7},
    }
    model = t.DebertaV2ForMaskedLM(t.DebertaV2Config(**{**config, "pos_att_type": ["p2c", "c2p"]}))
    weights = {key: value.half() for key, value in model.state_dict().items() if key.startswith("deberta.")}
    for key in ("lm_predictions.lm_head.dense.weight", "mask_predictions.dense.weight"):
        weights[key] = torch.randn(64, 64).half()
    return config, weights


def _save_vocabulary(folder: Path, texts: Sequence[str]) -> int:
    from tokenizers import BertWordPieceTokenizer

    tokenizer = BertWordPieceTokenizer(lowercase=True)
    tokenizer.train_from_iterator(texts, vocab_size=400)
    tokenizer.save_model(str(folder))
    return int(tokenizer.get_vocab_size())
