"""Error analysis: what kind of mistake every wrong prediction and every unfound gold mention is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, get_args

from zoo.corpora.document import Document, Key
from zoo.evaluation.spans import Counts, count_documents, per_type, total
from zoo.modeling.windows import Entity

ErrorKind = Literal["boundary", "type", "boundary+type", "missed", "spurious"]
KINDS: tuple[ErrorKind, ...] = get_args(ErrorKind)
MEANINGS: dict[ErrorKind, str] = {
    "boundary": "overlaps a mention of the same type, but starts or ends elsewhere",
    "type": "the borders are right, the type is not",
    "boundary+type": "overlaps mentions of other types only, with other borders",
    "missed": "a gold mention that no prediction touches",
    "spurious": "a prediction that touches no gold mention",
}
CONTEXT_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Mistake:
    """One false positive or false negative.

    Attributes:
        document: Index of the document.
        kind: Its class.
        predicted: True for a prediction that is wrong, False for a gold mention that was not found.
        key: `(start, end, type)` of the prediction or of the gold mention.
        counterpart: The gold mention (or prediction) that it was mistaken for; None for missed and spurious.
    """

    document: int
    kind: ErrorKind
    predicted: bool
    key: Key
    counterpart: Key | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of text, and the types of the gold and of the predicted spans that cover all of it."""

    text: str
    gold: tuple[str, ...]
    predicted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Context:
    """A mistake in its surroundings: segments of `text[start:end)`, and whether text was cut off before and after."""

    start: int
    end: int
    segments: tuple[Segment, ...]
    cut_before: bool
    cut_after: bool


@dataclass(frozen=True)
class ErrorReport:
    """All mistakes of a model on some documents, in order of document and position.

    Attributes:
        documents: Documents with gold spans.
        predicted: Predicted spans of each document, sorted, without repeats.
        counts: Strict counts over all documents.
        per_type: Strict counts of each type.
        mistakes: Every false positive and every false negative, each once.
    """

    documents: tuple[Document, ...]
    predicted: tuple[tuple[Key, ...], ...]
    counts: Counts
    per_type: dict[str, Counts]
    mistakes: tuple[Mistake, ...]

    @cached_property
    def by_kind(self) -> dict[ErrorKind, Counts]:
        """False positives and false negatives of each class (`tp` is 0); they sum to those of `counts`."""
        found = Counter((mistake.kind, mistake.predicted) for mistake in self.mistakes)
        return {kind: Counts(0, found[kind, True], found[kind, False]) for kind in KINDS}

    @cached_property
    def by_type(self) -> dict[str, dict[ErrorKind, Counts]]:
        """The same for each type: that of the prediction for false positives, of gold for false negatives."""
        found = Counter((mistake.key[2], mistake.kind, mistake.predicted) for mistake in self.mistakes)
        return {
            name: {kind: Counts(0, found[name, kind, True], found[name, kind, False]) for kind in KINDS}
            for name in self.per_type
        }

    def of_kind(self, kind: ErrorKind) -> list[Mistake]:
        """Mistakes of one class."""
        return [mistake for mistake in self.mistakes if mistake.kind == kind]

    def text(self, mistake: Mistake) -> str:
        """The characters of a mistake."""
        start, end = mistake.key[:2]
        return self.documents[mistake.document].text[start:end]

    def frequent(self, kind: ErrorKind, limit: int = 10) -> list[tuple[str, int]]:
        """Most frequent strings of a class with their counts; equal counts in order of the string."""
        strings = Counter(self.text(mistake) for mistake in self.of_kind(kind))
        return sorted(strings.items(), key=lambda item: (-item[1], item[0]))[:limit]

    def places(self, kind: ErrorKind) -> list[Mistake]:
        """Mistakes of a class, where a false positive and a false negative that mirror each other are one place."""
        places: dict[tuple[int, Key | None, Key | None], Mistake] = {}
        for mistake in self.of_kind(kind):
            first, second = mistake.key, mistake.counterpart
            place = (mistake.document, first, second) if mistake.predicted else (mistake.document, second, first)
            places.setdefault(place, mistake)
        return list(places.values())

    def examples(self, kind: ErrorKind, limit: int) -> list[Mistake]:
        """At most `limit` places of a class, evenly spaced over the documents: always the same ones."""
        found = self.places(kind)
        if len(found) <= limit:
            return found
        return [found[index * len(found) // limit] for index in range(limit)]

    def context(self, mistake: Mistake, characters: int = CONTEXT_CHARACTERS) -> Context:
        """Text around a mistake and its counterpart, cut where any gold or predicted span begins or ends.

        Args:
            mistake: The mistake.
            characters: Characters shown on each side.
        """
        document = self.documents[mistake.document]
        keys = [mistake.key, *([mistake.counterpart] if mistake.counterpart else [])]
        low = max(0, min(key[0] for key in keys) - characters)
        high = min(len(document.text), max(key[1] for key in keys) + characters)
        gold = [span.key for span in document.spans if span.start < high and span.end > low]
        predicted = [key for key in self.predicted[mistake.document] if key[0] < high and key[1] > low]
        cuts = {low, high, *(border for key in (*gold, *predicted) for border in key[:2] if low < border < high)}
        borders = sorted(cuts)
        segments = tuple(
            Segment(document.text[a:b], _covering(gold, a), _covering(predicted, a)) for a, b in pairwise(borders)
        )
        return Context(low, high, segments, low > 0, high < len(document.text))

    def to_json(self, *, quote: bool) -> dict[str, Any]:
        """Everything as JSON-like data, offsets `[start, end)`; strings of the corpus only with `quote`."""
        return {
            "micro_f1": self.counts.f1,
            "precision": self.counts.precision,
            "recall": self.counts.recall,
            "documents": len(self.documents),
            "true_positives": self.counts.tp,
            "quoted": quote,
            "classes": {
                kind: {
                    "meaning": MEANINGS[kind],
                    **_sides(counts),
                    **({"frequent": [[text, n] for text, n in self.frequent(kind)]} if quote else {}),
                }
                for kind, counts in self.by_kind.items()
            },
            "per_type": {
                name: {
                    "f1": self.per_type[name].f1,
                    "true_positives": self.per_type[name].tp,
                    **{kind: _sides(counts) for kind, counts in kinds.items()},
                }
                for name, kinds in self.by_type.items()
            },
            "mistakes": [self._mistake_json(mistake, quote) for mistake in self.mistakes],
        }

    def _mistake_json(self, mistake: Mistake, quote: bool) -> dict[str, Any]:
        other = mistake.counterpart
        return {
            "document_id": self.documents[mistake.document].id,
            "class": mistake.kind,
            "side": "predicted" if mistake.predicted else "gold",
            **dict(zip(("start", "end", "type", "fragments"), mistake.key, strict=False)),
            "counterpart": dict(zip(("start", "end", "type", "fragments"), other, strict=False)) if other else None,
            **({"text": self.text(mistake)} if quote else {}),
        }


def analyse(documents: Sequence[Document], predictions: Sequence[Sequence[Entity]]) -> ErrorReport:
    """Classify every false positive and every false negative once.

    The first class that fits is taken, in this order: `type` (a span of the other side has the same borders),
    `boundary` (one of the same type overlaps), `boundary+type` (any overlaps), else `spurious` for a prediction and
    `missed` for a gold mention. So one confusion usually counts twice, as a false positive and as a false negative,
    exactly as in precision and recall. Whether a span of the other side was itself found does not matter.

    Args:
        documents: Documents with gold spans.
        predictions: Entities of each document.
    """
    gold = [sorted({span.key for span in document.spans}) for document in documents]
    predicted = [sorted({entity.key for entity in entities}) for entities in predictions]
    mistakes: list[Mistake] = []
    for index, (g, p) in enumerate(zip(gold, predicted, strict=True)):
        hits = set(g) & set(p)
        found = [(key, True, g) for key in p if key not in hits] + [(key, False, p) for key in g if key not in hits]
        for key, is_prediction, others in sorted(found, key=lambda item: (item[0], not item[1])):
            kind, counterpart = _classify(key, others)
            kind = kind or ("spurious" if is_prediction else "missed")
            mistakes.append(Mistake(index, kind, is_prediction, key, counterpart))
    return ErrorReport(
        tuple(documents),
        tuple(tuple(keys) for keys in predicted),
        total(count_documents(gold, predicted)),
        per_type(gold, predicted),
        tuple(mistakes),
    )


def _classify(key: Key, others: Sequence[Key]) -> tuple[ErrorKind | None, Key | None]:
    """Class of a span against those of the other side, and the one it was mistaken for: that of the longest overlap."""
    start, end, name = key[:3]
    overlapping = [other for other in others if other[0] < end and other[1] > start]
    if not overlapping:
        return None, None
    same_borders = [other for other in overlapping if other[:2] == (start, end)]
    same_type = [other for other in overlapping if other[2] == name]
    kind: ErrorKind = "type" if same_borders else "boundary" if same_type else "boundary+type"
    nearest = min(same_borders or same_type or overlapping, key=lambda o: (max(o[0], start) - min(o[1], end), o))
    return kind, nearest


def _covering(keys: Sequence[Key], position: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for start, end, name, *_ in keys if start <= position < end))


def _sides(counts: Counts) -> dict[str, int]:
    return {"false_positives": counts.fp, "false_negatives": counts.fn}
