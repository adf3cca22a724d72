"""Tiny models of every architecture family, built from a config, each with its own kind of tokenizer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TEXTS = [
    "Patients with asthma took aspirin daily .",
    "The boy had severe migraine after ibuprofen .",
    "No diabetes was found . Metformin and aspirin were stopped .",
    "Chronic kidney disease worsened on ibuprofen . He sleeps well .",
    "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789 ( ) , ; : - / % + = ' \"",
]
_SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 96,
    "max_position_embeddings": 64,
}


def tiny_tokenizer(kind: str, texts: Sequence[str] = TEXTS) -> Any:
    """A fast tokenizer: `wordpiece` (BERT, ELECTRA), `unigram` (DeBERTa, XLM-R) or `bpe` (RoBERTa, ModernBERT).

    The same in every process: of equal candidates the trainers of WordPiece and Unigram take any.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    if kind == "wordpiece":
        special = {
            "unk_token": "[UNK]",
            "pad_token": "[PAD]",
            "cls_token": "[CLS]",
            "sep_token": "[SEP]",
            "mask_token": "[MASK]",
        }
        tokenizer = Tokenizer(models.WordPiece(_word_pieces(texts, list(special.values())), unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
    elif kind == "unigram":
        special = {
            "unk_token": "<unk>",
            "pad_token": "<pad>",
            "cls_token": "<s>",
            "sep_token": "</s>",
            "mask_token": "<mask>",
        }
        tokenizer = Tokenizer(models.Unigram())
        steps = [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]  # as XLM-R's
        tokenizer.normalizer = normalizers.Sequence(steps)
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        names = ["<pad>", "<s>", "</s>", "<unk>", "<mask>"]
        trainer = trainers.UnigramTrainer(vocab_size=300, special_tokens=names, unk_token="<unk>")
        tokenizer.train_from_iterator(texts, trainer)
        found = json.loads(tokenizer.to_str())["model"]["vocab"][len(names) :]
        pieces = sorted(((piece, round(score, 4)) for piece, score in found), key=lambda each: (-each[1], each[0]))
        tokenizer.model = models.Unigram([*((name, 0.0) for name in names), *pieces], unk_id=names.index("<unk>"))
    else:
        special = {
            "unk_token": "<unk>",
            "pad_token": "<pad>",
            "cls_token": "<s>",
            "sep_token": "</s>",
            "mask_token": "<mask>",
        }
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=400, special_tokens=list(special.values()), initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
        )
        tokenizer.train_from_iterator(texts, trainer)
    begin, end = special["cls_token"], special["sep_token"]
    ids = [(begin, tokenizer.token_to_id(begin)), (end, tokenizer.token_to_id(end))]
    template = processors.TemplateProcessing(single=f"{begin} $A {end}", special_tokens=ids)
    tokenizer.post_processor = (
        template if kind != "bpe" else processors.Sequence([processors.ByteLevel(trim_offsets=True), template])
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def _word_pieces(texts: Sequence[str], special: Sequence[str]) -> dict[str, int]:
    """Letters, and the first four and the other letters of each word."""
    words = sorted({word for text in texts for word in text.lower().split()})
    letters = sorted({letter for word in words for letter in word})
    pieces = [*letters, *(f"##{letter}" for letter in letters)]
    for word in words:
        pieces += [word[:4], f"##{word[4:]}"] if len(word) > 4 else [word]
    return {piece: index for index, piece in enumerate(dict.fromkeys([*special, *pieces]))}


TOKENIZER_OF = {
    "bert": "wordpiece",
    "electra": "wordpiece",
    "deberta-v2": "unigram",
    "xlm-roberta": "unigram",
    "roberta": "bpe",
    "modernbert": "bpe",
}


def save_tiny_backbone(family: str, folder: Path, tokenizer: Any = None) -> None:
    """Write config, random weights and tokenizer of a tiny encoder without a token-classification head.

    Its tokenizer is of the family's own kind where none is given.
    """
    import transformers as t

    t.set_seed(0)
    tokenizer = tokenizer or tiny_tokenizer(TOKENIZER_OF[family])
    common = {**_SIZES, "vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    configs: dict[str, Any] = {
        "bert": lambda: t.BertConfig(**common),
        "electra": lambda: t.ElectraConfig(embedding_size=16, **common),
        "deberta-v2": lambda: t.DebertaV2Config(
            relative_attention=True,
            position_buckets=8,
            pos_att_type=["p2c", "c2p"],
            share_att_key=True,
            norm_rel_ebd="layer_norm",
            position_biased_input=False,
            type_vocab_size=0,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            **common,
        ),
        "roberta": lambda: t.RobertaConfig(type_vocab_size=1, **common),
        "xlm-roberta": lambda: t.XLMRobertaConfig(type_vocab_size=1, **common),
        "modernbert": lambda: t.ModernBertConfig(
            cls_token_id=tokenizer.cls_token_id,
            sep_token_id=tokenizer.sep_token_id,
            bos_token_id=tokenizer.cls_token_id,
            eos_token_id=tokenizer.sep_token_id,
            local_attention=16,
            **common,
        ),
    }
    model = t.AutoModel.from_config(configs[family]())
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
