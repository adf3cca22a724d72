"""The demo's answers are those of plain pipelines, each adapter on the base that it names."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import data
import demo
from concepts import Linkers
from entry import Entry
from layers import Layer
from tests.adapters import save_adapter, save_base
from tests.linking.vocabulary import save_linker
from zoo.context.rules import languages
from zoo.tagging.pool import Pool

TEXT = "Patients with asthma took aspirin daily . The boy had severe migraine after ibuprofen ."
LONG = " ".join([TEXT] * 40)
Found = list[tuple[int, int, str]]


def answers(pool: Pool, board: data.Board, text: str, keys: list[str]) -> list[Found]:
    """What the demo finds, by model."""
    *_, (_, layers) = demo.run(pool, board, text, keys)
    return [[entity.key for entity in layer.entities] for layer in layers]  # type: ignore[attr-defined]


def plain(adapter: Path, entry: Entry, text: str) -> Found:
    """What a user gets without the Space."""
    from transformers import pipeline

    call: Any = pipeline
    ner = call("token-classification", str(adapter), aggregation_strategy=entry.strategy, stride=entry.stride)
    return [(e["start"], e["end"], e["entity_group"]) for e in ner(text)]


def test_two_adapters_on_one_base_find_what_plain_pipelines_find(built: Path) -> None:
    board, pool = data.load_board(built), Pool()
    keys = [entry.key for entry in board.entries]
    folders = [demo.adapter_folder(entry, board) for entry in board.entries]
    expected = [plain(folder, entry, LONG) for folder, entry in zip(folders, board.entries, strict=True) if folder]
    assert len(expected) == 2 and all(expected)
    for _ in range(2):
        assert answers(pool, board, LONG, keys) == expected
    assert len(pool.loaded()) == 1


def test_an_adapter_has_the_base_that_it_names_not_that_of_its_backbone(built: Path, tmp_path: Path) -> None:
    """Two bases of one backbone lie in one folder; `bases/tiny-bert` is not that of the second model."""
    board = data.load_board(built)
    first, second = board.entries
    folder = tmp_path / "builds"
    save_base(folder / "bases" / "tiny-bert")
    base = save_base(folder / "bases" / "tiny-bert-5eed", seed=5)
    save_adapter(folder / "checkpoints" / "tiny-bert" / "own" / "adapter", base, seed=3)
    own = replace(second, key="own", corpora=("own",), stride=8)
    board = replace(board, entries=(first, own), models=folder / "checkpoints")
    adapter = demo.adapter_folder(own, board)
    assert adapter
    (found,) = answers(Pool(), board, LONG, ["own"])
    assert found == plain(adapter, own, LONG) and found


def test_what_goes_wrong_is_said_without_text_and_paths(
    built: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    board = data.load_board(built)
    entry = board.entries[0]
    copy = shutil.copytree(built / "checkpoints", tmp_path / "checkpoints")
    (copy / entry.key / "adapter" / "adapter_model.safetensors").write_bytes(b"no")
    broken = replace(board, models=copy)
    pool = Pool()
    with pytest.raises(ValueError, match="cannot be loaded now") as error:
        answers(pool, broken, TEXT, [entry.key])
    assert "asthma" not in f"{error.value}{caplog.text}" and str(tmp_path) not in str(error.value)
    assert answers(pool, board, TEXT, [entry.key]) == answers(Pool(), board, TEXT, [entry.key])
    with pytest.raises(ValueError, match=r"out of time after 1 of \d+ windows"):
        answers(Pool(limit_seconds=-1), board, LONG, [entry.key])


@pytest.mark.parametrize("text", ["\u200b", "<script>alert(1)</script>", "👩‍⚕️ asthma 🫁", "مريض asthma", "a" * 3000,
                                  "\x00\x07 asthma", "${x} {{y}} `z`"])  # fmt: skip
def test_hostile_texts_are_tagged_like_any(text: str, built: Path) -> None:
    board = data.load_board(built)
    (found,) = answers(Pool(), board, text, [board.entries[0].key])
    assert all(0 <= start < end <= len(text) and text[start:end].strip() for start, end, _ in found)


def linked_answers(pool: Pool, board: data.Board, keys: list[str], linkers: Linkers) -> list[Layer]:
    *_, (_, layers) = demo.run(pool, board, TEXT, keys, linkers)
    return list(layers)  # type: ignore[arg-type]


def test_a_model_with_a_linker_has_concepts_and_others_are_as_they_were(built: Path, tmp_path: Path) -> None:
    board, pool = data.load_board(built), Pool()
    copy = shutil.copytree(built / "checkpoints", tmp_path / "out" / "checkpoints")
    shutil.copytree(built / "bases", tmp_path / "out" / "bases")
    board = replace(board, models=copy)
    keys = [entry.key for entry in board.entries]
    plain_layers = linked_answers(pool, board, keys, Linkers())
    assert not any(layer.concepts or any(e.link for e in layer.entities) for layer in plain_layers)
    save_linker(copy / "tiny-bert" / "tiny-disease" / "linker", fingerprint="ab" * 32)
    diseases = next(key for key in keys if "disease" in key)
    chemicals = next(key for key in keys if "chemical" in key)
    linkers = Linkers()
    for layer in linked_answers(pool, board, [diseases], linkers):
        found = {TEXT[e.start : e.end]: e.concept_ids for e in layer.entities}
        assert found["asthma"] == ("MESH:D001249",)
        shown = layer.concepts["tiny-mesh", "MESH:D001249"]
        assert shown.name == "Asthma" and shown.page.endswith("?ui=D001249") and shown.definition
    assert linked_answers(pool, board, [chemicals], linkers) == [
        layer for layer in plain_layers if layer.model == board.by_key[chemicals].name
    ]
    # without an index inside it takes this machine's; without any the entities are as they are, and the log says why
    inside = copy / "tiny-bert" / "tiny-disease" / "linker" / "index" / "tiny-mesh"
    shutil.move(inside, tmp_path / "cache" / f"tiny-mesh-{'ab' * 6}")
    (layer,) = linked_answers(pool, board, [diseases], Linkers(tmp_path / "cache"))
    assert layer.concepts
    (layer,) = linked_answers(pool, board, [diseases], Linkers(tmp_path / "elsewhere"))
    assert layer.entities and not layer.concepts


def test_rules_are_those_of_the_language_of_the_models(built: Path) -> None:
    assert sorted(demo.LANGUAGES.values()) == ["", *languages()]
    board = data.load_board(built)
    (one, two), keys = board.entries, [entry.key for entry in board.entries]
    spoken = {(): "en", ("en",): "en", ("fr", "es-MX"): "es", ("ja",): ""}
    for tags, expected in spoken.items():
        entries = (replace(one, languages=tags), two)
        assert demo.usual_language(replace(board, entries=entries), keys[:1]) == expected
