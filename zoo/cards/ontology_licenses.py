"""The licence gate of ontologies: whether content of one, such as an index of its names, may be published."""

from __future__ import annotations

from zoo.cards.licenses import forbidding_terms, license_url
from zoo.errors import ZooError
from zoo.registry.ontology_entry import NEVER_PUBLISHED, OntologyEntry


def ontology_obstacles(entry: OntologyEntry) -> list[str]:
    """Why content of an ontology may not be published; empty where it may.

    UMLS and CTD's MEDIC never may, in any copy or format, whatever the entry says.
    """
    spdx = entry.license.spdx
    found = [why for name in (entry.id, entry.format) if (why := NEVER_PUBLISHED.get(name))]
    found += forbidding_terms(spdx)
    if not entry.license.publishable and not found:
        found.append("marked as not publishable in the registry")
    return [f"ontology {entry.id}: {spdx} ({entry.license.source}): {why}" for why in dict.fromkeys(found)]


def may_publish_ontology(entry: OntologyEntry) -> bool:
    """Whether content of an ontology may be published."""
    return not ontology_obstacles(entry)


def check_ontology_publication(entry: OntologyEntry) -> None:
    """The gate before content of an ontology goes into a push.

    Raises:
        ZooError: Its licence forbids it; the message says why.
    """
    if obstacles := ontology_obstacles(entry):
        raise ZooError(
            f"content of {entry.id} may not be pushed: {'; '.join(obstacles)}",
            fix="publish the linker without it: an index is built from a copy of one's own",
        )


def ontology_attribution(entry: OntologyEntry, version: str) -> str:
    """Whom to name, with the version, where content of an ontology is published."""
    named = ", ".join(text for text in (entry.title, version and f"version {version}", entry.citation) if text)
    url = license_url(entry.license.spdx)
    note = f". {entry.license.note.rstrip('.')}" if entry.license.note else ""
    return f"{named}, {entry.homepage}: {entry.license.spdx}" + (f", {url}" if url else "") + note
