"""`datasets.map` with a `BatchTagger`: the entities of the engine, kept in the cache, in several processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from datasets import Dataset
from datasets.fingerprint import Hasher

from tests.conftest import TINY_SENTENCES
from zoo.errors import ZooError
from zoo.scale.batches import BatchTagger
from zoo.tagging.tagger import Tagger

TEXTS = ["", *(text for text, _ in TINY_SENTENCES)] * 4


def test_a_column_of_entities_is_found_once_and_then_read_from_the_cache(models: list[str], tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    Dataset.from_dict({"note": [*TEXTS, None]}).to_json(path)
    dataset = Dataset.from_json(str(path), cache_dir=str(tmp_path / "cache"))
    tag = BatchTagger(models, text="note", entities="found")
    features = tag.features(dataset.features)
    tagged = dataset.map(tag, batched=True, batch_size=1, features=features)  # the first batch has no entity
    expected = [Tagger.load(model).tag(TEXTS) for model in models]
    for place, found in enumerate(tagged["found"][:-1]):
        wanted = [
            (model, e.start, e.end, e.type) for model, own in zip(models, expected, strict=True) for e in own[place]
        ]
        assert [(e["model"], e["start"], e["end"], e["type"]) for e in found] == wanted
    assert sum(map(len, tagged["found"])) > 20 and tagged["found"][-1] == []

    before = Hasher.hash(tag)
    assert Hasher.hash(BatchTagger(models, text="note", entities="found")) == before, "loaded or not, it is the same"
    assert Hasher.hash(BatchTagger(models[:1], text="note", entities="found")) != before
    again = BatchTagger(models, text="note", entities="found")
    second = dataset.map(again, batched=True, batch_size=1, features=features)
    assert again._answers is None, "the models were loaded again"
    assert second["found"] == tagged["found"]


def test_several_processes_give_the_same_after_the_parent_has_loaded_the_models(models: list[str]) -> None:
    dataset = Dataset.from_dict({"text": TEXTS})
    tag = BatchTagger(models[:1])
    alone = tag({"text": TEXTS})["entities"]
    together = dataset.map(tag, batched=True, batch_size=7, num_proc=2, features=tag.features(dataset.features))
    assert [[e["start"] for e in found] for found in together["entities"]] == [[e["start"] for e in f] for f in alone]


def test_there_must_be_such_a_model() -> None:
    with pytest.raises(ZooError, match="no model folder"):
        BatchTagger(["nowhere/at/all"])
