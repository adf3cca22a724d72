"""How fast a model tags on a CPU, document by document as a user of a demo waits for it."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import Field

from zoo.errors import ZooError
from zoo.language.cutting import count_words
from zoo.records import Record
from zoo.tagging.tagger import Tagger

LATENCY_FILE = "latency.json"
"""Beside `result.json`; a new build of the checkpoint removes it."""


class Latency(Record):
    """Time to tag on one machine; figures of different processors or thread counts do not compare."""

    ms_per_1000_words: float = Field(ge=0, description="milliseconds; median of the repeats")
    ms_per_1000_words_range: tuple[float, float] = Field(description="fastest and slowest repeat: how quiet it was")
    words: int = Field(ge=1, description="tagged in one repeat; split at white space")
    documents: int = Field(ge=1, description="tagged in one repeat, one after the other")
    repeats: int = Field(ge=1, description="after a warm-up that is not counted")
    threads: int = Field(ge=1, description="of one operation in torch")
    processor: str

    @classmethod
    def of_folder(cls, folder: Path) -> Latency | None:
        """What was measured of the checkpoint in a folder; None: nothing was.

        Raises:
            ZooError: The file cannot be read.
        """
        path = folder / LATENCY_FILE
        fix = "run zoo latency again, or remove the file"
        return cls.from_file(path, what="damaged", fix=fix) if path.exists() else None


def measure_latency(
    tagger: Tagger,
    texts: Sequence[str],
    *,
    repeats: int = 5,
    threads: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Latency:
    """Time the tagging of texts on the CPU, from text to entities.

    One text at a time and one window in a pass, in float32, with the adapter beside its base: what the `pipeline` call
    of the card does. The first pass over all texts is not counted.

    Args:
        tagger: The model; it is moved to the CPU.
        texts: Texts of any length, at least one with a word in it.
        repeats: Counted passes over all texts.
        threads: Threads that torch may use in one operation; set back afterwards.
        clock: Seconds, for tests.

    Raises:
        ZooError: There is no word in the texts.
    """
    import torch

    words = sum(map(count_words, texts))
    if not words:
        raise ZooError("there is no text to measure on", fix="choose a corpus whose test split is not empty")
    tagger.model.to("cpu")
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        seconds = [_pass(tagger, texts, clock) for _ in range(repeats + 1)][1:]
    finally:
        torch.set_num_threads(before)
    scale = 1e6 / words  # seconds of one pass -> milliseconds per 1,000 words
    return Latency(
        ms_per_1000_words=scale * statistics.median(seconds),
        ms_per_1000_words_range=(scale * min(seconds), scale * max(seconds)),
        words=words,
        documents=len(texts),
        repeats=repeats,
        threads=threads,
        processor=processor_name(),
    )


def processor_name() -> str:
    """The processor of this machine, as it calls itself; its architecture where it has no name."""
    from codecarbon.core.util import detect_cpu_model

    return " ".join((detect_cpu_model() or platform.machine()).split())


def _pass(tagger: Tagger, texts: Sequence[str], clock: Callable[[], float]) -> float:
    start = clock()
    for text in texts:
        tagger.tag([text], batch_tokens=1)  # a batch holds at least one window
    return clock() - start
