"""Entities over a text: segments for overlapping layers, comparison of two models, HTML, and files to take away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, takewhile
from typing import Literal

from columns import escape
from concepts import Concepts, address, cards
from zoo.modeling.windows import Entity
from zoo.ontologies.link import Link
from zoo.tagging.outputs.format import FileFormat, Run
from zoo.tagging.outputs.output import load_format
from zoo.tagging.texts import Tagged, Text

TABLE_ROWS = 500
TYPE_COLORS = ("#0072B2", "#B85000", "#007A59", "#AA3377", "#7A6A00", "#4B3FB5", "#8C564B", "#5F6770")
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
    """What one model found, and what is shown of the concepts that it was linked to."""

    model: str
    entities: tuple[Entity, ...]
    concepts: Concepts = field(default_factory=dict)

    def above(self, threshold: float) -> Layer:
        """Without the entities below a score."""
        return replace(self, entities=tuple(entity for entity in self.entities if entity.score >= threshold))


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
            made.append(Segment(last, position, tuple(sorted(active, key=_order))))
            last = position
        for item in closing.get(position, ()):
            active.remove(item)
        active += opening.get(position, ())
    return made


def _order(item: tuple[int, Entity]) -> tuple[int, int, int, str]:
    return item[0], *item[1].key


def compare(first: Layer, second: Layer) -> tuple[list[Agreement], list[Agreement]]:
    """How each entity of either layer stands to the other: the same, other type, other borders, or only here."""
    return _agreements(first, second), _agreements(second, first)


def _agreements(layer: Layer, other: Layer) -> list[Agreement]:
    spans = {(entity.start, entity.end): set[str]() for entity in other.entities}
    for entity in other.entities:
        spans[entity.start, entity.end].add(entity.type)
    ordered = sorted(other.entities, key=lambda entity: entity.key)
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
    links = list(dict.fromkeys(e.link for layer in layers for e in layer.entities if e.link))
    numbers = {link: number for number, link in enumerate(links)}
    concepts = {key: shown for layer in layers for key, shown in layer.concepts.items()}
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
            _label(number, entity, palette, len(layers), state.get(entity), numbers)
            for number, entity in segment.covering
            if entity.end == segment.end
        )
        marked = {state[entity] for _, entity in segment.covering if entity in state}
        kind = f" a-{next(iter(marked))}" if len(marked) == 1 else ""
        card = next((f' data-card="{numbers[e.link]}"' for _, e in segment.covering if e.link), "")
        pieces.append(f'<mark class="e{kind}" style="{style}"{card}>{piece}</mark>{labels}')
    # a text must not leave its box: its own direction, its own line breaks, nothing else
    return (
        '<div class="text" dir="auto" tabindex="0" role="region" aria-label="Text with '
        f'entities">{"".join(pieces)}</div>{cards(links, concepts)}'
    )


def _label(
    number: int,
    entity: Entity,
    palette: Mapping[str, str],
    layers: int,
    agreement: Agreement | None,
    cards: Mapping[Link, int],
) -> str:
    which = f"{number + 1} " if layers > 1 else ""
    more = f" · {AGREEMENTS[agreement]}" if agreement and agreement != "both" else ""
    place = f"{escape(entity.type)} [{entity.start}, {entity.end}) score {entity.score:.3f}"
    words, style = f"{which}{escape(entity.type)}{more}", f"background:{palette[entity.type]}"
    if entity.link:
        return (
            f'<button type="button" class="lab" dir="ltr" style="{style}" data-card="{cards[entity.link]}" '
            f'aria-expanded="false">{words}</button>'
        )
    return f'<span class="lab" dir="ltr" style="{style}" title="{place}">{words}</span>'


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
    found = sorted(
        ((entity, layer) for layer in layers for entity in layer.entities), key=lambda f: (f[0].key, f[1].model)
    )
    linked = any(entity.link for entity, _ in found)
    if not found:
        return '<p class="empty">No entities above this score.</p>'
    body = "".join(
        f'<tr><td class="num">{entity.start}</td><td class="num">{entity.end}</td><td>{escape(entity.type)}</td>'
        f'<td dir="auto" class="mention">{escape(text[entity.start : entity.end])}</td>'
        f'<td class="num">{entity.score:.3f}</td>{_concept_cell(entity, layer) if linked else ""}'
        f"<td>{escape(layer.model)}</td></tr>"
        for entity, layer in found[:TABLE_ROWS]
    )
    more = ""
    if len(found) > TABLE_ROWS:
        more = f'<p class="fine">The first {TABLE_ROWS} of {len(found):,}; the downloads hold all.</p>'
    heads = "".join(f'<th scope="col"{k}>{t}</th>' for t, k in (
        ("[start", ' class="num"'), ("end)", ' class="num"'), ("Type", ""), ("Text", ""), ("Score", ' class="num"'),
        *([("Concept", "")] if linked else []), ("Model", ""),
    ))  # fmt: skip
    return (
        '<div class="tablebox" role="region" aria-label="Entities" tabindex="0"><table class="entities">'
        '<caption class="unseen">Entities '
        f"found</caption><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>{more}"
    )


def _concept_cell(entity: Entity, layer: Layer) -> str:
    if entity.link is None:
        return "<td></td>"
    shown = [(i, layer.concepts.get((entity.link.ontology, i))) for i in entity.link.concept_ids]
    words = "; ".join(f"{escape(concept.name) if concept else ''} {address(i, concept)}" for i, concept in shown)
    return f"<td>{words or 'none'}</td>"


def as_file(text: str, layers: Sequence[Layer], suffix: str) -> str:
    """All entities as the content of a file: `.json` (with the text), `.csv`, or `.ann` (BRAT's, for this text)."""
    tagged = Tagged(Text("text", text, derived=True), tuple(list(layer.entities) for layer in layers))
    names = {key: shown.name for layer in layers for key, shown in layer.concepts.items()}
    run = Run(
        [layer.model for layer in layers],
        (lambda *key: names.get(key, key[1])) if names else None,
        any(entity.fragments for layer in layers for entity in layer.entities),
    )
    form = load_format({".json": ".jsonl", ".ann": ""}.get(suffix, suffix))
    if isinstance(form, FileFormat):
        return form.header(run) + form.document(tagged, run)
    return next(content for name, content in form.files(tagged, run).items() if name.endswith(suffix))
