"""The demo's models: the entities of a plain pipeline, for many adapters, many users and long texts; bounded memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import data
from tagging import Entity, Models, Source, TaggingError, find_source, trimmed

TEXT = "Patients with asthma took aspirin daily . The boy had severe migraine after ibuprofen ."
LONG = " ".join([TEXT] * 40)


@pytest.fixture(scope="module")
def sources(built: Path) -> dict[str, Source]:
    board = data.load_board(built)
    return {entry.types[0]: find_source(entry, board) for entry in board.entries}


def plain(source: Source, text: str) -> list[tuple[int, int, str, float]]:
    """What a user gets without the Space."""
    from transformers import pipeline

    call: Any = pipeline
    ner = call(
        "token-classification", source.adapter, aggregation_strategy=source.strategy, stride=source.stride, device=-1
    )
    return [(e.start, e.end, e.type, e.score) for e in trimmed(text, ner(text))]


def found(models: Models, source: Source, text: str) -> list[tuple[int, int, str, float]]:
    return [(e.start, e.end, e.type, e.score) for e in models.tag(source, text)]


def test_two_adapters_on_one_base_find_what_plain_pipelines_find(sources: dict[str, Source]) -> None:
    models = Models()
    expected = {name: plain(source, LONG) for name, source in sources.items()}
    assert set(sources) == {"Disease", "Chemical"} and all(expected.values())
    for name in ("Disease", "Chemical", "Disease"):
        assert found(models, sources[name], LONG) == expected[name]
    assert models.loaded() == [sources["Disease"].base]


def test_the_decoding_is_that_of_the_record(sources: dict[str, Source], built: Path) -> None:
    import json

    result = json.loads((built / "checkpoints/tiny-bert/tiny-disease/result.json").read_text())
    source = sources["Disease"]
    assert source.strategy == result["decoding"]["aggregation_strategy"]
    assert source.stride == result["decoding"]["stride_tokens"]


def test_many_at_once_get_their_own_answers(sources: dict[str, Source]) -> None:
    models, texts = Models(), [TEXT, LONG, "No diabetes was found .", "Metformin and aspirin were stopped ."]
    jobs = [(sources[name], text) for text in texts for name in sources for _ in range(3)]
    expected = {job: found(Models(), *job) for job in set(jobs)}
    answers: list[Any] = [None] * len(jobs)

    def work(number: int) -> None:
        answers[number] = found(models, *jobs[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [expected[job] for job in jobs]


def test_more_adapters_than_fit_are_loaded_again(sources: dict[str, Source], tmp_path: Path) -> None:
    import shutil

    folders = []
    for number in range(4):
        name = "Disease" if number % 2 else "Chemical"
        folders.append((name, shutil.copytree(sources[name].adapter, tmp_path / str(number))))
    models = Models(most_adapters=2)
    expected = {name: found(Models(), source, TEXT) for name, source in sources.items()}
    for _ in range(2):
        for name, folder in folders:
            source = sources[name]
            copy = Source(source.name, source.base, str(folder), source.strategy, source.stride)
            assert found(models, copy, TEXT) == expected[name]
    (slot,) = models._bases.values()
    assert slot.base is not None and len(slot.base._adapters) == 2
    assert len(slot.base._tuned.peft_config) == 2


def test_the_base_used_longest_ago_goes(sources: dict[str, Source], tmp_path: Path) -> None:
    import shutil

    source = sources["Disease"]
    bases = [str(shutil.copytree(source.base, tmp_path / str(number))) for number in range(3)]
    models = Models(most_bases=2)
    for base in bases:
        models.tag(Source("m", base, source.adapter, source.strategy, source.stride), TEXT)
    assert models.loaded() == bases[1:]


def test_a_long_text_reports_every_window_and_stops_at_the_limit(sources: dict[str, Source]) -> None:
    steps = list(Models().steps(sources["Disease"], LONG))
    assert [step.done for step in steps] == list(range(1, len(steps) + 1)) and len(steps) > 10
    assert all(not step.entities for step in steps[:-1]) and steps[-1].entities
    ticks = iter(range(1000))
    slow = Models(limit_seconds=3, clock=lambda: float(next(ticks)))
    with pytest.raises(TaggingError, match=r"ran out of time after 4 of \d+ windows"):
        slow.tag(sources["Disease"], LONG)


def test_who_stops_listening_stops_the_work(sources: dict[str, Source]) -> None:
    steps: Iterator[Any] = Models().steps(sources["Disease"], LONG)
    assert next(steps).done == 1
    steps.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ["", "  \n\t", "\u200b", "<script>alert(1)</script>", "👩‍⚕️ asthma 🫁", "مريض asthma",
                                  "a" * 3000, "\x00\x07 asthma", "${x} {{y}} `z`"])  # fmt: skip
def test_hostile_texts_are_tagged_like_any(text: str, sources: dict[str, Source]) -> None:
    entities = Models().tag(sources["Disease"], text)
    assert all(0 <= e.start < e.end <= len(text) and text[e.start : e.end].strip() for e in entities)


def test_missing_and_damaged_models_are_said_without_text(sources: dict[str, Source], tmp_path: Path) -> None:
    source = sources["Disease"]
    missing = Source("gone", str(tmp_path / "none"), source.adapter, "simple", 8)
    with pytest.raises(TaggingError, match="The base of gone cannot be loaded now"):
        Models().tag(missing, TEXT)
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text("{")
    damaged = Source("broken", source.base, str(tmp_path / "adapter"), "simple", 8)
    models = Models()
    with pytest.raises(TaggingError, match="The adapter of broken cannot be loaded now") as error:
        models.tag(damaged, TEXT)
    assert "asthma" not in str(error.value)
    assert models.tag(source, TEXT)  # and the base is still good


def test_white_space_at_the_ends_is_taken_off() -> None:
    groups = [
        {"start": 3, "end": 9, "entity_group": "X", "score": 0.5},
        {"start": 2, "end": 3, "entity_group": "X", "score": 0.5},
    ]
    assert trimmed("ab  cde f", groups) == [Entity(4, 9, "X", 0.5)]
    assert trimmed("ab  cde  ", groups) == [Entity(4, 7, "X", 0.5)]
