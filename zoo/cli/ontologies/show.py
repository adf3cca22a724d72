"""`zoo ontologies show`: an ontology, or one of its concepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.opening import open_ontology, open_registry
from zoo.cli.options import AsJson, RegistryOption
from zoo.cli.output import print_json, print_line
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.ontologies.concept import Concept
    from zoo.ontologies.load import Ontology
    from zoo.registry.ontology_entry import OntologyEntry


def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="An ontology.")],
    concept: Annotated[
        str | None, typer.Argument(metavar="[CONCEPT]", help="One of its concepts, by id or by any of its names.")
    ] = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Show an ontology: licence, source, counts; or one of its concepts: names, parents, definition, page."""
    from zoo.ontologies.sources import availability

    found, settings = open_registry(registry)
    entry = found.ontology(name)
    files = availability(entry, found.folders[f"ontologies/{name}"], settings.ontologies, cache=settings.cache)
    if concept is not None:
        _show_concept(open_ontology(entry, found, settings), concept, as_json)
        return
    here = open_ontology(entry, found, settings) if files not in ("to fetch", "no source") else None
    if as_json:
        print_json({**entry.model_dump(mode="json"), "files": files, "read": _counts(here) if here else None})
        return
    _print_entry(entry)
    if here is None:
        home = f" from {entry.homepage}" if entry.homepage else ""
        how = f"zoo ontologies fetch {name}" if files == "to fetch" else f"get it{home} and set ZOO_ONTOLOGIES"
        print_line(f"not on this machine: {how}")
        return
    print_line(f"source: {here.source}; version: {here.version}")
    print_line(f"{len(here.concepts):,} concepts, {here.names:,} names; fingerprint {here.fingerprint[:12]}")
    for what, count in here.repairs.most_common():
        print_line(f"{what}: {count:,}")


def _print_entry(entry: OntologyEntry) -> None:
    print_line(f"{entry.title}: {entry.description}")
    published = "may be in a push" if entry.license.publishable else "is never in a push"
    print_line(f"licence: {entry.license.spdx} ({entry.license.source}); its content {published}")
    types = ", ".join(f"{name} ({' '.join(prefixes)})" if prefixes else name for name, prefixes in entry.types.items())
    for text in (entry.license.note, types and f"types: {types}", entry.citation, entry.homepage, entry.note):
        if text:
            print_line(text)


def _counts(ontology: Ontology) -> dict[str, Any]:
    return {
        "source": ontology.source,
        "version": ontology.version,
        "concepts": len(ontology.concepts),
        "names": ontology.names,
        "fingerprint": ontology.fingerprint,
        "repairs": dict(ontology.repairs),
    }


def _show_concept(ontology: Ontology, wanted: str, as_json: bool) -> None:
    found = _find(ontology, wanted)
    if not found:
        raise ZooError(
            f"{ontology.entry.id} has no concept {wanted!r}",
            where=ontology.source,
            fix=f"give an id such as {ontology.concepts[0].id}, or a name as it stands there",
        )
    names = {concept.id: concept.name for concept in ontology.concepts}
    if as_json:
        print_json([_record(concept, ontology) for concept in found])
        return
    for number, concept in enumerate(found):
        if number:
            print_line()
        print_line(f"{concept.id}  {concept.name}")
        for text in (concept.definition, ontology.entry.page_of(concept.id)):
            if text:
                print_line(text, wrap=text is concept.definition)
        for synonym in concept.synonyms:
            print_line(f"  {synonym.text}" + (f" ({synonym.scope})" if synonym.scope != "exact" else ""))
        for label, ids in (("parent", concept.parents), ("also", concept.alternative_ids)):
            for item in ids:
                print_line(f"{label}: {item}" + (f" {names[item]}" if item in names else ""))
        if concept.types:
            print_line(f"types: {', '.join(concept.types)}")


def _find(ontology: Ontology, wanted: str) -> list[Concept]:
    """The concept of an id, or those that an id or a name stands for too."""
    from zoo.corpora.concepts import spelt

    concept_id, name = spelt(wanted, ontology.entry.id_prefix), wanted.casefold()
    if exact := [concept for concept in ontology.concepts if concept.id in (wanted, concept_id)]:
        return exact
    return [
        concept
        for concept in ontology.concepts
        if concept_id in concept.alternative_ids or name in (item.casefold() for item in concept.names)
    ]


def _record(concept: Concept, ontology: Ontology) -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(concept), "page": ontology.entry.page_of(concept.id)}
