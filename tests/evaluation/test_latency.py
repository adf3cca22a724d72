"""Timing: what is counted, what is not, and that it runs as it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.evaluation.stubs import save_list_model
from zoo.errors import ZooError
from zoo.evaluation.latency import LATENCY_FILE, Latency, measure_latency
from zoo.tagging.tagger import Tagger

TEXTS = ["With asthma, took aspirin.", "severe migraine;\nno gout " * 6]
WORDS = 4 + 4 * 6


@pytest.fixture
def tagger(tmp_path: Path) -> Tagger:
    save_list_model(tmp_path / "model")
    return Tagger.load(tmp_path / "model")


def ticking(seconds: list[float]) -> Iterator[float]:
    """Readings of a clock over passes of these lengths."""
    now = 100.0
    for length in seconds:
        yield now
        now += length
        yield now


def test_the_median_of_the_passes_after_the_first(tagger: Tagger) -> None:
    clock = ticking([90.0, 2.0, 1.0, 4.0, 3.0, 50.0])
    measured = measure_latency(tagger, TEXTS, repeats=5, clock=lambda: next(clock))
    assert (measured.words, measured.documents, measured.repeats, measured.threads) == (WORDS, 2, 5, 1)
    assert measured.ms_per_1000_words == pytest.approx(3000 * 1000 / WORDS)
    assert measured.ms_per_1000_words_range == pytest.approx((1000 * 1000 / WORDS, 50_000 * 1000 / WORDS))
    assert measured.processor.strip()


def test_one_window_at_a_time_with_the_threads_it_says(tagger: Tagger, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, threads = [], set()
    forward = tagger.model.forward

    def watched(**inputs: torch.Tensor) -> object:
        rows.append(inputs["input_ids"].shape[0])
        threads.add(torch.get_num_threads())
        return forward(**inputs)

    monkeypatch.setattr(tagger.model, "forward", watched)
    before = torch.get_num_threads()
    measured = measure_latency(tagger, TEXTS, repeats=2, threads=2)
    assert set(rows) == {1} and len(rows) > 3 * 2 and threads == {2} and measured.threads == 2
    assert torch.get_num_threads() == before
    assert measured.ms_per_1000_words > 0


def test_nothing_to_tag_is_an_error(tagger: Tagger) -> None:
    with pytest.raises(ZooError, match="no text"):
        measure_latency(tagger, [" ", ""])


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "Invalid JSON"), ('{"ms_per_1000_words": 3}', "ms_per_1000_words_range"), ("[]", "latency.json")],
)
def test_a_damaged_file_is_named(content: str, words: str, tmp_path: Path) -> None:
    assert Latency.of_folder(tmp_path) is None
    (tmp_path / LATENCY_FILE).write_text(content)
    with pytest.raises(ZooError) as caught:
        Latency.of_folder(tmp_path)
    assert words in str(caught.value) and "zoo latency again" in str(caught.value)
