"""Who waits for a batch is served in turn, and nobody who stops waiting takes a thread along."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from zoo.modeling.windows import Window
from zoo.service.batching import Batcher, BusyError, Job


class Gated:
    """A base that labels nothing until it may, and notes the models of its batches."""

    def __init__(self) -> None:
        self.may, self.batches = threading.Event(), list[list[str]]()

    def label(self, windows: list[Window], models: list[Any]) -> list[list[list[Any]]]:
        self.may.wait(60)
        self.batches.append([model.name for model in models])
        if any(model.name == "broken" for model in models):
            raise RuntimeError("broken")
        return [[[]] for _ in windows]


class Named:
    def __init__(self, name: str, base: Gated) -> None:
        self.name, self.base = name, base


def job(base: Gated, name: str, windows: int = 1) -> Job:
    window = Window(0, [1] * 10, np.zeros((10, 2), np.int64), np.ones(10, bool), np.zeros(10, bool))
    return Job(Named(name, base), [window] * windows)  # type: ignore[arg-type]


def test_a_short_text_does_not_wait_for_a_long_one_and_bases_do_not_mix() -> None:
    base, other = Gated(), Gated()
    batcher = Batcher(batch_tokens=30, most_waiting_tokens=10_000, threads=1)
    jobs = [job(base, "long", 50), job(other, "other", 2), job(base, "short")]
    batcher.submit(jobs)
    base.may.set()
    other.may.set()
    assert [len(each.answer.result(60)) for each in jobs] == [50, 2, 1]
    first = base.batches[:2]
    assert "short" in first[0] + first[1] and all(len(batch) <= 3 for batch in base.batches)
    assert {*other.batches[0]} == {"other"} and not any("other" in batch for batch in base.batches)
    assert batcher.waiting_tokens == 0
    batcher.close()


def test_who_stops_waiting_or_meets_an_error_leaves_the_threads_alive() -> None:
    base = Gated()
    batcher = Batcher(batch_tokens=30, most_waiting_tokens=1000, threads=1)
    gone, broken, after = job(base, "gone", 3), job(base, "broken"), job(base, "after")
    batcher.submit([gone])
    assert not gone.answer.cancel()  # as asyncio does for a request whose time is over
    base.may.set()
    gone.answer.result(60)
    batcher.submit([broken])
    with pytest.raises(RuntimeError):
        broken.answer.result(60)
    batcher.submit([after])
    assert after.answer.result(60) == [[[]]]
    batcher.close()


def test_what_is_dropped_makes_room() -> None:
    base = Gated()
    batcher = Batcher(batch_tokens=10, most_waiting_tokens=200, threads=1)
    first, second = job(base, "first"), job(base, "second", 20)
    batcher.submit([first])
    while batcher.waiting_tokens:  # until the thread has taken it
        pass
    batcher.submit([second])
    with pytest.raises(BusyError):
        batcher.submit([job(base, "third")])
    second.dropped = True
    base.may.set()
    first.answer.result(60)
    while batcher.waiting_tokens:
        pass
    batcher.submit([job(base, "third")])
    batcher.close()
    assert not any("second" in batch for batch in base.batches)
