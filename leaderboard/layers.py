"""Entities over a text: segments for overlapping layers, comparison of two models, HTML, and files to take away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Literal

from columns import escape
from zoo.modeling.windows import Entity
from zoo.tagging.outputs.format import FileFormat
from zoo.tagging.outputs.output import load_format
from zoo.tagging.texts import Tagged, Text

TABLE_ROWS = 500
TYPE_COLORS = ("#0072B2", "#D55E00", "#009E73", "#AA3377", "#7A6A00", "#4B3FB5", "#8C564B", "#5F6770")
"""Dark enough to carry white text (contrast above 4.5), apart for colour-blind readers."""
Agreement = Literal["both", "borders", "type", "only"]
AGREEMENTS: Mapping[Agreement, str] = {
    "both": "in both",
    "borders": "other borders",
    "type": "other type",
    "only": "only here",
}


@dataclass(frozen=True)
class Layer:
    """What one model found."""

    model: str
    entities: tuple[Entity, ...]

    def above(self, threshold: float) -> Layer:
        """Without the entities below a score."""
        return Layer(self.model, tuple(entity for entity in self.entities if entity.score >= threshold))


@dataclass(frozen=True)
class Segment:
    """A run of text that the same entities cover.

    Attributes:
        start, end: `[start, end)` in the text.
        covering: Layer number and entity, by layer.
    """

    start: int
    end: int
    covering: tuple[tuple[int, Entity], ...]


def segments(length: int, layers: Sequence[Layer]) -> list[Segment]:
    """Cut a text of so many characters at every border of an entity; the segments cover it without gaps."""
    opening: dict[int, list[tuple[int, Entity]]] = {}
    closing: dict[int, list[tuple[int, Entity]]] = {}
    for number, layer in enumerate(layers):
        for entity in layer.entities:
            opening.setdefault(entity.start, []).append((number, entity))
            closing.setdefault(entity.end, []).append((number, entity))
    made: list[Segment] = []
    active: list[tuple[int, Entity]] = []
    last = 0
    for position in sorted({*opening, *closing, length}):
        if position > last:
            made.append(Segment(last, position, tuple(sorted(active))))
            last = position
        for item in closing.get(position, ()):
            active.remove(item)
        active += opening.get(position, ())
    return made


def compare(first: Layer, second: Layer) -> tuple[list[Agreement], list[Agreement]]:
    """How each entity of either layer stands to the other: the same, other type, other borders, or only here."""
    return _agreements(first, second), _agreements(second, first)


def _agreements(layer: Layer, other: Layer) -> list[Agreement]:
    spans = {(entity.start, entity.end): set[str]() for entity in other.entities}
    for entity in other.entities:
        spans[entity.start, entity.end].add(entity.type)
    ordered = sorted(other.entities)
    found: list[Agreement] = []
    low = 0
    for entity in layer.entities:
        names = spans.get((entity.start, entity.end))
        while low < len(ordered) and ordered[low].end <= entity.start:
            low += 1
        near = takewhile(lambda o: o.start < entity.end, islice(ordered, low, None))  # noqa: B023 - used at once
        overlapping = any(o.end > entity.start for o in near)
        if names is not None:
            found.append("both" if entity.type in names else "type")
        else:
            found.append("borders" if overlapping else "only")
    return found


def colors(layers: Iterable[Layer]) -> dict[str, str]:
    """A colour for every type, in order of their names."""
    names = sorted({entity.type for layer in layers for entity in layer.entities})
    return {name: TYPE_COLORS[index % len(TYPE_COLORS)] for index, name in enumerate(names)}


def render_text(
    text: str, layers: Sequence[Layer], palette: Mapping[str, str], agreements: Sequence[Agreement] | None = None
) -> str:
    """The text with its entities; several layers lie as bars below the words, one above the other."""
    state = dict(zip(layers[0].entities, agreements, strict=True)) if agreements and layers else {}
    pieces = []
    for segment in segments(len(text), layers):
        piece = escape(text[segment.start : segment.end])
        if not segment.covering:
            pieces.append(piece)
            continue
        bars = []
        for number, entity in segment.covering:
            offset = 3 + 6 * number
            bars.append(
                f"linear-gradient({palette[entity.type]},{palette[entity.type]}) 0 calc(100% - {offset}px)/100% "
                "4px no-repeat"
            )
        style = f"background:{','.join(bars)};padding-bottom:{5 + 6 * len(layers)}px"
        labels = "".join(
            _label(number, entity, palette, len(layers), state.get(entity))
            for number, entity in segment.covering
            if entity.end == segment.end
        )
        marked = {state[entity] for _, entity in segment.covering if entity in state}
        kind = f" a-{next(iter(marked))}" if len(marked) == 1 else ""
        pieces.append(f'<mark class="e{kind}" style="{style}">{piece}</mark>{labels}')
    # a text must not leave its box: its own direction, its own line breaks, nothing else
    return (
        '<div class="text" dir="auto" tabindex="0" role="region" aria-label="Text with '
        f'entities">{"".join(pieces)}</div>'
    )


def _label(number: int, entity: Entity, palette: Mapping[str, str], layers: int, agreement: Agreement | None) -> str:
    which = f"{number + 1} " if layers > 1 else ""
    more = f" · {AGREEMENTS[agreement]}" if agreement and agreement != "both" else ""
    return (
        f'<span class="lab" dir="ltr" style="background:{palette[entity.type]}" '
        f'title="{escape(entity.type)} [{entity.start}, {entity.end}) score {entity.score:.3f}">'
        f"{which}{escape(entity.type)}{more}</span>"
    )


def legend(layers: Sequence[Layer], palette: Mapping[str, str]) -> str:
    """Types with their colours and numbers, and which layer is which model."""
    counts: dict[str, int] = {}
    for layer in layers:
        for entity in layer.entities:
            counts[entity.type] = counts.get(entity.type, 0) + 1
    types = "".join(
        f'<li><span class="lab" style="background:{palette[name]}">{escape(name)}</span> {number}</li>'
        for name, number in sorted(counts.items())
    )
    models = "".join(
        f"<li><b>{number + 1}</b> {escape(layer.model)}: {len(layer.entities)}</li>"
        for number, layer in enumerate(layers)
    )
    return f'<ul class="legend" aria-label="Legend">{types}{models if len(layers) > 1 else ""}</ul>'


def table(text: str, layers: Sequence[Layer]) -> str:
    """The entities with offsets; at most 500, the files hold all."""
    found = sorted((entity, layer.model) for layer in layers for entity in layer.entities)
    if not found:
        return '<p class="empty">No entities above this score.</p>'
    body = "".join(
        f'<tr><td class="num">{entity.start}</td><td class="num">{entity.end}</td><td>{escape(entity.type)}</td>'
        f'<td dir="auto" class="mention">{escape(text[entity.start : entity.end])}</td>'
        f'<td class="num">{entity.score:.3f}</td><td>{escape(model)}</td></tr>'
        for entity, model in found[:TABLE_ROWS]
    )
    more = ""
    if len(found) > TABLE_ROWS:
        more = f'<p class="fine">The first {TABLE_ROWS} of {len(found):,}; the downloads hold all.</p>'
    heads = "".join(f'<th scope="col"{k}>{t}</th>' for t, k in (
        ("[start", ' class="num"'), ("end)", ' class="num"'), ("Type", ""), ("Text", ""), ("Score", ' class="num"'),
        ("Model", ""),
    ))  # fmt: skip
    return (
        '<div class="tablebox" role="region" aria-label="Entities" tabindex="0"><table class="entities">'
        '<caption class="unseen">Entities '
        f"found</caption><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>{more}"
    )


def as_file(text: str, layers: Sequence[Layer], suffix: str) -> str:
    """All entities as the content of a file: `.json` (with the text), `.csv`, or `.ann` (BRAT's, for this text)."""
    tagged = Tagged(Text("text", text, derived=True), tuple(list(layer.entities) for layer in layers))
    models = [layer.model for layer in layers]
    form = load_format({".json": ".jsonl", ".ann": ""}.get(suffix, suffix))
    if isinstance(form, FileFormat):
        return form.header(models) + form.document(tagged, models)
    return next(content for name, content in form.files(tagged, models).items() if name.endswith(suffix))
