"""Models for the demo: many adapters on one loaded base, the least recently used ones dropped, any length of text.

Entities are those of transformers' `pipeline("token-classification", ..., aggregation_strategy=..., stride=...)`: its
own preprocess, forward and postprocess run here window by window, so that there can be progress and a time limit.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from data import Board
from entry import Entry

log = logging.getLogger("space")

_LOADING = (OSError, ValueError, RuntimeError, KeyError, AttributeError)
"""What transformers and peft raise where files are missing, damaged, of another shape, or the Hub is away."""


class TaggingError(Exception):
    """A model cannot answer; the message is for the reader and holds nothing of the text."""


@dataclass(frozen=True, order=True)
class Entity:
    """A mention `[start, end)`, in Unicode characters of the text."""

    start: int
    end: int
    type: str
    score: float


@dataclass(frozen=True)
class Step:
    """How far a text is: windows done, windows in all, and at the end what was found."""

    done: int
    windows: int
    entities: tuple[Entity, ...]


@dataclass(frozen=True)
class Source:
    """Where a model is and how it decodes.

    Attributes:
        name: Shown to the reader.
        base: Folder or Hub id of the base.
        adapter: Folder or Hub id of the adapter.
        strategy: `aggregation_strategy` of the record.
        stride: Tokens that neighbouring windows share.
    """

    name: str
    base: str
    adapter: str
    strategy: str
    stride: int


def has_adapter(entry: Entry, board: Board) -> bool:
    """Whether the adapter is on this machine."""
    return board.models is not None and (_folder(entry, board.models) / "adapter_config.json").is_file()


def _folder(entry: Entry, models: Path) -> Path:
    return models / entry.backbone / entry.corpora[0] / "adapter"


def find_source(entry: Entry, board: Board) -> Source:
    """The adapter on this machine where there is one, else its repo on the Hub."""
    if board.models is not None and has_adapter(entry, board):
        folder = _folder(entry, board.models)
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        beside = board.models.parent / "bases" / entry.backbone
        base = str(beside) if beside.is_dir() else str(config.get("base_model_name_or_path", ""))
        return Source(entry.name, base, str(folder), entry.strategy, entry.stride)
    return Source(entry.name, entry.base_repo_id, entry.repo_id, entry.strategy, entry.stride)


class _Base:
    """A loaded base with its adapters. Only who holds the lock may switch adapters and run the model."""

    def __init__(self, name: str, most_adapters: int) -> None:
        from transformers import AutoModelForTokenClassification, AutoTokenizer
        from transformers.utils import logging as quiet

        quiet.disable_progress_bar()
        self.lock = threading.Lock()
        self._most_adapters = most_adapters
        self._plain: Any = AutoModelForTokenClassification.from_pretrained(name, use_safetensors=True).eval()
        self._tokenizer = AutoTokenizer.from_pretrained(name)
        self._tuned: Any = None
        self._adapters: OrderedDict[str, str] = OrderedDict()
        self._pipelines: dict[tuple[str, int], Any] = {}
        self._count = 0

    def use(self, adapter: str) -> None:
        """Make an adapter the active one, loaded if it is not; the caller holds the lock."""
        if adapter not in self._adapters:
            self._load(adapter)
        self._adapters.move_to_end(adapter)
        if self._tuned.active_adapter != self._adapters[adapter]:
            self._tuned.set_adapter(self._adapters[adapter])

    def pipeline(self, source: Source) -> Any:
        """The pipeline that a user would make; the caller holds the lock."""
        from transformers import pipeline

        decoding = (source.strategy, source.stride)
        if decoding not in self._pipelines:
            self._pipelines[decoding] = pipeline(
                "token-classification",
                model=self._plain,
                tokenizer=self._tokenizer,
                aggregation_strategy=source.strategy,
                stride=source.stride,
                device=-1,
            )
        return self._pipelines[decoding]

    def _load(self, adapter: str) -> None:
        from peft import PeftModel

        self._count += 1
        name = f"a{self._count}"
        if self._tuned is None:
            self._tuned = PeftModel.from_pretrained(self._plain, adapter, adapter_name=name).eval()
        else:
            if len(self._adapters) >= self._most_adapters:
                _, oldest = self._adapters.popitem(last=False)
                if self._tuned.active_adapter == oldest:  # peft warns when the active one goes
                    self._tuned.set_adapter(next(iter(self._adapters.values()), oldest))
                self._tuned.delete_adapter(oldest)
            self._tuned.load_adapter(adapter, adapter_name=name)
            self._tuned.eval()
        self._adapters[adapter] = name


@dataclass
class _Slot:
    """A base that is loaded or being loaded."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    base: _Base | None = None


class Models:
    """Loads on demand, keeps the most recently used.

    Args:
        most_bases: Bases in memory.
        most_adapters: Adapters on each.
        limit_seconds: Longest that one text may take with one model, loading not counted.
        clock: Seconds, for tests.
    """

    def __init__(
        self,
        most_bases: int = 2,
        most_adapters: int = 16,
        limit_seconds: float = 90,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._most_bases, self._most_adapters = most_bases, max(2, most_adapters)
        self._limit_seconds = limit_seconds
        self._bases: OrderedDict[str, _Slot] = OrderedDict()
        self._lock = threading.Lock()

    def loaded(self) -> list[str]:
        """Bases in memory, the least recently used first."""
        with self._lock:
            return list(self._bases)

    def tag(self, source: Source, text: str) -> list[Entity]:
        """The entities of a text; see `steps`."""
        return [entity for step in self.steps(source, text) for entity in step.entities]

    def steps(self, source: Source, text: str) -> Iterator[Step]:
        """Tag a text window by window; the last step holds the entities. Whoever stops listening stops the work.

        Raises:
            TaggingError: The model cannot be loaded, or the text takes too long.
        """
        if not text.strip():
            yield Step(0, 0, ())
            return
        base = self._base(source)
        try:
            with base.lock:
                base.use(source.adapter)
        except _LOADING as error:
            log.warning("cannot load %s: %s", source.adapter, type(error).__name__)
            raise TaggingError(f"The adapter of {source.name} cannot be loaded now ({type(error).__name__}).") from None
        deadline = self._clock() + self._limit_seconds
        with base.lock:  # a fast tokenizer must not be used by two threads at once
            runner = base.pipeline(source)
            windows = list(runner.preprocess(text, **runner._preprocess_params))
        outputs = []
        for number, window in enumerate(windows, start=1):
            with base.lock:  # window by window, so that a short text need not wait for a long one
                base.use(source.adapter)
                outputs.append(runner.forward(window))
            if number == len(windows):
                break
            if self._clock() > deadline:
                raise TaggingError(
                    f"{source.name} ran out of time after {number} of {len(windows)} windows. "
                    "Take a shorter text or a smaller model."
                )
            yield Step(number, len(windows), ())
        entities = trimmed(text, runner.postprocess(outputs, **runner._postprocess_params))
        yield Step(len(windows), len(windows), tuple(entities))

    def _base(self, source: Source) -> _Base:
        """The loaded base; only who wants this one waits while it loads."""
        with self._lock:
            slot = self._bases.setdefault(source.base, _Slot())
            self._bases.move_to_end(source.base)
        with slot.lock:
            if slot.base is None:
                try:
                    slot.base = _Base(source.base, self._most_adapters)
                except _LOADING as error:
                    with self._lock:
                        self._bases.pop(source.base, None)
                    log.warning("cannot load %s: %s", source.base, type(error).__name__)
                    raise TaggingError(
                        f"The base of {source.name} cannot be loaded now ({type(error).__name__})."
                    ) from None
            found = slot.base
        with self._lock:
            while len(self._bases) > self._most_bases:
                self._bases.popitem(last=False)
        return found


def trimmed(text: str, groups: list[dict[str, Any]]) -> list[Entity]:
    """Entities of a pipeline's answer, the white space that some tokenizers put before a word taken off."""
    entities = []
    for group in groups:
        start, end = int(group["start"]), int(group["end"])
        piece = text[start:end]
        if piece.strip():
            start, end = end - len(piece.lstrip()), start + len(piece.rstrip())
            entities.append(Entity(start, end, str(group["entity_group"]), float(group["score"])))
    return sorted(entities)
