"""ConText's algorithm (Harkema et al. 2009, doi:10.1016/j.jbi.2009.05.002; NegEx: Chapman et al. 2001).

Phrases near a mention say something of it. Each reaches forward, backward or both ways, up to the end of the sentence,
to a phrase that ends its reach ("but"), or as many words as its rule allows. A phrase inside a longer one does not
count ("no" in "no change"), nor one that shares words with the mention or stands in a header. Of several that reach a
mention and speak of the same, the nearest decides. Where none does, the section may: past medical history is past.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from zoo.context.assertion import Assertion
from zoo.context.rules import NUMBER, SENTENCE_END, YEAR, Axis, Direction, Rule, Rules, load_rules
from zoo.context.sections import Section, find_sections, section_at
from zoo.context.tokens import Token, sentences, tokenize

_REACH: dict[Direction, tuple[str, ...]] = {
    "forward": ("after",),
    "backward": ("before",),
    "bidirectional": ("after", "before"),
}


@dataclass(frozen=True, slots=True)
class Cue:
    """A phrase at the words `[first, last)` of a sentence; `shorter` ones begin with it, and end before it does."""

    first: int
    last: int
    rules: tuple[Rule, ...]
    shorter: tuple[tuple[int, tuple[Rule, ...]], ...] = ()


class _Sentence:
    """The cues of one sentence, so arranged that the nearest to a mention is found without looking at all."""

    def __init__(self, text: str, start: int, end: int, rules: Rules, headers: Sequence[Section]) -> None:
        self._text = text
        self._tokens = tokenize(text, start, end)
        self._starts = [token.start for token in self._tokens]
        self._ends = [token.end for token in self._tokens]
        self._groups: dict[tuple[str, Rule], list[Cue]] = defaultdict(list)
        self._stops: dict[str | None, list[int]] = defaultdict(list)  # by the value that they end; None: of any
        self._cues = find_cues(self._tokens, rules)
        for cue in self._cues:
            if any(h.start < self._ends[cue.last - 1] and self._starts[cue.first] < h.end for h in headers):
                continue
            for rule in cue.rules:
                if rule.direction == "terminate":
                    self._stops[rule.value if rule.axis else None].append(cue.first)
                for side in _REACH.get(rule.direction, ()):
                    self._groups[side, rule].append(cue)

    def decide(self, start: int, end: int) -> dict[Axis, tuple[str, str]]:
        """What is said of the mention `[start, end)`: by axis, the value and the phrase that says it."""
        first = bisect_right(self._ends, start)
        last = max(first, bisect_left(self._starts, end))
        best: dict[Axis, tuple[int, str, Cue]] = {}
        for rule, cue in self._cut_off(first):
            if rule.axis and rule.direction == "forward":
                best[rule.axis] = (first - cue.last, rule.value, cue)
        for (side, rule), cues in self._groups.items():
            if side == "after":
                number = bisect_right(cues, first, key=lambda cue: cue.last) - 1
                between = (cues[number].last, first) if number >= 0 else None
            else:
                number = bisect_left(cues, last, key=lambda cue: cue.first)
                between = (last, cues[number].first) if number < len(cues) else None
            if between is None or rule.axis is None:
                continue
            words = between[1] - between[0]
            if rule.most_words is not None and words > rule.most_words:
                continue
            if any(self._stopped(value, *between) for value in (rule.value, None)):
                continue
            if rule.axis not in best or words < best[rule.axis][0]:
                best[rule.axis] = (words, rule.value, cues[number])
        return {axis: (value, self._phrase(cue)) for axis, (_, value, cue) in best.items()}

    def _stopped(self, value: str | None, first: int, last: int) -> bool:
        """Whether a phrase among these words ends the reach of phrases that say this."""
        stops = self._stops[value]
        return bisect_left(stops, first) < bisect_left(stops, last)

    def _cut_off(self, first: int) -> list[tuple[Rule, Cue]]:
        """What the words say that a phrase begins with before it runs into a mention: `no` of `no change` in vision."""
        number = bisect_right(self._cues, first, key=lambda cue: cue.last)
        if number == len(self._cues) or self._cues[number].first >= first:
            return []
        before = [(last, rules) for last, rules in self._cues[number].shorter if last <= first]
        return [(rule, Cue(self._cues[number].first, last, rules)) for last, rules in before[-1:] for rule in rules]

    def _phrase(self, cue: Cue) -> str:
        return " ".join(self._text[self._starts[cue.first] : self._ends[cue.last - 1]].split())


def find_cues(tokens: Sequence[Token], rules: Rules) -> list[Cue]:
    """Phrases of the rules, in order; none of them lies inside of another."""
    found: list[Cue] = []
    words = [_spelling(token.folded) for token in tokens]
    for first in range(len(words)):
        node, phrases = rules.phrases, list[tuple[int, tuple[Rule, ...]]]()
        for place in range(first, len(words) + 1):
            following = node.following.get(words[place] if place < len(words) else SENTENCE_END)
            if following is None:
                break
            node = following
            if node.rules:
                phrases.append((min(place + 1, len(words)), tuple(node.rules)))
        if phrases and (not found or phrases[-1][0] > found[-1].last):
            found.append(Cue(first, *phrases[-1], tuple(phrases[:-1])))
    return found


def _spelling(word: str) -> str:
    if not word.isdecimal():
        return word
    return YEAR if len(word) == 4 and word[:2] in ("19", "20") else NUMBER


def assertions(text: str, spans: Sequence[tuple[int, int]], language: str = "en") -> list[Assertion]:
    """What a text says of mentions in it.

    Args:
        text: The text, of any length.
        spans: `[start, end)` of the mentions, in any order.
        language: Tag of the text's language.

    Returns:
        One answer a mention, in their order.

    Raises:
        ZooError: There are no rules for the language.
    """
    rules = load_rules(language)
    headers = find_sections(text, rules)
    cuts = sorted({0, len(text), *(end for _, end in sentences(text)), *(header.start for header in headers)})
    places = list(pairwise(cuts))
    begins = [start for start, _ in places]
    of_sentence: dict[int, list[int]] = defaultdict(list)
    for number, (start, _) in enumerate(spans):
        of_sentence[max(0, bisect_right(begins, start) - 1)].append(number)
    answers: dict[int, Assertion] = {}
    header_starts = [header.start for header in headers]
    for which, numbers in of_sentence.items():
        start, end = places[which] if places else (0, 0)
        near = headers[max(0, bisect_left(header_starts, start) - 1) : bisect_left(header_starts, end)]
        sentence = _Sentence(text, start, end, rules, near)
        for number in numbers:
            answers[number] = _answer(sentence.decide(*spans[number]), section_at(headers, spans[number][0]), rules)
    return [answers[number] for number in range(len(spans))]


def _answer(said: dict[Axis, tuple[str, str]], section: Section | None, rules: Rules) -> Assertion:
    name = section.name if section else ""
    values: dict[str, Any] = {**rules.sections.get(name, {}), **{axis: value for axis, (value, _) in said.items()}}
    phrases = tuple(dict.fromkeys(phrase for _, phrase in said.values()))
    return Assertion(**values, section=name, cues=phrases)
