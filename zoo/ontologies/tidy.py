"""From what a reader found to the concepts of an ontology: each id once, in one spelling, and a hierarchy that ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from zoo.corpora.concepts import spelt
from zoo.ontologies.concept import Concept, Synonym
from zoo.ontologies.readers.reading import Reading

LONGEST_NAME = 1000
"""Characters; the longest name of MeSH and ChEBI that was seen has under 500."""


def tidy(
    concepts: Iterable[Concept], reading: Reading, *, id_prefix: str = "", own_prefixes: Sequence[str] = ()
) -> tuple[Concept, ...]:
    """Mend what can be mended and count it.

    Concepts of one id are merged under the first name. Names that are empty or longer than 1,000 characters are left
    out, and concepts without any. Obsolete ids stand for what replaced them. Links to the parent that close a cycle are
    dropped, and alternative ids that are another concept's own.

    Args:
        concepts: As a reader gives them.
        reading: Has the obsolete ids once `concepts` is exhausted, and gets the repairs.
        id_prefix: What ids without a prefix get.
        own_prefixes: Prefixes of the concepts that are kept; empty: all.
    """
    found: dict[str, Concept] = {}
    for raw in concepts:
        concept_id = spelt(raw.id.strip(), id_prefix)
        if own_prefixes and concept_id.partition(":")[0] not in own_prefixes:
            reading.repair("concepts imported from other ontologies left out", concept_id)
            continue
        concept = _cleaned(raw, concept_id, reading, id_prefix)
        if not concept.name:
            reading.repair("concepts without a name left out", concept.id)
        elif concept.id in found:
            found[concept.id] = _merged(found[concept.id], concept, reading)
        else:
            found[concept.id] = concept
    _replace_obsolete(found, reading, id_prefix)
    _drop_taken(found, reading)
    _break_cycles(found, reading)
    return tuple(found.values())


def _cleaned(concept: Concept, concept_id: str, reading: Reading, id_prefix: str) -> Concept:
    texts: dict[str, Synonym] = {}
    name = _name(concept.name, concept_id, reading)
    for synonym in concept.synonyms:
        text = _name(synonym.text, concept_id, reading)
        if text and text != name and text not in texts:
            texts[text] = synonym if synonym.text == text else Synonym(text, synonym.scope)
    if not name and texts:
        reading.repair("concepts without a preferred name, called by their first synonym", concept_id)
        name = next(iter(texts))
        del texts[name]
    return Concept(
        id=concept_id,
        name=name,
        synonyms=tuple(texts.values()),
        alternative_ids=_ids(concept.alternative_ids, concept_id, id_prefix),
        parents=tuple(dict.fromkeys(spelt(item, id_prefix) for item in concept.parents)),
        types=tuple(dict.fromkeys(concept.types)),
        definition=" ".join(concept.definition.split()),
    )


def _name(text: str, concept_id: str, reading: Reading) -> str:
    text = " ".join(text.split())
    if not text:
        reading.repair("empty names left out", concept_id)
    elif len(text) > LONGEST_NAME:
        reading.repair(f"names of more than {LONGEST_NAME:,} characters left out", concept_id)
        return ""
    return text


def _ids(ids: Iterable[str], own: str, id_prefix: str) -> tuple[str, ...]:
    return tuple(item for item in dict.fromkeys(spelt(item, id_prefix) for item in ids) if item != own)


def _merged(first: Concept, second: Concept, reading: Reading) -> Concept:
    known = {name.casefold() for name in first.names}
    if known.isdisjoint(name.casefold() for name in second.names):
        reading.repair("ids with wholly different names, merged under the first name", first.id)
    else:
        reading.repair("ids given more than once, merged", first.id)
    texts = {synonym.text: synonym for synonym in (*second.synonyms, Synonym(second.name), *first.synonyms)}
    texts.pop(first.name, None)
    return replace(
        first,
        synonyms=tuple({**{s.text: s for s in first.synonyms}, **texts}.values()),
        alternative_ids=tuple(dict.fromkeys((*first.alternative_ids, *second.alternative_ids))),
        parents=tuple(dict.fromkeys((*first.parents, *second.parents))),
        types=tuple(dict.fromkeys((*first.types, *second.types))),
        definition=first.definition or second.definition,
    )


def _replace_obsolete(found: dict[str, Concept], reading: Reading, id_prefix: str) -> None:
    replaced = {spelt(old, id_prefix): spelt(new, id_prefix) if new else "" for old, new in reading.obsolete.items()}
    added: dict[str, list[str]] = {}
    for old in replaced:
        if old in found:
            continue  # defined elsewhere, alive
        target, seen = old, {old}
        while (target := replaced.get(target, "")) and target not in found and target not in seen:
            seen.add(target)
        if target in found:
            added.setdefault(target, []).append(old)
        elif replaced[old]:
            reading.repair("obsolete concepts whose replacement is missing left out", old)
        else:
            reading.repair("obsolete concepts left out", old)
    for target, ids in added.items():
        concept = found[target]
        found[target] = replace(concept, alternative_ids=tuple(dict.fromkeys((*concept.alternative_ids, *ids))))


def _drop_taken(found: dict[str, Concept], reading: Reading) -> None:
    for concept in list(found.values()):
        taken = [item for item in concept.alternative_ids if item in found]
        for item in taken:
            reading.repair("alternative ids that are concepts of their own dropped", item)
        if taken:
            kept = tuple(item for item in concept.alternative_ids if item not in taken)
            found[concept.id] = replace(concept, alternative_ids=kept)


def _break_cycles(found: dict[str, Concept], reading: Reading) -> None:
    """Walk upwards from each concept, deep first; a link to a concept that is still on the way closes a cycle."""
    done: set[str] = set()
    for start in found:
        if start in done:
            continue
        way, on_way = [(start, iter(found[start].parents))], {start}
        while way:
            concept_id, parents = way[-1]
            for parent in parents:
                if parent in on_way:
                    reading.repair("links to a parent that close a cycle dropped", f"{concept_id} -> {parent}")
                    concept = found[concept_id]
                    kept = tuple(item for item in concept.parents if item != parent)
                    found[concept_id] = replace(concept, parents=kept)
                elif parent in found and parent not in done:
                    way.append((parent, iter(found[parent].parents)))
                    on_way.add(parent)
                    break
            else:
                way.pop()
                on_way.remove(concept_id)
                done.add(concept_id)
