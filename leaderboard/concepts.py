"""Concepts in the demo: the linker beside a model's adapter, and the cards that show what a mention was linked to."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from columns import escape
from zoo.errors import ZooError
from zoo.linking.beside import find_indexes, find_linker
from zoo.linking.index import Index
from zoo.linking.linker import Linker
from zoo.modeling.windows import Entity
from zoo.ontologies.link import Candidate, Link
from zoo.tagging.models import Base

log = logging.getLogger("space")

MOST_CANDIDATES = 5
Key = tuple[str, str]
"""Ontology and id of a concept."""


@dataclass(frozen=True)
class Shown:
    """What the page shows of a concept: its preferred name, definition (may be empty) and address (may be empty)."""

    name: str
    definition: str
    page: str


Concepts = Mapping[Key, Shown]


@dataclass
class _Slot:
    """The linker of one model, opened by who comes first."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    opened: bool = False
    linker: Linker | None = None


class Linkers:
    """The linkers of the models that were asked for last; a model without one has its entities as they are.

    Args:
        indexes: Folder of this machine's indexes, for linkers that come without.
        most: Linkers to keep.
    """

    def __init__(self, indexes: Path | None = None, *, most: int = 16) -> None:
        self._indexes, self._most = indexes, most
        self._slots: OrderedDict[str, _Slot] = OrderedDict()
        self._lock = threading.Lock()

    def link(
        self, model: str | Path, base: Base, text: str, entities: Sequence[Entity]
    ) -> tuple[tuple[Entity, ...], Concepts]:
        """The entities of a text with their links, and what is shown of the concepts in these."""
        linker = self._get(model, base)
        if linker is None:
            return tuple(entities), {}
        (linked,) = linker.link([text], [entities])
        indexes = {index.info.ontology: index for index in linker.ontologies.values()}
        keys = {
            (entity.link.ontology, concept)
            for entity in linked
            if entity.link
            for concept in (*entity.link.concept_ids, *(c.concept_id for c in entity.link.candidates))
        }
        return tuple(linked), {key: _shown(indexes[key[0]], key[1]) for key in keys if key[0] in indexes}

    def _get(self, model: str | Path, base: Base) -> Linker | None:
        with self._lock:
            slot = self._slots.setdefault(str(model), _Slot())
            self._slots.move_to_end(str(model))
            while len(self._slots) > self._most:
                self._slots.popitem(last=False)
        with slot.lock:
            if not slot.opened:
                slot.linker, slot.opened = self._open(model, base), True
            return slot.linker

    def _open(self, model: str | Path, base: Base) -> Linker | None:
        try:
            folder = find_linker(model)
            if folder is None:
                return None
            indexes = {name: Index.open(path) for name, path in find_indexes(folder, self._indexes).items()}
            return Linker.load(folder, indexes, base=base)
        except ZooError as error:
            log.warning("entities of %s are not linked: %s", model, error)
            return None


def _shown(index: Index, concept_id: str) -> Shown:
    concept = index.concept(concept_id)
    page = index.page(concept_id) or ""
    return Shown(concept.name, concept.definition, page) if concept else Shown(concept_id, "", page)


def cards(links: Sequence[Link], concepts: Concepts) -> str:
    """A hidden card for each link, which the page shows beside the mentions that have its number."""
    made = "".join(
        f'<div class="concept" data-concept="{number}" role="group" aria-label="Concept">{_card(link, concepts)}</div>'
        for number, link in enumerate(links)
    )
    return f'<div class="cards" hidden>{made}</div>' if made else ""


def _card(link: Link, concepts: Concepts) -> str:
    parts = []
    for concept_id in link.concept_ids:
        shown = concepts.get((link.ontology, concept_id), Shown(concept_id, "", ""))
        definition = f'<p class="definition">{escape(shown.definition)}</p>' if shown.definition else ""
        parts.append(f"<p><strong>{escape(shown.name)}</strong> {address(concept_id, shown)}</p>{definition}")
    if not link.concept_ids:
        parts.append("<p><strong>No concept</strong> is sure enough.</p>")
    parts.append(f'<p class="fine">Score {link.score:.3f} in {escape(link.ontology)}</p>')
    seen = "".join(
        _candidate(c, concepts.get((link.ontology, c.concept_id))) for c in link.candidates[:MOST_CANDIDATES]
    )
    return "".join(parts) + (f'<p class="fine">Candidates</p><ol>{seen}</ol>' if seen else "")


def _candidate(candidate: Candidate, shown: Shown | None) -> str:
    name = f"{escape(candidate.name)} " if candidate.name else ""
    return f"<li>{name}{address(candidate.concept_id, shown)} {candidate.score:.3f}, {escape(candidate.step)}</li>"


def address(concept_id: str, shown: Shown | None) -> str:
    """A concept's id, linked to its page where it has one."""
    if shown is None or not shown.page.startswith(("https://", "http://")):
        return f"<code>{escape(concept_id)}</code>"
    return f'<a href="{escape(shown.page)}" target="_blank" rel="noopener noreferrer">{escape(concept_id)}</a>'
