"""Windows of all requests in batches: whoever waits is served in turn, and adapters of one base share a batch."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from zoo.modeling.windows import Entity, Window
from zoo.service.models import Model

Found = Sequence[Sequence[list[Entity]]]
"""Entities per window, per head."""
_FIRST_GUESS_SECONDS = 1.0


class BusyError(Exception):
    """More waits already than may.

    Attributes:
        retry_after_seconds: When there is likely room again.
    """

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"try again in {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds


@dataclass(eq=False)
class Job:
    """A text with one model.

    Attributes:
        model: The model.
        windows: Windows of the text.
        answer: Set when all windows are labelled.
        dropped: Nobody waits for it any more: what is left of it is not worked on.
        taken: Windows that batches have taken.
    """

    model: Model
    windows: Sequence[Window]
    answer: Future[Found] = field(default_factory=Future)
    dropped: bool = False
    _found: dict[int, list[list[Entity]]] = field(default_factory=dict)
    taken: int = 0

    def __post_init__(self) -> None:
        """Whoever stops waiting must not cancel the answer: a thread may be about to set it."""
        self.answer.set_running_or_notify_cancel()

    @property
    def next_tokens(self) -> int:
        """Tokens of the next window that a batch can take."""
        return len(self.windows[self.taken])

    def take(self) -> int:
        """Place of the next window."""
        self.taken += 1
        return self.taken - 1

    def add(self, place: int, entities: list[list[Entity]]) -> None:
        """Note what was found in a window; the last one completes the answer."""
        self._found[place] = entities
        if len(self._found) == len(self.windows):
            self.answer.set_result([self._found[number] for number in range(len(self.windows))])

    def fail(self, error: Exception) -> None:
        """Tell whoever waits."""
        self.dropped = True
        if not self.answer.done():
            self.answer.set_exception(error)


class Batcher:
    """Threads that label what waits, a batch at a time.

    A batch is what waits on one base, window by window from each job in turn, so that a short text does not wait for a
    long one. Nothing waits for a batch to fill: under load it fills by itself.

    Args:
        batch_tokens: Tokens of one batch, unless a single window has more.
        most_waiting_tokens: Tokens that may wait, unless nothing else does.
        threads: Batches at a time.
        on_batch: Called with the number of windows and of tokens of each batch.
    """

    def __init__(
        self,
        *,
        batch_tokens: int,
        most_waiting_tokens: int,
        threads: int,
        on_batch: Callable[[int, int], None] = lambda windows, tokens: None,
    ) -> None:
        self._batch_tokens, self._most, self._on_batch = batch_tokens, most_waiting_tokens, on_batch
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._tokens, self._tokens_per_second = 0, 0.0
        self._closed = False
        self._threads = [threading.Thread(target=self._work, name=f"batch-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    @property
    def waiting_tokens(self) -> int:
        """Tokens that wait."""
        return self._tokens

    def submit(self, jobs: Sequence[Job]) -> None:
        """Have texts labelled: all of these, or none.

        Raises:
            BusyError: Too much waits.
        """
        tokens = sum(_tokens(job.windows) for job in jobs)
        with self._changed:
            if self._closed or (self._tokens and self._tokens + tokens > self._most):
                raise BusyError(self._retry_after_seconds())
            self._tokens += tokens
            self._jobs.extend(jobs)
            self._changed.notify_all()

    def close(self) -> None:
        """Finish what waits, and end the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _retry_after_seconds(self) -> int:
        """Until half of what waits is done, at the speed of the last batches."""
        if not self._tokens_per_second:
            return math.ceil(_FIRST_GUESS_SECONDS)
        return min(60, max(1, math.ceil(self._tokens / 2 / self._tokens_per_second)))

    def _work(self) -> None:
        import torch

        torch.set_num_threads(1)  # of this thread: a batch to each makes better use of cores than all cores to each
        while batch := self._take():
            started = time.monotonic()
            model = batch[0][0].model
            windows = [job.windows[place] for job, place in batch]
            try:
                answers = model.base.label(windows, [job.model for job, _ in batch])
            except Exception as error:  # noqa: BLE001 - whoever waits is told; the thread goes on
                with self._changed:
                    for job, _ in batch:
                        job.fail(error)
                continue
            size = _tokens(windows)
            self._on_batch(len(windows), size)
            speed = size / max(time.monotonic() - started, 1e-6) * len(self._threads)
            with self._changed:
                self._tokens_per_second += 0.1 * (speed - self._tokens_per_second)
                for (job, place), answer in zip(batch, answers, strict=True):
                    if not job.dropped:
                        job.add(place, answer)

    def _take(self) -> list[tuple[Job, int]]:
        """The next batch; empty at the end."""
        with self._changed:
            while True:
                batch, size = self._collect()
                self._tokens -= size
                if batch or (self._closed and not self._jobs):
                    return batch
                self._changed.wait()

    def _collect(self) -> tuple[list[tuple[Job, int]], int]:
        """Windows for one batch, and the tokens that wait no longer: theirs, and those of dropped jobs."""
        batch: list[tuple[Job, int]] = []
        size, gone, others = 0, 0, []
        while self._jobs:
            job = self._jobs.popleft()
            if job.dropped:
                gone += _tokens(job.windows[job.taken :])
            elif batch and job.model.base is not batch[0][0].model.base:
                others.append(job)
            elif batch and size + job.next_tokens > self._batch_tokens:
                self._jobs.appendleft(job)
                break
            else:
                size += job.next_tokens
                batch.append((job, job.take()))
                if job.taken < len(job.windows):
                    self._jobs.append(job)
        self._jobs.extendleft(reversed(others))
        return batch, size + gone


def _tokens(windows: Sequence[Window]) -> int:
    return sum(map(len, windows))
