"""Several heads on one LoRA: they learn what one head cannot hold, go on after a kill, and are ordinary adapters."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, pipeline

from tests.training.conftest import TYPES, Tiny, label_space, recipe, sentences
from tests.training.test_resume import Stopped, assert_same, stop_after
from zoo.corpora.document import Document, Span
from zoo.errors import ZooError
from zoo.evaluation.scoring import micro_f1
from zoo.modeling.adapters import ADAPTER_WEIGHTS, HEADS_FOLDER, encoder_digest, head_folders, write_heads
from zoo.modeling.heads import Head, heads_of
from zoo.modeling.lora import check_foreign_rows, check_same_logits, each_head, round_adapter, save_adapter
from zoo.tagging.engine import find_entities
from zoo.tagging.tagger import Tagger

RECIPE = recipe(epochs=80, patience=80)
LEVELS = heads_of("levels", TYPES, 2)


def overlapping(repeats: int = 2) -> list[Document]:
    """The sentences, with a chemical inside each mention of two words."""
    documents = []
    for document in sentences(repeats):
        spans = list(document.spans)
        for span in document.spans:
            first, _, rest = document.text[span.start : span.end].partition(" ")
            if rest:
                spans.append(Span(span.start, span.start + len(first), "Chemical"))
        documents.append(Document(document.id, document.text, tuple(sorted(set(spans)))))
    return documents


def train(tiny: Tiny, heads: tuple[Head, ...], **values: Any) -> Any:
    return tiny.train(RECIPE, train=overlapping(), dev=overlapping(1), heads=heads, **values)


@pytest.fixture(scope="module")
def adapter(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The heads of one training, written as a build does."""
    model, log = train(tiny, LEVELS)
    assert log.best_dev_micro_f1 > 0.8
    folder = tmp_path_factory.mktemp("heads") / "adapter"
    round_adapter(model)
    for number, head in enumerate(each_head(model, label_space(), LEVELS)):
        own = folder / HEADS_FOLDER / head.name if number else folder
        check_foreign_rows(model, label_space(), head.types)
        save_adapter(model, own, str(tiny.base))
        check_same_logits(model, own, [document.text for document in overlapping(1)])
    write_heads(folder, [asdict(head) for head in LEVELS])
    return folder


def test_nested_mentions_are_learned(tiny: Tiny, adapter: Path) -> None:
    gold = overlapping(1)
    found = Tagger.load(adapter).tag([document.text for document in gold])
    assert micro_f1(gold, found) > 0.8
    one, log = train(tiny, heads_of("flat", TYPES))
    assert log.best_dev_micro_f1 < micro_f1(gold, found)
    assert len(list(each_head(one, label_space(), heads_of("flat", TYPES)))) == 1


def test_heads_differ_in_their_rows_alone_and_plain_pipelines_find_what_they_find(adapter: Path, tiny: Tiny) -> None:
    folders = head_folders(adapter)
    assert len(folders) == len(LEVELS) and len({encoder_digest(folder) for folder in folders}) == 1
    tensors = [load_file(folder / ADAPTER_WEIGHTS) for folder in folders]
    lora = [name for name in tensors[0] if "lora_" in name]
    assert lora and all(each[name].equal(tensors[0][name]) for each in tensors for name in lora)
    heads = [name for name in tensors[0] if name.endswith("classifier.weight")]
    assert heads and not any(tensors[0][heads[0]].equal(each[heads[0]]) for each in tensors[1:])

    texts = [document.text for document in overlapping(1)]
    tagger = Tagger.load(adapter)
    tokenizer = AutoTokenizer.from_pretrained(tiny.base)
    plain: list[set[tuple[int, int, str]]] = [set() for _ in texts]
    for folder in folders:
        ner = pipeline("token-classification", str(folder), tokenizer=tokenizer, aggregation_strategy="max")
        for keys, text in zip(plain, texts, strict=True):
            keys.update((e["start"], e["end"], e["entity_group"]) for e in ner(text))
    for merge in (False, True):
        ours = tagger.tag_windows(texts, tagger.encode(texts), merge=merge)
        assert [{entity.key for entity in found if not entity.fragments} for found in ours] == plain


def test_the_encoder_runs_once_for_all_heads(adapter: Path) -> None:
    tagger = Tagger.load(adapter)
    calls: list[int] = []
    tagger.model.bert.register_forward_hook(lambda *_: calls.append(1))
    tagger.tag([overlapping(1)[0].text])
    assert len(calls) == 1


def test_a_model_that_is_given_twice_finds_the_same_twice(adapter: Path) -> None:
    tagger = Tagger.load(adapter)
    windows = tagger.encode([document.text for document in overlapping(1)])
    once = find_entities(tagger.heads, windows)
    assert any(any(found) for found in once) and find_entities((*tagger.heads, *tagger.heads), windows) == once + once


def test_a_digest_of_the_encoder_knows_every_number_format_and_every_change(adapter: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(adapter, tmp_path / "copy")
    weights = {name: tensor.bfloat16() for name, tensor in load_file(copied / ADAPTER_WEIGHTS).items()}
    digests = {encoder_digest(adapter)}
    for change in (0.0, 1.0):
        name = next(name for name in weights if "lora_A" in name)
        save_file(weights | {name: weights[name] + change}, copied / ADAPTER_WEIGHTS)
        digests.add(encoder_digest(copied))
    assert len(digests) == 3


@pytest.mark.parametrize("name", ["..", ".", "a/b", "", "../x"])
def test_a_head_lies_below_its_adapter(name: str, adapter: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(adapter, tmp_path / "copy")
    write_heads(copied, [asdict(LEVELS[0]), asdict(LEVELS[1]) | {"name": name}])
    with pytest.raises(ZooError, match="cannot read the adapter's heads"):
        head_folders(copied)


def test_a_killed_training_of_several_heads_ends_with_the_same_weights(tiny: Tiny, tmp_path: Path) -> None:
    heads = heads_of("types", TYPES)
    short = recipe(epochs=3)
    given = {"train": overlapping(), "dev": overlapping(1), "heads": heads}
    snapshot = tmp_path / "snapshot"
    with pytest.raises(Stopped):
        tiny.train(short, snapshot=snapshot, progress=stop_after(2), **given)  # type: ignore[arg-type]
    assert_same(tiny.train(short, **given), tiny.train(short, snapshot=snapshot, **given))  # type: ignore[arg-type]
