"""A loaded model that turns texts into entities."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import ZooError
from zoo.modeling.batches import longest_window
from zoo.modeling.device import Precision
from zoo.modeling.windows import Entity, Window, encode, finish, join_heads
from zoo.tagging.coordination import Splitter, read_splitter
from zoo.tagging.engine import find_entities
from zoo.tagging.lines import cut_at_breaks, shared_lines
from zoo.tagging.models import Base, Block, Member, locate

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

DEFAULT_STRIDE_TOKENS = 128


class OutOfTimeError(ZooError):
    """A text takes longer than it may."""


@dataclass(frozen=True)
class Step:
    """How far a text is: windows done, windows in all, and at the end what was found."""

    done: int
    windows: int
    entities: tuple[Entity, ...] = ()


@dataclass(frozen=True)
class Tagger:
    """Finds entities in texts of any length; many threads may use it, and others on the same base, at once.

    Attributes:
        base: Where the weights are.
        heads: The adapters that are this model, one for each of its heads.
        window_tokens: Longest window, special tokens included.
        stride_tokens: Tokens shared by neighbouring windows.
        splitter: Finds discontinuous mentions in what the heads find; None: none are found.
    """

    base: Base
    heads: tuple[Member, ...]
    window_tokens: int
    stride_tokens: int
    splitter: Splitter | None = None

    @classmethod
    def load(cls, model: str | Path, *, stride_tokens: int = DEFAULT_STRIDE_TOKENS) -> Tagger:
        """Load an adapter or a whole model, from a folder or from the Hub.

        Args:
            model: Folder, checkpoint folder of a build (its `adapter/` is taken), or Hub id.
            stride_tokens: Tokens shared by neighbouring windows.

        Raises:
            ZooError: There is no such model, or it is not a token-classification model with a fast tokenizer.
            HubError: The Hub refuses, or cannot be reached.
        """
        return cls.load_all([model], stride_tokens=stride_tokens)[0]

    @classmethod
    def load_all(cls, models: Sequence[str | Path], *, stride_tokens: int = DEFAULT_STRIDE_TOKENS) -> list[Tagger]:
        """Load several models; adapters of one base share it, and its tokens.

        Args:
            models: As for `load`.
            stride_tokens: Tokens shared by neighbouring windows.

        Raises:
            ZooError: As for `load`.
        """
        bases: dict[tuple[Path, bool], Base] = {}
        sources = [locate(model) for model in models]
        for source in sources:
            if source.key not in bases:
                bases[source.key] = Base.load(source.base)
        return [cls.on(bases[source.key], source.adapters, stride_tokens=stride_tokens) for source in sources]

    @classmethod
    def on(cls, base: Base, adapters: Sequence[Path], *, stride_tokens: int = DEFAULT_STRIDE_TOKENS) -> Tagger:
        """Adapters on a loaded base, or the model itself; the window is what tokenizer and positions allow.

        Args:
            base: The base.
            adapters: Folders of adapters, one for each head; empty: the model as it is.
            stride_tokens: Tokens shared by neighbouring windows.

        Raises:
            ZooError: An adapter cannot be loaded, or what it knows of discontinuous mentions cannot be read.
        """
        folders: list[str | None] = [str(adapter) for adapter in adapters] or [None]
        with base.using(*folders):
            window = longest_window(base.model, base.tokenizer)
        heads = tuple(Member(base, folder) for folder in folders)
        splitter = read_splitter(adapters[0], heads[0].types) if adapters else None
        return cls(base, heads, window, min(stride_tokens, window // 4), splitter)

    @classmethod
    def of(
        cls,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        blocks: Sequence[Block] = (),
        stride_tokens: int = DEFAULT_STRIDE_TOKENS,
    ) -> Tagger:
        """Wrap a model in memory, its active adapter included.

        Args:
            model: The model.
            tokenizer: Its tokenizer.
            blocks: Of a model in training that has several heads side by side.
            stride_tokens: Tokens shared by neighbouring windows.
        """
        model.eval()
        tagger = cls.on(Base(model, tokenizer), (), stride_tokens=stride_tokens)
        return replace(tagger, heads=tuple(Member(tagger.base, None, b) for b in blocks) or tagger.heads)

    @property
    def labels(self) -> list[str]:
        """Label names by id; all heads have them."""
        return self.heads[0].labels

    @property
    def types(self) -> list[str]:
        """Entity types of the labels, in their order."""
        return self.heads[0].types

    @property
    def model(self) -> PreTrainedModel:
        """The model of transformers, in which PEFT puts adapters."""
        return self.base.model

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The fast tokenizer of the base."""
        return self.base.tokenizer

    def encode(self, texts: Sequence[str]) -> list[Window]:
        """Texts as windows; an empty text still has one."""
        with self.base.tokenizing:
            return encode(self.tokenizer, texts, window_tokens=self.window_tokens, stride_tokens=self.stride_tokens)

    def tag(
        self,
        texts: Sequence[str],
        *,
        batch_tokens: int | None = None,
        precision: Precision = "float32",
        progress: Callable[[int], None] | None = None,
    ) -> list[list[Entity]]:
        """Find the entities of each text.

        Args:
            texts: Texts of any length.
            batch_tokens: Padded tokens in one forward pass; None: 512 on a CPU (more leave its cache, and take up to
                a third longer), 16,384 on a GPU.
            precision: Number format to compute in: bfloat16 and int8 are faster where the processor multiplies them;
                scores, and now and then an entity, differ. `auto`: the entities of float32, bfloat16 where it is
                certain to give them.
            progress: Called with the number of windows done after each batch.

        Returns:
            Per text, entities in order of their start.

        Raises:
            ZooError: The processor does not compute in int8.
        """
        windows = self.encode(texts)
        found = self.tag_windows(texts, windows, batch_tokens=batch_tokens, precision=precision, progress=progress)
        return [self._line_by_line(text, entities) for text, entities in zip(texts, found, strict=True)]

    def tag_windows(
        self,
        texts: Sequence[str],
        windows: Sequence[Window],
        *,
        batch_tokens: int | None = None,
        precision: Precision = "float32",
        merge: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> list[list[Entity]]:
        """As `tag`, for windows that are encoded already; lines get no second look. `merge` as for `find_entities`."""
        per_head = find_entities(
            self.heads, windows, batch_tokens=batch_tokens, precision=precision, merge=merge, progress=progress
        )
        per_text: list[list[list[list[Entity]]]] = [[] for _ in texts]
        for window, *entities in zip(windows, *per_head, strict=True):
            per_text[window.text].append(entities)
        return [self._joined(text, per_window) for text, per_window in zip(texts, per_text, strict=True)]

    def finish(self, text: str, found: Sequence[Sequence[list[Entity]]]) -> list[Entity]:
        """The entities of a text.

        Args:
            text: The text.
            found: Entities per window, per head.
        """
        return self._line_by_line(text, self._joined(text, found))

    def _joined(self, text: str, found: Sequence[Sequence[list[Entity]]]) -> list[Entity]:
        """The entities that all windows and heads found together."""
        if not found:
            return []
        whole = join_heads([finish(text, per_window) for per_window in zip(*found, strict=True)])
        return self.splitter.find(text, whole) if self.splitter else whole

    def _line_by_line(self, text: str, entities: list[Entity]) -> list[Entity]:
        """Entities, cut where lines of a list were taken for one mention; see `zoo.tagging.lines`."""
        if not (lines := shared_lines(text, entities)):
            return entities
        alone = [text[start:end] for start, end in lines]
        return cut_at_breaks(text, entities, lines, self.tag_windows(alone, self.encode(alone)))

    def steps(
        self, text: str, *, limit_seconds: float = float("inf"), clock: Callable[[], float] = time.monotonic
    ) -> Iterator[Step]:
        """Tag a text window by window; the last step holds the entities. Whoever stops listening stops the work.

        Args:
            text: A text of any length.
            limit_seconds: Longest that it may take; checked between windows.
            clock: Seconds, for tests.

        Raises:
            OutOfTimeError: It takes longer.
        """
        deadline = clock() + limit_seconds
        windows = self.encode([text]) if text.strip() else []
        found: list[list[list[Entity]]] = []
        for number, window in enumerate(windows, start=1):
            found.append([per_window[0] for per_window in find_entities(self.heads, [window])])
            if number == len(windows):
                break
            if clock() > deadline:
                raise OutOfTimeError(
                    f"out of time after {number} of {len(windows)} windows",
                    fix="take a shorter text or a smaller model",
                )
            yield Step(number, len(windows))
        yield Step(len(windows), len(windows), tuple(self.finish(text, found)))
