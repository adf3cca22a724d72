"""Many documents through one or several models: windows of like length together, answers in the order of the documents.

Memory holds a buffer of windows, not the documents: a document of any length passes block by block.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, tee

import numpy as np

from zoo.modeling.device import Precision
from zoo.modeling.windows import Entity, Window, encode
from zoo.tagging.engine import find_entities
from zoo.tagging.tagger import Tagger
from zoo.tagging.texts import Tagged, Text

BUFFER_TOKENS = 1 << 17
"""Tokens of the windows that are sorted by length at a time: little padding, and some 30 MB."""
MERGE_TOKENS = 1 << 12
"""From so many on, adapters are added to the weights for the time of a buffer."""
_MOST_TOKENS = 12
"""Of a character: 4 bytes, of up to three that NFC makes of it."""
BLOCK_CHARACTERS = 100_000
"""Documents are tokenized so much at a time: shorter ones together, longer ones in blocks, cut at white space."""


@dataclass(slots=True)
class _Open:
    """A document of which not all windows are tagged."""

    text: Text
    heads: int
    waiting: int = 0
    complete: bool = False
    found: list[list[list[Entity]]] = field(default_factory=list)

    def slot(self) -> int:
        """Room for the entities of one more window, per head of all models."""
        self.found.append([[] for _ in range(self.heads)])
        self.waiting += 1
        return len(self.found) - 1

    def close(self, taggers: Sequence[Tagger]) -> Tagged:
        heads = iter(range(self.heads))
        found = []
        for tagger in taggers:
            own = [next(heads) for _ in tagger.heads]
            found.append(tagger.finish(self.text.text, [[window[head] for head in own] for window in self.found]))
        return Tagged(self.text, tuple(found))


def tag_stream(
    taggers: Sequence[Tagger],
    texts: Iterable[Text],
    *,
    batch_tokens: int | None = None,
    precision: Precision = "float32",
    buffer_tokens: int = BUFFER_TOKENS,
    merge_tokens: int = MERGE_TOKENS,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Tagged]:
    """Tag documents one after another; the answers are those of `Tagger.tag`.

    Args:
        taggers: Models; those on one base share its tokens.
        texts: Documents; they are read as they are needed.
        batch_tokens: Padded tokens in one forward pass; None: what suits the device.
        precision: Number format to compute in, as for `Tagger.tag`.
        buffer_tokens: Tokens that are collected before models run.
        merge_tokens: From so many in a buffer on, the weights are made ready first; 0: always, so that scores are the
            same to the last digit however the documents are divided.
        progress: Called with the number of windows done after each batch.

    Yields:
        Documents in the order of `texts`.

    Raises:
        ZooError: The processor does not compute in int8.
    """
    groups: dict[tuple[int, int, int], list[int]] = {}
    for number, tagger in enumerate(taggers):
        groups.setdefault((id(tagger.base), tagger.window_tokens, tagger.stride_tokens), []).append(number)
    streams = [
        _tag_group(
            [taggers[number] for number in group], copy, batch_tokens, precision, buffer_tokens, merge_tokens, progress
        )
        for group, copy in zip(groups.values(), tee(texts, len(groups)), strict=True)
    ]
    places = [number for group in groups.values() for number in group]
    for parts in zip(*streams, strict=True):
        found = dict(zip(places, chain.from_iterable(part.entities for part in parts), strict=True))
        yield Tagged(parts[0].text, tuple(found[number] for number in range(len(taggers))))


def _tag_group(
    taggers: Sequence[Tagger],
    texts: Iterable[Text],
    batch_tokens: int | None,
    precision: Precision,
    buffer_tokens: int,
    merge_tokens: int,
    progress: Callable[[int], None] | None,
) -> Iterator[Tagged]:
    """By models that read the same windows."""
    opened: deque[_Open] = deque()
    buffer: list[tuple[_Open, int, Window]] = []
    size, heads = 0, sum(len(tagger.heads) for tagger in taggers)
    for text, windows in _windowed(taggers[0], texts, min(BLOCK_CHARACTERS, buffer_tokens)):
        document = _Open(text, heads)
        opened.append(document)
        for window in windows:
            buffer.append((document, document.slot(), window))
            size += len(window)
            if size >= buffer_tokens:
                _run(taggers, buffer, batch_tokens, precision, merge_tokens, progress)
                buffer, size = [], 0
        document.complete = True
        yield from _finished(opened, taggers)
    _run(taggers, buffer, batch_tokens, precision, merge_tokens, progress)
    yield from _finished(opened, taggers)


def _windowed(tagger: Tagger, texts: Iterable[Text], most: int) -> Iterator[tuple[Text, Iterable[Window]]]:
    """Texts with their windows; up to `most` characters are tokenized together, which tokenizers do on all cores."""
    together: list[Text] = []
    characters = 0
    for text in texts:
        characters += len(text.text)
        if characters > most:
            yield from _encoded(tagger, together)
            together, characters = [], len(text.text)
        if characters > most:
            yield text, stream_windows(tagger, text.text, block_characters=BLOCK_CHARACTERS)
            characters = 0
        else:
            together.append(text)
    yield from _encoded(tagger, together)


def _encoded(tagger: Tagger, texts: Sequence[Text]) -> Iterator[tuple[Text, list[Window]]]:
    windows = tagger.encode([text.text for text in texts])
    per_text: list[list[Window]] = [[] for _ in texts]
    for window in windows:
        per_text[window.text].append(window)
    yield from zip(texts, per_text, strict=True)


def _finished(opened: deque[_Open], taggers: Sequence[Tagger]) -> Iterator[Tagged]:
    while opened and opened[0].complete and not opened[0].waiting:
        yield opened.popleft().close(taggers)


def _run(
    taggers: Sequence[Tagger],
    buffer: Sequence[tuple[_Open, int, Window]],
    batch_tokens: int | None,
    precision: Precision,
    merge_tokens: int,
    progress: Callable[[int], None] | None,
) -> None:
    windows = [window for _, _, window in buffer]
    merge = sum(map(len, windows)) >= max(1, merge_tokens)
    heads = [head for tagger in taggers for head in tagger.heads]
    together = find_entities(
        heads, windows, batch_tokens=batch_tokens, precision=precision, merge=merge, progress=progress
    )
    for number, found in enumerate(together):
        for (document, slot, _), entities in zip(buffer, found, strict=True):
            document.found[slot][number] = entities
    for document, _, _ in buffer:
        document.waiting -= 1


def stream_windows(tagger: Tagger, text: str, *, block_characters: int = BLOCK_CHARACTERS) -> Iterator[Window]:
    """The windows that `encode` gives for a text, without all its tokens in memory at once.

    Args:
        tagger: Tokenizer, length and overlap of windows.
        text: A text of any length.
        block_characters: Longer texts are tokenized in blocks of about this length.
    """
    if len(text) <= block_characters:
        yield from tagger.encode([text])
        return
    size, stride = tagger.window_tokens, tagger.stride_tokens
    before, after = _special_tokens(tagger)
    room = size - len(before) - len(after)
    tokens: list[tuple[int, int, int, bool]] = []
    for start, end in _blocks(text, block_characters):
        (block,) = _whole(tagger, text[start:end], window_tokens=_MOST_TOKENS * (end - start) + size)
        tokens += [
            (block.input_ids[i], start + int(block.offsets[i, 0]), start + int(block.offsets[i, 1]), block.continues[i])
            for i in np.flatnonzero(block.real)
        ]
        while len(tokens) > room:
            yield _window(before, tokens[:room], after)
            tokens = tokens[room - stride :]
    yield _window(before, tokens, after)


def _whole(tagger: Tagger, text: str, *, window_tokens: int) -> list[Window]:
    with tagger.base.tokenizing:
        return encode(tagger.tokenizer, [text], window_tokens=window_tokens, stride_tokens=0)


def _blocks(text: str, characters: int) -> Iterator[tuple[int, int]]:
    """Borders of blocks that begin with a run of white space: tokens never reach over it."""
    starts = re.compile(r"(?<!\s)\s")
    start = 0
    while start < len(text):
        following = starts.search(text, start + characters)
        end = following.start() if following else len(text)
        yield start, end
        start = end


def _special_tokens(tagger: Tagger) -> tuple[list[int], list[int]]:
    """What stands before and after the tokens of a text."""
    (window,) = _whole(tagger, "a", window_tokens=16)
    real = np.flatnonzero(window.real)
    return window.input_ids[: real[0]], window.input_ids[real[-1] + 1 :]


def _window(before: list[int], tokens: Sequence[tuple[int, int, int, bool]], after: list[int]) -> Window:
    ids = [*before, *(token[0] for token in tokens), *after]
    offsets, real = np.zeros((len(ids), 2), dtype=np.int64), np.zeros(len(ids), dtype=np.bool_)
    continues = np.zeros(len(ids), dtype=np.bool_)
    inside = slice(len(before), len(before) + len(tokens))
    real[inside] = True
    if tokens:
        offsets[inside], continues[inside] = [token[1:3] for token in tokens], [token[3] for token in tokens]
    return Window(0, ids, offsets, real, continues)
