"""The text with its entities as HTML: each is a line below its words, those that overlap one above the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from columns import escape
from concepts import cards
from layers import AGREEMENTS, Agreement, Layer
from zoo.corpora.document import fragments_of, text_of
from zoo.modeling.windows import Entity
from zoo.ontologies.link import Link

TYPE_COLORS = ("#0072B2", "#B85000", "#007A59", "#AA3377", "#7A6A00", "#4B3FB5", "#8C564B", "#5F6770")
"""Dark enough to carry white text (contrast above 4.5), apart for colour-blind readers."""
_LONGEST_NAME = 80
"""Characters of a mention in what a screen reader says of it."""


@dataclass(frozen=True)
class Mark:
    """One entity on the page.

    Attributes:
        number: Its own, in order of the text.
        layer: Number of its layer.
        entity: The entity.
        row: Where its line lies, 0 the lowest.
        rows: Rows of all entities that hang together with it.
    """

    number: int
    layer: int
    entity: Entity
    row: int
    rows: int

    def holds(self, start: int, end: int) -> bool:
        """Whether `[start, end)` is part of the mention, not a gap between its parts."""
        return any(first <= start and end <= last for first, last in fragments_of(self.entity.key))


@dataclass(frozen=True)
class Segment:
    """A run of text `[start, end)` that the same entities cover, with their words or with a gap."""

    start: int
    end: int
    covering: tuple[Mark, ...]


def stack(layers: Sequence[Layer]) -> list[Mark]:
    """Give each entity a row; where two overlap, gaps of discontinuous ones counted, their rows differ.

    A layer takes as many rows as entities of it cover one place, the outer ones lower, and at least one. Rows of the
    first layer are the lowest.
    """
    marks: list[Mark] = []
    for group in _overlapping(layers):
        ends = [[0] for _ in layers]  # of what lies last in each row of a layer
        rows = []
        for layer, entity in group:
            free = next((row for row, end in enumerate(ends[layer]) if end <= entity.start), len(ends[layer]))
            ends[layer][free : free + 1] = [entity.end]
            rows.append(free)
        below = [0, *accumulate(map(len, ends))]
        for (layer, entity), row in zip(group, rows, strict=True):
            marks.append(Mark(len(marks), layer, entity, below[layer] + row, below[-1]))
    return marks


def _overlapping(layers: Sequence[Layer]) -> Iterator[list[tuple[int, Entity]]]:
    """Entities in order of the text, the longer first; in one group what overlaps, be it through others."""
    found = [(number, entity) for number, layer in enumerate(layers) for entity in layer.entities]
    group: list[tuple[int, Entity]] = []
    end = 0
    for number, entity in sorted(found, key=lambda f: (f[1].start, -f[1].end, f[0], f[1].key)):
        if group and entity.start >= end:
            yield group
            group = []
        group.append((number, entity))
        end = max(end, entity.end)
    if group:
        yield group


def segments(length: int, marks: Iterable[Mark]) -> list[Segment]:
    """Cut a text of so many characters at every border of an entity and its parts; they cover it without gaps."""
    opening: dict[int, list[Mark]] = {}
    closing: dict[int, list[Mark]] = {}
    borders = {length}
    for mark in marks:
        opening.setdefault(mark.entity.start, []).append(mark)
        closing.setdefault(mark.entity.end, []).append(mark)
        borders.update(border for part in fragments_of(mark.entity.key) for border in part)
    made: list[Segment] = []
    active: dict[int, Mark] = {}
    last = 0
    for position in sorted(borders):
        if position > last:
            made.append(Segment(last, position, tuple(active[number] for number in sorted(active))))
            last = position
        for mark in closing.get(position, ()):
            del active[mark.number]
        active.update((mark.number, mark) for mark in opening.get(position, ()))
    return made


def colors(layers: Iterable[Layer]) -> dict[str, str]:
    """A colour for every type, in order of their names."""
    names = sorted({entity.type for layer in layers for entity in layer.entities})
    return {name: TYPE_COLORS[index % len(TYPE_COLORS)] for index, name in enumerate(names)}


def render_text(
    text: str, layers: Sequence[Layer], palette: Mapping[str, str], agreements: Sequence[Agreement] | None = None
) -> str:
    """The text with its entities, each with a label where it ends; lines run on below the labels inside of them.

    Args:
        text: The text.
        layers: What was found in it.
        palette: Colours of the types, from `colors`.
        agreements: How each entity of the first layer stands to another model.
    """
    state = dict(zip(layers[0].entities, agreements, strict=True)) if agreements and layers else {}
    links = list(dict.fromkeys(e.link for layer in layers for e in layer.entities if e.link))
    numbers = {link: number for number, link in enumerate(links)}
    concepts = {key: shown for layer in layers for key, shown in layer.concepts.items()}
    marks, pieces, first = stack(layers), [], True
    for segment in segments(len(text), marks):
        pieces.append(_words(text, segment, palette, state))
        for mark in sorted(_ending(segment), key=lambda m: (-m.entity.start, m.number)):
            label = _label(text, mark, layers, palette, state.get(mark.entity), numbers, first)
            around = [(other, _goes_on(other, segment)) for other in segment.covering if _around(other, mark)]
            pieces.append(f'<span class="e" style="{_lines(around, palette)}">{label}</span>' if around else label)
            first = False
    rows = max((mark.rows for mark in marks), default=1)
    tints = "".join(f"--c{n}:color-mix(in srgb,#fff var(--lift),{color});" for n, color in enumerate(TYPE_COLORS))
    # a text must not leave its box: its own direction, its own line breaks, nothing else
    return (
        f'<div class="text" dir="auto" tabindex="0" role="region" style="--rows:{rows};{tints}" aria-label="Text with '
        f'entities; arrow keys go from label to label">{"".join(pieces)}</div>{cards(links, concepts)}'
    )


def _words(text: str, segment: Segment, palette: Mapping[str, str], state: Mapping[Entity, Agreement]) -> str:
    words = escape(text[segment.start : segment.end])
    if not segment.covering:
        return words
    style = _lines(((m, m.holds(segment.start, segment.end)) for m in segment.covering), palette)
    held = [mark for mark in segment.covering if mark.holds(segment.start, segment.end)]
    if not held:
        return f'<span class="e" style="{style}">{words}</span>'
    inner_first = sorted(held, key=lambda m: (m.entity.end - m.entity.start, m.number))
    own = " ".join(str(mark.number) for mark in inner_first)
    marked = {state[mark.entity] for mark in held if mark.entity in state}
    kind = f" a-{next(iter(marked))}" if len(marked) == 1 and held[0].rows == 1 else ""
    said = {mark.entity.assertion.negation for mark in held if mark.entity.assertion}
    if len(said) == 1 and said <= {"negated", "possible"}:
        kind += f" {said.pop()}"
    return f'<mark class="e{kind}" data-e="{own}" style="{style}">{words}</mark>'


def _ending(segment: Segment) -> list[Mark]:
    return [mark for mark in segment.covering if mark.entity.end == segment.end]


def _around(other: Mark, mark: Mark) -> bool:
    """Whether a line runs below the label of a mark: of one that goes on, or began before and has its label after."""
    return other.entity.end > mark.entity.end or other.entity.start < mark.entity.start


def _goes_on(mark: Mark, segment: Segment) -> bool:
    """Whether a mark's words stand on both sides of a segment's end, or end there."""
    return mark.holds(segment.start, min(segment.end + 1, mark.entity.end))


def _lines(marks: Iterable[tuple[Mark, bool]], palette: Mapping[str, str]) -> str:
    """The style of words with a line for each entity, dashed in a gap."""
    drawn, rows = [], 0
    for mark, holds in marks:
        color, rows = f"var(--c{TYPE_COLORS.index(palette[mark.entity.type])})", mark.rows
        if holds:
            drawn.append(f"linear-gradient({color},{color}) 0 calc(100% - {3 + 6 * mark.row}px)/100% 4px no-repeat")
        else:
            dashes = f"repeating-linear-gradient(90deg,{color} 0 4px,transparent 4px 7px)"
            drawn.append(f"{dashes} 0 calc(100% - {4 + 6 * mark.row}px)/100% 2px no-repeat")
    return f"background:{','.join(drawn)};padding-bottom:{5 + 6 * rows}px"


def _label(
    text: str,
    mark: Mark,
    layers: Sequence[Layer],
    palette: Mapping[str, str],
    agreement: Agreement | None,
    concepts: Mapping[Link, int],
    first: bool,
) -> str:
    entity = mark.entity
    which = f"{mark.layer + 1} " if len(layers) > 1 else ""
    parts = f" · {len(entity.fragments)} parts" if entity.fragments else ""
    more = f" · {AGREEMENTS[agreement]}" if agreement and agreement != "both" else ""
    said = f" · {entity.assertion.words}" if entity.assertion and entity.assertion.words else ""
    words = f"{which}{entity.type}{parts}{said}{more}"
    mention = " ".join(text_of(text, entity.key, " … ").split())
    cut = mention if len(mention) <= _LONGEST_NAME else f"{mention[:_LONGEST_NAME]}…"
    name = f"{words}: {cut} · score {entity.score:.3f} · {layers[mark.layer].model}"
    if entity.assertion:
        because = ", ".join(f"“{cue}”" for cue in entity.assertion.cues)
        section = entity.assertion.section.replace("_", " ")
        name += "".join(f" · {part}" for part in (because, f"section {section}" if section else "") if part)
    card = f' data-card="{concepts[entity.link]}"' if entity.link else ""
    return (
        f'<button type="button" class="lab" dir="ltr" style="background:{palette[entity.type]}" '
        f'data-n="{mark.number}"{card} tabindex="{0 if first else -1}" aria-label="{escape(name)}" '
        f'aria-expanded="false">{escape(words)}</button>'
    )


def legend(layers: Sequence[Layer], palette: Mapping[str, str]) -> str:
    """Types with their colours and numbers, which layer is which model, and what several lines mean."""
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
    hints = []
    if any(mark.rows > len(layers) for mark in stack(layers)):
        hints.append("Each line below the words is one entity; it ends at its label, the inner one first.")
    if any(entity.fragments for layer in layers for entity in layer.entities):
        hints.append("Dashes join the parts of one entity; the words above them are none of it.")
    said = Counter(e.assertion.negation for layer in layers for e in layer.entities if e.assertion)
    types += "".join(
        f'<li><span class="{kind}">{kind}</span> {said[kind]}</li>' for kind in ("negated", "possible") if said[kind]
    )
    return f'<ul class="legend" aria-label="Legend">{types}{models if len(layers) > 1 else ""}</ul>' + (
        f'<p class="fine">{" ".join(hints)}</p>' if hints else ""
    )
