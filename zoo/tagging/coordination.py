"""Discontinuous mentions, found where the mentions in one piece are known: "rod and cone photoreceptors".

No head labels them. A candidate is a name of training that stands in a text in two pieces ("rod ... photoreceptors"); a
logistic regression on the words between them and on the mentions around says how likely it is one. What a type's names
and weights are is learned with the adapter (`zoo.training.coordination`) and lies in a file beside it.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import Field, FiniteFloat, StringConstraints

from zoo.corpora.document import Fragments
from zoo.errors import ZooError
from zoo.modeling.adapters import DISCONTINUOUS_FILE
from zoo.modeling.windows import Entity, in_order
from zoo.records import Record

LIKELY = 0.35
"""Least probability of a mention that is given. One of probability p raises F1 where p > F1 / 2 (Lipton et al. 2014,
"Optimal Thresholding of Classifiers to Maximize F1"), and models of corpora with such mentions reach about 70 %."""
_FARTHEST = 12
"""Words between two pieces."""
LONGEST = 4
"""Words of a piece."""
MOST_CHARACTERS = 300
"""Of a name."""
_MOST_BYTES = 32 << 20
"""Of the file: what a stranger's repository may make us read."""
_WORD = re.compile(r"\w+|[^\w\s]")
_STOPS = frozenset(".;")
_PLURAL = 3
"""Shorter words keep their s."""
_FUNCTION_WORDS = (
    "a an and are as at both but by for from had has have in is not of on or than that the to versus vs was well were "
    "which with"
)
_FUNCTION = frozenset(_FUNCTION_WORDS.split())
_SAME = dict.fromkeys("“”\"'’‘", "") | dict.fromkeys("[{", "(") | dict.fromkeys("]}", ")") | dict.fromkeys("–—", "-")
_JOINING = frozenset({"and", "or", "/", "&"})
_LISTING = _JOINING | {","}
_COMPOUND, _MANY = re.compile(r"W(?: [-+:] W)+"), re.compile(r"W W W(?: W)*")
_END = ""
"""Key in a tree of names where one ends."""


class Word(NamedTuple):
    """A word or sign of a text: `[start, end)`, and how names write it."""

    start: int
    end: int
    name: str


class Candidate(NamedTuple):
    """A name in two pieces, and what speaks for and against it."""

    fragments: Fragments
    features: tuple[str, ...]


class SplitterScore(Record):
    """How a type's discontinuous mentions are found in training documents with gold mentions, cross-validated."""

    mentions: int = Field(ge=0, description="discontinuous mentions")
    right: int = Field(ge=0, description="of these, found with names and weights of the other documents")
    wrong: int = Field(ge=0, description="found that are none")
    kept: bool = Field(description="right ones clearly exceed wrong ones: the model finds them; else it finds none")


class TypeSplitter(Record):
    """What is known of the discontinuous mentions of one type."""

    names: tuple[Annotated[str, StringConstraints(max_length=MOST_CHARACTERS)], ...] = Field(
        max_length=500_000, description="mentions of training of several words, as `name_words` writes them"
    )
    weights: dict[str, FiniteFloat] = Field(description="of a candidate's features; what is missing weighs nothing")
    bias: FiniteFloat = Field(description="of every candidate")

    @cached_property
    def tree(self) -> dict[str, Any]:
        """The names, word by word."""
        return tree_of(tuple(name.split()) for name in self.names)

    def probability(self, features: Sequence[str]) -> float:
        """That a candidate is a mention."""
        return 1 / (1 + math.exp(min(-self.bias - sum(self.weights.get(name, 0.0) for name in features), 700.0)))


class Splitter(Record):
    """`discontinuous.json`: how the discontinuous mentions of some types are found."""

    types: dict[str, TypeSplitter] = Field(description="by type; of others none is found")

    def find(self, text: str, entities: Sequence[Entity]) -> list[Entity]:
        """The entities of a text with the discontinuous ones among them; their score is the probability.

        Args:
            text: The text.
            entities: What the heads found in it.
        """
        found: list[Entity] = []
        segments = words_of(text)
        for name, own in self.types.items():
            pieces = [(entity.start, entity.end) for entity in entities if entity.type == name]
            for fragments, features in candidates(segments, pieces, own.tree):
                if (score := own.probability(features)) >= LIKELY:
                    found.append(Entity(fragments[0][0], fragments[-1][1], name, score, fragments=fragments))
        return in_order([*entities, *found])


def read_splitter(adapter: Path, types: Sequence[str]) -> Splitter | None:
    """What was learned of discontinuous mentions with an adapter; None where there were none.

    Args:
        adapter: Folder of the adapter.
        types: Entity types of its model.

    Raises:
        ZooError: The file is damaged, too large, or about types that the model does not have.
    """
    path, fix = adapter / DISCONTINUOUS_FILE, "build the adapter again, or fetch it again"
    if not path.is_file():
        return None
    if path.stat().st_size > _MOST_BYTES:
        raise ZooError(f"the file has more than {_MOST_BYTES >> 20} MB", where=path, fix=fix)
    splitter = Splitter.from_file(path, what="it does not say how discontinuous mentions are found", fix=fix)
    if unknown := sorted(splitter.types.keys() - set(types)):
        raise ZooError(f"it is about types that the model does not predict: {', '.join(unknown)}", where=path, fix=fix)
    return splitter


def name_word(word: str) -> str:
    """A word as names have it: in small letters, and mostly without the s of the plural."""
    word = word.lower()
    return word[:-1] if len(word) > _PLURAL and word.endswith("s") and not word.endswith("ss") else word


def name_words(text: str, fragments: Fragments) -> tuple[str, ...]:
    """The words of a mention, without its gaps."""
    return tuple(name_word(m.group()) for start, end in fragments for m in _WORD.finditer(text, start, end))


def tree_of(names: Iterable[tuple[str, ...]]) -> dict[str, Any]:
    """Names as a tree of words; in a node where one ends, there is `_END`."""
    root: dict[str, Any] = {}
    for name in names:
        node = root
        for word in name:
            node = node.setdefault(word, {})
        node[_END] = {}
    return root


def words_of(text: str) -> list[list[Word]]:
    """The words of a text in segments, over which no mention reaches: they end at lines, full stops and semicolons."""
    segments: list[list[Word]] = [[]]
    last = 0
    for found in _WORD.finditer(text):
        start, end = found.span()
        if found.group() in _STOPS or "\n" in text[last:start]:
            segments.append([])
        if found.group() not in _STOPS:
            segments[-1].append(Word(start, end, name_word(found.group())))
        last = end
    return segments


def candidates(
    segments: Sequence[Sequence[Word]], pieces: Sequence[tuple[int, int]], names: dict[str, Any]
) -> Iterator[Candidate]:
    """Names in two pieces; of those that share gap and right piece, the one with the longest left piece.

    The work is linear in the text: pieces have at most `LONGEST` words, gaps at most `_FARTHEST`.

    Args:
        segments: The words of a text.
        pieces: `[start, end)` of the mentions of the type that are in one piece; what lies in one is no candidate.
        names: Known names, as `tree_of` gives them.

    Yields:
        Candidates in order of their start.
    """
    around = _Around(pieces)
    for words in segments:
        taken: set[tuple[int, int, int]] = set()
        for first in range(len(words)):
            node, gap = names, first
            while gap < min(len(words), first + LONGEST) and (node := node.get(words[gap].name, {})):
                gap += 1
                for right in range(gap + 1, min(len(words), gap + _FARTHEST + 1)):
                    end = _end_of_name(words, right, node)
                    if end and (gap, right, end) not in taken:
                        taken.add((gap, right, end))
                        if not around.covers(words[first].start, words[end - 1].end):
                            yield _candidate(words[first:gap], words[gap:right], words[right:end], around)


def _end_of_name(words: Sequence[Word], start: int, node: dict[str, Any]) -> int:
    """Where the longest right piece that begins at a word ends; 0 where none does."""
    longest = 0
    for number, word in enumerate(words[start : start + LONGEST], start=start + 1):
        if not (node := node.get(word.name, {})):
            break
        if _END in node:
            longest = number
    return longest


class _Around:
    """The mentions of a type that are in one piece."""

    def __init__(self, pieces: Sequence[tuple[int, int]]) -> None:
        ordered = sorted(pieces)
        self._starts = [start for start, _ in ordered]
        self._farthest = list(accumulate((end for _, end in ordered), max))
        self._by_end: dict[int, list[int]] = defaultdict(list)
        for start, end in ordered:
            self._by_end[end].append(start)

    def covers(self, start: int, end: int) -> bool:
        """Whether characters lie in one of them."""
        number = bisect_right(self._starts, start)
        return number > 0 and self._farthest[number - 1] >= end

    def between(self, start: int, stop: int, end: int) -> bool:
        """Whether one begins in `[start, stop)` and ends where these characters do: "cone photoreceptors"."""
        return any(start <= own < stop for own in self._by_end.get(end, ()))


def _candidate(left: Sequence[Word], gap: Sequence[Word], right: Sequence[Word], around: _Around) -> Candidate:
    names = [word.name for word in gap]
    listed = names[0] in _LISTING and not _JOINING.isdisjoint(names)
    shape, begins = ("list", "list") if listed else (_shape(names), names[0])  # lists of any length are alike
    shared = "shared" if around.between(left[-1].end, right[0].start, right[-1].end) else "not shared"
    features = (
        f"gap {shape}",
        f"gap {shape}, {shared}",
        f"gap {'in brackets' if names[0] == '(' and names[-1] == ')' else 'without'}, {shared}",
        f"gap of {len(gap)}",
        f"gap begins {begins}",
        f"gap ends {names[-1]}",
        f"gap {'with' if right[-1].name in names else 'without'} the last word",
        f"left {' '.join(word.name for word in left)}",
        f"left begins {left[0].name}",
        f"left {'in a mention' if around.covers(left[0].start, left[-1].end) else 'in none'}",
        f"right {' '.join(word.name for word in right)}",
    )
    return Candidate(((left[0].start, left[-1].end), (right[0].start, right[-1].end)), features)


def _shape(gap: Sequence[str]) -> str:
    """What stands in a gap: function words and signs as they are, any other word as W, three and more as `W W W`."""
    signs = (_SAME.get(word, word) for word in gap)
    written = " ".join("W" if sign[0].isalnum() and sign not in _FUNCTION else sign for sign in signs if sign)
    return _MANY.sub("W W W", _COMPOUND.sub("W", written))
