"""A tiny backbone, its base, and six sentences to train on: what the tests of training share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import TINY_SENTENCES
from zoo.corpora.document import Document, Span
from zoo.evaluation.result import EpochRecord
from zoo.modeling.backbones import BackboneFiles, build_base
from zoo.modeling.heads import Head, heads_of
from zoo.modeling.labels import LabelSpace
from zoo.modeling.lora import attach_lora
from zoo.registry.loader import load_registry
from zoo.registry.recipes import FinetuneRecipe, Recipe
from zoo.registry.schema import Family
from zoo.training.finetune import Progress, TrainingLog, finetune
from zoo.training.joining import Share

if TYPE_CHECKING:
    from peft import PeftModel

TYPES = ("Disease", "Chemical")
FLAT = heads_of("flat", TYPES)


def sentences(repeats: int = 2) -> list[Document]:
    """Six sentences with diseases and chemicals, repeated."""
    return [
        Document(f"{number}-{index}", text, tuple(Span(*span) for span in spans))
        for number in range(repeats)
        for index, (text, spans) in enumerate(TINY_SENTENCES)
    ]


def family(name: str = "bert") -> Family:
    return load_registry().families[name]


def label_space() -> LabelSpace:
    return LabelSpace.from_entry(load_registry().labels)


@dataclass(frozen=True)
class Tiny:
    """A tiny BERT, without a language-modelling head, and its base."""

    folder: Path

    @property
    def backbone(self) -> Path:
        return self.folder / "backbone"

    @property
    def base(self) -> Path:
        return self.folder / "base"

    def model(self, recipe: Recipe, heads: Sequence[Head] = FLAT) -> PeftModel:
        return attach_lora(self.base, family(), recipe.lora, label_space(), heads, recipe.seed)

    def train(
        self,
        recipe: Recipe,
        *,
        snapshot: Path | None = None,
        on_epoch: Callable[[EpochRecord], None] = lambda log: None,
        model: PeftModel | None = None,
        train: Sequence[Document] | None = None,
        dev: Sequence[Document] | None = None,
        heads: Sequence[Head] = FLAT,
        progress: Progress | None = None,
        shares: Sequence[Share] = (),
    ) -> tuple[PeftModel, TrainingLog]:
        """Train a fresh adapter as a build does."""
        from transformers import AutoTokenizer

        model = model or self.model(recipe, heads)
        log = finetune(
            model,
            AutoTokenizer.from_pretrained(self.base),
            train or sentences(),
            dev or sentences(1),
            labels=label_space(),
            heads=heads,
            recipe=recipe.finetune,
            stride_tokens=8,
            seed=recipe.seed,
            progress=progress or Progress(on_epoch=on_epoch),
            snapshot_path=snapshot,
            shares=shares,
        )
        return model, log


def recipe(**finetune_values: Any) -> Recipe:
    """A recipe under which the tiny model learns the sentences within some ten epochs."""
    values = {"epochs": 6, "batch_size": 4, "learning_rate": 1e-2, "precision": "float32", "patience": 50}
    return Recipe(
        finetune=FinetuneRecipe(**{**values, **finetune_values}),  # type: ignore[arg-type]
        lora={"rank": 4, "dropout": 0.1},  # type: ignore[arg-type]
    )


def save_bert(folder: Path, *, dropout: float = 0.1, scale: float = 1.0) -> None:
    """Write a tiny BERT without a head, the same in every process: a trained vocabulary would not be.

    Args:
        folder: Where to write.
        dropout: Of hidden states and attention.
        scale: Factor of all matrices; above 1 the model is less sluggish.
    """
    import transformers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    words = sorted({word for text, _ in TINY_SENTENCES for word in text.lower().split()})
    letters = sorted(set("".join(words)))
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = list(dict.fromkeys([*special, *letters, *(f"##{letter}" for letter in letters), *words]))
    ids = {token: index for index, token in enumerate(vocabulary)}
    inner = Tokenizer(models.WordPiece(vocab=ids, unk_token="[UNK]"))
    inner.normalizer = normalizers.BertNormalizer(lowercase=True)
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])]
    )
    names = {f"{token[1:-1].lower()}_token": token for token in special}
    transformers.PreTrainedTokenizerFast(tokenizer_object=inner, **names).save_pretrained(folder)
    transformers.set_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=96,
        max_position_embeddings=64,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        initializer_range=0.02 * scale,
    )
    transformers.AutoModel.from_config(config).save_pretrained(folder)


def make_tiny(folder: Path) -> Tiny:
    """Write backbone and base."""
    tiny = Tiny(folder)
    save_bert(tiny.backbone)
    build_base(BackboneFiles(tiny.backbone, "made in the tests"), family(), label_space(), 32, tiny.base, 0)
    return tiny


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return make_tiny(tmp_path_factory.mktemp("tiny"))
