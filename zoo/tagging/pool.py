"""Models on demand: by folder or Hub id, adapters of one base sharing it, those used least recently dropped."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from zoo.tagging.models import Base, Source, locate
from zoo.tagging.tagger import DEFAULT_STRIDE_TOKENS, Step, Tagger


@dataclass
class _Slot:
    """A base that is loaded or being loaded: who wants this one waits, nobody else does."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    base: Base | None = None


class Pool:
    """Loads models when they are asked for; many threads may ask, and tag, at once.

    Which base an adapter stands on is what the adapter names. A tagger whose base or adapter was dropped goes on
    working: its base lives as long as it does, and its adapter is loaded again.

    Args:
        most_bases: Bases to keep; None: all.
        most_adapters: Adapters to keep on each; None: all.
        limit_seconds: Longest that one text may take with one model in `steps`, loading not counted.
        pickles: Load `.bin` files where there are no safetensors.
    """

    def __init__(
        self,
        *,
        most_bases: int | None = None,
        most_adapters: int | None = None,
        limit_seconds: float = float("inf"),
        pickles: bool = True,
    ) -> None:
        self._most_bases, self._most_adapters = most_bases, most_adapters
        self._limit_seconds, self._pickles = limit_seconds, pickles
        self._slots: OrderedDict[tuple[Path, bool], _Slot] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, model: str | Path, *, stride_tokens: int = DEFAULT_STRIDE_TOKENS) -> Tagger:
        """A model, loaded if it is not yet.

        Args:
            model: Folder, checkpoint folder of a build, or Hub id.
            stride_tokens: Tokens shared by neighbouring windows.

        Raises:
            ZooError: There is no such model, or it is not a token-classification model with a fast tokenizer.
            HubError: The Hub refuses, or cannot be reached.
        """
        source = locate(model, pickles=self._pickles)
        return Tagger.on(self._base(source), source.adapters, stride_tokens=stride_tokens)

    def steps(self, model: str | Path, text: str, *, stride_tokens: int = DEFAULT_STRIDE_TOKENS) -> Iterator[Step]:
        """Tag a text window by window, within the limit on time; see `Tagger.steps`."""
        yield from self.get(model, stride_tokens=stride_tokens).steps(text, limit_seconds=self._limit_seconds)

    def loaded(self) -> list[Path]:
        """Folders of the bases in memory, the least recently used first."""
        with self._lock:
            return [folder for (folder, _), slot in self._slots.items() if slot.base]

    def drop(self, base: Base) -> None:
        """Forget a base; taggers on it go on working."""
        with self._lock:
            for key in [key for key, slot in self._slots.items() if slot.base is base]:
                del self._slots[key]

    def _base(self, source: Source) -> Base:
        with self._lock:
            slot = self._slots.setdefault(source.key, _Slot())
            self._slots.move_to_end(source.key)
        with slot.lock:
            if slot.base is None:
                try:
                    slot.base = Base.load(source.base, most_adapters=self._most_adapters, pickles=self._pickles)
                finally:
                    if slot.base is None:  # it could not be loaded: the next one tries again
                        with self._lock:
                            self._slots.pop(source.key, None)
            base = slot.base
        with self._lock:
            while self._most_bases and len(self._slots) > self._most_bases:
                self._slots.popitem(last=False)
        return base
