"""Text to overlapping windows of tokens, gold spans to labels, predicted labels back to spans.

Nothing is truncated: a text of any length becomes as many windows as it needs. Decoding is what `transformers.pipeline(
"token-classification", ..., stride=...)` does with the same logits and the strategy that `aggregation_strategy` names
(`TokenClassificationPipeline.aggregate_words`, `group_entities`, `aggregate_overlapping_entities`): a score is what a
user gets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from zoo.context.assertion import Assertion
from zoo.corpora.document import Fragments, Key, Span, key_of
from zoo.language.writing import flat, is_flat, trim
from zoo.ontologies.link import Link

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from zoo.modeling.labels import LabelSpace

UNTYPED = "entity"
"""Type of the mentions of models whose labels are `B`, `I` and `O`."""
IGNORED = -100
"""Label of special tokens; PyTorch's cross-entropy leaves it out."""


@dataclass(frozen=True, slots=True)
class Window:
    """A run of tokens of one text.

    Attributes:
        text: Index of the text.
        input_ids: Token ids, special tokens included, shape [T].
        offsets: `[start, end)` of each token in the text, shape [T, 2]; tokens of SentencePiece and BPE may begin with
            a space.
        real: Which tokens stand for text, False for special tokens; shape [T].
        continues: Which tokens continue the word of the token before, as the pipeline sees it; shape [T].
    """

    text: int
    input_ids: list[int]
    offsets: npt.NDArray[np.int64]
    real: npt.NDArray[np.bool_]
    continues: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.input_ids)


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """A predicted mention `[start, end)`.

    Attributes:
        start: First character.
        end: One past the last character.
        type: Entity type.
        score: Mean softmax score of its tokens.
        link: What it was linked to in an ontology, where it was.
        fragments: Parts of a discontinuous mention, which `start` and `end` span; else empty.
        assertion: What the text says of it, where that was asked.
    """

    start: int
    end: int
    type: str
    score: float
    link: Link | None = None
    fragments: Fragments = ()
    assertion: Assertion | None = None

    @property
    def concept_ids(self) -> tuple[str, ...]:
        """Identifiers in an ontology; empty where it was not linked, or to none."""
        return self.link.concept_ids if self.link else ()

    @property
    def key(self) -> Key:
        """What strict scoring compares."""
        return key_of(self.start, self.end, self.type, self.fragments)


def encode(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, window_tokens: int, stride_tokens: int
) -> list[Window]:
    """Tokenize texts into windows of at most `window_tokens`, neighbours sharing `stride_tokens`.

    Models read texts in the one writing of `zoo.language.writing`; offsets are those of the texts as given.

    Args:
        tokenizer: A fast tokenizer.
        texts: Texts of any length.
        window_tokens: Longest window, special tokens included.
        stride_tokens: Tokens that two neighbouring windows share.

    Returns:
        Windows in the order of the texts; an empty text still has one window.
    """
    if not texts:
        return []
    flats = {index: flat(text) for index, text in enumerate(texts) if not is_flat(text)}
    batch = tokenizer(
        [flats[index].text if index in flats else text for index, text in enumerate(texts)],
        truncation=True,
        max_length=window_tokens,
        stride=stride_tokens,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
        return_attention_mask=False,
        return_token_type_ids=False,
    )
    columns = [batch[k] for k in ("overflow_to_sample_mapping", "input_ids", "offset_mapping", "special_tokens_mask")]
    lengths = _token_lengths(tokenizer) if marks_words(tokenizer) else None
    windows = []
    for index, ids, pairs, special in zip(*columns, strict=True):
        offsets = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
        continues = np.zeros(len(ids), dtype=np.bool_)
        if lengths is not None:
            continues = (lengths[ids] != offsets[:, 1] - offsets[:, 0]) & (np.asarray(ids) != tokenizer.unk_token_id)
        if index in flats:
            empty = offsets[:, :1] == offsets[:, 1:]
            given = np.stack([flats[index].starts[offsets[:, 0]], flats[index].ends[offsets[:, 1]]], axis=1)
            offsets = np.where(empty, given[:, :1], given)
        windows.append(Window(index, ids, offsets, np.asarray(special) == 0, continues))
    return windows


def marks_words(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the tokenizer marks the tokens inside a word (WordPiece's `##`), so that the pipeline knows words."""
    return bool(getattr(tokenizer.backend_tokenizer.model, "continuing_subword_prefix", None))


def aggregation_strategy(tokenizer: PreTrainedTokenizerBase) -> Literal["simple", "max"]:
    """The pipeline strategy that our decoding is: `max` where the tokenizer marks words, else `simple`.

    `max` gives all tokens of a word the label of the surest one. Without marks the pipeline takes what white space
    separates for a word, punctuation included, which spoils the borders of entities in running text.
    """
    return "max" if marks_words(tokenizer) else "simple"


_LENGTHS: WeakKeyDictionary[PreTrainedTokenizerBase, npt.NDArray[np.int64]] = WeakKeyDictionary()


def _token_lengths(tokenizer: PreTrainedTokenizerBase) -> npt.NDArray[np.int64]:
    """Characters of each token as the vocabulary writes it (`##ly` has 4), by id; kept, as it takes 20 ms to find."""
    known = _LENGTHS.get(tokenizer)
    if known is None or len(known) != len(tokenizer):
        known = _LENGTHS[tokenizer] = np.zeros(len(tokenizer), dtype=np.int64)
        for token, index in tokenizer.get_vocab().items():
            known[index] = len(token)
    return known


def label_window(window: Window, spans: Sequence[Span], labels: LabelSpace) -> list[int]:
    """Label ids of a window's tokens: every sub-token of a mention is labelled, the first B-, the others I-.

    A token that two mentions share goes to the first of them. Where a window begins inside a mention, its first token
    is I-; where the tokenizer drops a mention's first characters (zero-width ones), the first token it has is B-.
    """
    starts, ends = window.offsets[:, 0], window.offsets[:, 1]
    ids = np.where(window.real, 0, IGNORED)
    if not window.real.any():
        return ids.tolist()  # type: ignore[no-any-return]
    first, last = int(starts[window.real].min()), int(ends[window.real].max())
    near = [span for span in spans if span.start < last and span.end > first]
    for span in sorted(near, key=lambda item: (item.start, -item.end), reverse=True):
        inside = np.flatnonzero(window.real & (starts < span.end) & (ends > span.start))
        if inside.size:
            begin = labels.begin(span.type)
            ids[inside] = begin + 1
            if starts[inside[0]] <= span.start or window.real[: inside[0]].any():
                ids[inside[0]] = begin
    return ids.tolist()  # type: ignore[no-any-return]


def decode(
    window: Window, label_ids: npt.NDArray[np.int64], scores: npt.NDArray[np.float32], names: Sequence[str]
) -> list[Entity]:
    """Group the labels of one window into entities.

    Args:
        window: The window.
        label_ids: Best label per token, shape [T].
        scores: Its softmax probability per token, shape [T].
        names: Label names by id.
    """
    real = np.flatnonzero(window.real)
    if not real.size:
        return []
    first, last = words_of(window)
    surest = real[_surest_tokens(scores[real], first, last)]
    found = label_ids[surest].tolist()
    parsed = {label: parse_label(names[label]) for label in set(found)}
    if not any(entity_type for _, entity_type in parsed.values()):
        return []
    entities: list[Entity] = []
    sure = scores[surest].tolist()
    begin, current_type = 0, ""

    def close(end: int) -> None:
        """End the entity, if it is one, before the word `end`."""
        if current_type:
            span = int(window.offsets[real[first[begin]], 0]), int(window.offsets[real[last[end - 1]], 1])
            entities.append(Entity(*span, current_type, sum(sure[begin:end]) / (end - begin)))

    for word, label in enumerate(found):
        prefix, entity_type = parsed[label]
        if prefix == "B" or entity_type != current_type:
            close(word)
            begin, current_type = word, entity_type
    close(len(found))
    return entities


def _surest_tokens(
    scores: npt.NDArray[np.float32], first: npt.NDArray[np.int64], last: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """The token of the highest score in each word, the first of equal ones; scores of shape [T], the rest [W]."""
    highest = np.repeat(np.maximum.reduceat(scores, first), last - first + 1)
    reaching = np.flatnonzero(~(scores < highest))  # also where a score is not a number
    return reaching[np.searchsorted(reaching, first)]


def words_of(window: Window) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First and last token of each word, counted among the real tokens of a window that has some."""
    continues = window.continues[window.real]
    first = np.flatnonzero(np.concatenate(([True], ~continues[1:])))
    return first, np.append(first[1:], continues.size) - 1


def parse_label(name: str) -> tuple[str, str]:
    """Prefix and type of a label: `O` has no type.

    In other people's models, one without a prefix continues its type, and bare `B` and `I` begin and continue `UNTYPED`
    mentions.
    """
    if name in ("O", "B", "I"):
        return ("I", "") if name == "O" else (name, UNTYPED)
    return (name[0], name[2:]) if name.startswith(("B-", "I-")) else ("I", name)


def join_windows(entities: Iterable[Entity], length: Callable[[int, int], int] = lambda s, e: e - s) -> list[Entity]:
    """Resolve what neighbouring windows both found: of two overlapping entities the longer stays, then the surer.

    As `TokenClassificationPipeline.aggregate_overlapping_entities`.

    Args:
        entities: What all windows of a text found.
        length: Characters of `[start, end)` as the model saw them.
    """
    ordered = sorted(entities, key=lambda item: item.start)
    kept: list[Entity] = []
    for entity in ordered:
        if kept and kept[-1].start <= entity.start < kept[-1].end:
            own, previous = length(entity.start, entity.end), length(kept[-1].start, kept[-1].end)
            if own > previous or (own == previous and entity.score > kept[-1].score):
                kept[-1] = entity
        else:
            kept.append(entity)
    return kept


def finish(text: str, per_window: Sequence[Sequence[Entity]]) -> list[Entity]:
    """The entities of a text from those of its windows, white space at their ends taken off, letters with all marks."""
    if len(per_window) == 1:
        entities = per_window[0]
    else:
        every = (entity for found in per_window for entity in found)
        entities = join_windows(every) if is_flat(text) else join_windows(every, flat(text).length)
    trimmed = []
    for entity in entities:
        if borders := trim(text, entity.start, entity.end):
            trimmed.append(Entity(*borders, entity.type, entity.score, entity.link))
    return trimmed


def join_heads(per_head: Sequence[list[Entity]]) -> list[Entity]:
    """The entities of a text from those that each head found: nested ones stay; of the same one the surest."""
    if len(per_head) == 1:
        return per_head[0]
    found: dict[Key, Entity] = {}
    for entity in chain.from_iterable(per_head):
        if entity.key not in found or entity.score > found[entity.key].score:
            found[entity.key] = entity
    return in_order(found.values())


def in_order(entities: Iterable[Entity]) -> list[Entity]:
    """Entities by their start, of those that begin together the longest first."""
    return sorted(entities, key=lambda entity: (entity.start, -entity.end, entity.type, entity.fragments))
