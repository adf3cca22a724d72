"""Error analysis: what kind of mistake every wrong prediction and every unfound gold mention is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, get_args

from zoo.corpora.document import Document, Key, fragments_of, text_of
from zoo.evaluation.spans import Counts, count_documents, per_type, total
from zoo.modeling.windows import Entity

ErrorKind = Literal["boundary", "type", "boundary+type", "nested", "missed", "spurious"]
KINDS: tuple[ErrorKind, ...] = get_args(ErrorKind)
MEANINGS: dict[ErrorKind, str] = {
    "boundary": "overlaps a mention of the same type, but starts or ends elsewhere",
    "type": "the borders are right, the type is not",
    "boundary+type": "overlaps mentions of other types only, with other borders",
    "nested": "shares characters with another mention, to which what was found (or is annotated) there belongs",
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
        key: The prediction or the gold mention.
        counterpart: The gold mention (or prediction) that it was mistaken for, or that it is nested in; None for missed
            and spurious.
    """

    document: int
    kind: ErrorKind
    predicted: bool
    key: Key
    counterpart: Key | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of text, and the types of the gold and of the predicted spans that cover all of it.

    Layers say where to draw these: spans of one side that overlap have different ones, from 0, the shortest first.
    """

    text: str
    gold: tuple[str, ...]
    predicted: tuple[str, ...]
    gold_layers: tuple[int, ...] = ()
    predicted_layers: tuple[int, ...] = ()


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
    def kinds(self) -> tuple[ErrorKind, ...]:
        """The classes; that of nested mentions only where there is one."""
        return tuple(kind for kind in KINDS if kind != "nested" or any(m.kind == kind for m in self.mistakes))

    @cached_property
    def by_kind(self) -> dict[ErrorKind, Counts]:
        """False positives and false negatives of each class (`tp` is 0); they sum to those of `counts`."""
        found = Counter((mistake.kind, mistake.predicted) for mistake in self.mistakes)
        return {kind: Counts(0, found[kind, True], found[kind, False]) for kind in self.kinds}

    @cached_property
    def by_type(self) -> dict[str, dict[ErrorKind, Counts]]:
        """The same for each type: that of the prediction for false positives, of gold for false negatives."""
        found = Counter((mistake.key[2], mistake.kind, mistake.predicted) for mistake in self.mistakes)
        return {
            name: {kind: Counts(0, found[name, kind, True], found[name, kind, False]) for kind in self.kinds}
            for name in self.per_type
        }

    def of_kind(self, kind: ErrorKind) -> list[Mistake]:
        """Mistakes of one class."""
        return [mistake for mistake in self.mistakes if mistake.kind == kind]

    def text(self, mistake: Mistake) -> str:
        """The characters of a mistake."""
        return text_of(self.documents[mistake.document].text, mistake.key)

    def beside(self, mistake: Mistake) -> list[Key]:
        """Spans of its own side that share characters with a mistake."""
        gold = [span.key for span in self.documents[mistake.document].spans]
        own = self.predicted[mistake.document] if mistake.predicted else gold
        return [key for key in own if key != mistake.key and _shared(key, mistake.key)]

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
        borders = {border for key in (*gold, *predicted) for part in fragments_of(key) for border in part}
        cuts = [low, *sorted(border for border in borders if low < border < high), high]
        layers = [_layers(gold), _layers(predicted)]
        segments = []
        for a, b in pairwise(cuts):
            covering = [[key for key in side if any(s <= a < e for s, e in fragments_of(key))] for side in layers]
            gold_types, predicted_types = (tuple(dict.fromkeys(key[2] for key in keys)) for keys in covering)
            drawn = (tuple(sorted({side[k] for k in keys})) for keys, side in zip(covering, layers, strict=True))
            segments.append(Segment(document.text[a:b], gold_types, predicted_types, *drawn))
        return Context(low, high, tuple(segments), low > 0, high < len(document.text))

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
    exactly as in precision and recall.

    Where spans of one side overlap, what is right is taken for nothing else, and of the others a span of the other side
    counts for the one that it fits best: by its borders, else its type, else its share of common characters. What then
    shares characters only with what is not its own is `nested`: a mention missed inside one that was found is not the
    wrong border of that one. Of discontinuous mentions the borders and characters are those of their fragments.

    Args:
        documents: Documents with gold spans.
        predictions: Entities of each document.
    """
    gold = [sorted({span.key for span in document.spans}) for document in documents]
    predicted = [sorted({entity.key for entity in entities}) for entities in predictions]
    mistakes: list[Mistake] = []
    for index, (g, p) in enumerate(zip(gold, predicted, strict=True)):
        hits = set(g) & set(p)
        found = [(key, True) for key in p if key not in hits] + [(key, False) for key in g if key not in hits]
        for key, is_prediction in sorted(found, key=lambda item: (item[0], not item[1])):
            own, others = (p, g) if is_prediction else (g, p)
            kind, counterpart = _classify(key, own, others, hits)
            kind = kind or ("spurious" if is_prediction else "missed")
            mistakes.append(Mistake(index, kind, is_prediction, key, counterpart))
    return ErrorReport(
        tuple(documents),
        tuple(tuple(keys) for keys in predicted),
        total(count_documents(gold, predicted)),
        per_type(gold, predicted),
        tuple(mistakes),
    )


def _classify(
    key: Key, own: Sequence[Key], others: Sequence[Key], hits: Collection[Key]
) -> tuple[ErrorKind | None, Key | None]:
    """Class of a span against those of the other side, and the one it was mistaken for: that of the longest overlap."""
    overlapping = [other for other in others if _shared(key, other)]
    if not overlapping:
        return None, None
    rivals = [rival for rival in own if rival not in hits and _shared(key, rival)]
    fitting = [o for o in overlapping if o not in hits and all(_fit(rival, o) <= _fit(key, o) for rival in rivals)]
    same_borders = [other for other in fitting if fragments_of(other) == fragments_of(key)]
    same_type = [other for other in fitting if other[2] == key[2]]
    kind: ErrorKind = "type" if same_borders else "boundary" if same_type else "boundary+type" if fitting else "nested"
    nearest = min(same_borders or same_type or fitting or overlapping, key=lambda o: (-_shared(key, o), o))
    return kind, nearest


def _fit(key: Key, other: Key) -> tuple[bool, bool, float]:
    """How well a span fits one of the other side: same borders, then same type, then Jaccard index of characters."""
    shared = _shared(key, other)
    lengths = (sum(end - start for start, end in fragments_of(k)) for k in (key, other))
    return fragments_of(key) == fragments_of(other), key[2] == other[2], shared / (sum(lengths) - shared)


def _shared(key: Key, other: Key) -> int:
    """Number of common characters."""
    if key[0] >= other[1] or other[0] >= key[1]:
        return 0
    return sum(max(0, min(e, f) - max(s, t)) for s, e in fragments_of(key) for t, f in fragments_of(other))


def _layers(keys: Sequence[Key]) -> dict[Key, int]:
    """A layer for each span, so that no two on one layer overlap from start to end; in the order given."""
    layers: dict[Key, int] = {}
    for key in sorted(keys, key=lambda key: (key[1] - key[0], key)):
        taken = {layer for other, layer in layers.items() if other[0] < key[1] and key[0] < other[1]}
        layers[key] = next(layer for layer in range(len(keys)) if layer not in taken)
    return {key: layers[key] for key in keys}


def _sides(counts: Counts) -> dict[str, int]:
    return {"false_positives": counts.fp, "false_negatives": counts.fn}
