"""What models found in a text: comparison of two, a table, and files to take away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, takewhile
from typing import Literal

from columns import escape
from concepts import Concepts, address
from zoo.corpora.document import Fragments, fragments_of, text_of
from zoo.modeling.windows import Entity
from zoo.tagging.asserting import assert_entities
from zoo.tagging.outputs.format import FileFormat, Run
from zoo.tagging.outputs.output import load_format
from zoo.tagging.texts import Tagged, Text

TABLE_ROWS = 500
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

    def asserted(self, text: str, language: str) -> Layer:
        """With what the text says of each entity, by the rules of a language."""
        return replace(self, entities=tuple(assert_entities(text, self.entities, language)))


def compare(first: Layer, second: Layer) -> tuple[list[Agreement], list[Agreement]]:
    """How each entity of either layer stands to the other: the same, other type, other borders, or only here."""
    return _agreements(first, second), _agreements(second, first)


def _agreements(layer: Layer, other: Layer) -> list[Agreement]:
    places = {_place(entity): set[str]() for entity in other.entities}
    for entity in other.entities:
        places[_place(entity)].add(entity.type)
    same = {entity.key for entity in layer.entities}
    ordered = sorted((e for e in other.entities if e.key not in same), key=lambda entity: entity.key)
    found: list[Agreement] = []
    low = 0
    for entity in layer.entities:
        names = places.get(_place(entity))
        while low < len(ordered) and ordered[low].end <= entity.start:
            low += 1
        near = takewhile(lambda o: o.start < entity.end, islice(ordered, low, None))  # noqa: B023 - used at once
        overlapping = any(_share_characters(o, entity) for o in near)
        if names is not None:
            found.append("both" if entity.type in names else "type")
        else:
            found.append("borders" if overlapping else "only")
    return found


def _place(entity: Entity) -> Fragments:
    return fragments_of(entity.key)


def _share_characters(one: Entity, other: Entity) -> bool:
    return any(start < last and first < end for start, end in _place(one) for first, last in _place(other))


def table(text: str, layers: Sequence[Layer]) -> str:
    """The entities with offsets; at most 500, the files hold all."""
    found = sorted(
        ((entity, layer) for layer in layers for entity in layer.entities), key=lambda f: (f[0].key, f[1].model)
    )
    linked = any(entity.link for entity, _ in found)
    said = any(_context(entity) for entity, _ in found)
    if not found:
        return '<p class="empty">No entities above this score.</p>'
    body = "".join(
        f'<tr><td class="num">{entity.start}</td><td class="num">{entity.end}</td><td>{escape(entity.type)}</td>'
        f'<td dir="auto" class="mention">{escape(text_of(text, entity.key, " … "))}</td>'
        f'<td class="num">{entity.score:.3f}</td>{_concept_cell(entity, layer) if linked else ""}'
        f"{f'<td>{escape(_context(entity))}</td>' if said else ''}"
        f"<td>{escape(layer.model)}</td></tr>"
        for entity, layer in found[:TABLE_ROWS]
    )
    more = ""
    if len(found) > TABLE_ROWS:
        more = f'<p class="fine">The first {TABLE_ROWS} of {len(found):,}; the downloads hold all.</p>'
    heads = "".join(f'<th scope="col"{k}>{t}</th>' for t, k in (
        ("[start", ' class="num"'), ("end)", ' class="num"'), ("Type", ""), ("Text", ""), ("Score", ' class="num"'),
        *([("Concept", "")] if linked else []), *([("Context", "")] if said else []), ("Model", ""),
    ))  # fmt: skip
    return (
        '<div class="tablebox" role="region" aria-label="Entities" tabindex="0"><table class="entities">'
        '<caption class="unseen">Entities '
        f"found</caption><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>{more}"
    )


def _context(entity: Entity) -> str:
    """What the text says of an entity, and its section, in words; empty where there is nothing to say."""
    found = entity.assertion
    if found is None:
        return ""
    section = f"in {found.section.replace('_', ' ')}" if found.section else ""
    return "; ".join(filter(None, (found.words, section)))


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
        any(entity.assertion for layer in layers for entity in layer.entities),
    )
    form = load_format({".json": ".jsonl", ".ann": ""}.get(suffix, suffix))
    if isinstance(form, FileFormat):
        return form.header(run) + form.document(tagged, run)
    return next(content for name, content in form.files(tagged, run).items() if name.endswith(suffix))
