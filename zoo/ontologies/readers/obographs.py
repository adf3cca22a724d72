"""OBO graphs JSON, the other form that the OBO Foundry publishes: https://github.com/geneontology/obographs."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zoo.corpora.files import parse_json, read_text
from zoo.errors import ZooError
from zoo.ontologies.concept import Concept, Scope, Synonym
from zoo.ontologies.readers.reading import Reading, version_in

_FIX = 'give OBO graphs: {"graphs": [{"nodes": [{"id", "lbl", "type": "CLASS", "meta"}], "edges": [...]}]}'
_SCOPES: dict[str, Scope] = {
    "hasExactSynonym": "exact",
    "hasNarrowSynonym": "narrow",
    "hasBroadSynonym": "broad",
    "hasRelatedSynonym": "related",
}
_REPLACED_BY = "IAO_0100001"


def read_obographs(path: Path, reading: Reading, *, same_as: Sequence[str] = ()) -> Iterator[Concept]:
    """The classes of a file, plain or gzip; semantic types are namespaces.

    Args:
        path: The file.
        reading: Gets the version and obsolete classes.
        same_as: Prefixes of cross-references that become alternative ids.

    Raises:
        ZooError: It is no OBO graph, or cannot be read.
    """
    data = parse_json(read_text(path), where=str(path), fix=_FIX)
    graphs = data.get("graphs") if isinstance(data, dict) else None
    if not isinstance(graphs, list) or not graphs:
        raise ZooError("the file holds no graphs", where=path, fix=_FIX)
    try:
        for graph in graphs:
            yield from _graph(graph, path, reading, same_as)
    except (AttributeError, KeyError, TypeError) as error:
        raise ZooError(f"not an OBO graph: {type(error).__name__} {error}", where=path, fix=_FIX) from None


def curie(iri: str) -> str:
    """The short form of an address: `http://purl.obolibrary.org/obo/CL_0000000` is `CL:0000000`.

    Of others the last part, after `#` or `/`; what is no address stays as it is.
    """
    if "://" not in iri:
        return iri
    last = re.split(r"[#/]", iri.rstrip("#/"))[-1]
    return last.replace("_", ":", 1) if "/obo/" in iri else last


def _graph(graph: dict[str, Any], path: Path, reading: Reading, same_as: Sequence[str]) -> Iterator[Concept]:
    reading.version = reading.version or version_in(str((graph.get("meta") or {}).get("version", "")))
    parents: dict[str, list[str]] = defaultdict(list)
    for edge in graph.get("edges") or ():
        if edge["pred"] == "is_a":
            parents[edge["sub"]].append(curie(_text(edge["obj"])))
    for node in graph.get("nodes") or ():
        if node.get("type", "CLASS") == "CLASS":
            concept = _node(node, parents, reading, same_as)
            if concept is not None:
                yield concept


def _text(value: Any) -> str:  # noqa: ANN401 - parsed JSON
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def _node(
    node: dict[str, Any], parents: dict[str, list[str]], reading: Reading, same_as: Sequence[str]
) -> Concept | None:
    meta, properties = node.get("meta") or {}, defaultdict(list)
    for item in meta.get("basicPropertyValues") or ():
        properties[curie(item["pred"]).replace(":", "_")].append(item["val"])
    concept_id = curie(_text(node["id"]))
    if meta.get("deprecated"):
        reading.obsolete[concept_id] = curie(next(iter(properties[_REPLACED_BY]), ""))
        return None
    references = [item["val"] for item in meta.get("xrefs") or ()]
    return Concept(
        id=concept_id,
        name=_text(node.get("lbl") or ""),
        synonyms=tuple(
            Synonym(_text(item["val"]), _SCOPES.get(curie(item["pred"]), "related"))
            for item in meta.get("synonyms") or ()
        ),
        alternative_ids=(
            *(curie(item) for item in properties["hasAlternativeId"]),
            *(item for item in references if item.partition(":")[0] in same_as),
        ),
        parents=tuple(parents.get(node["id"], ())),
        types=tuple(map(_text, properties["hasOBONamespace"])),
        definition=_text((meta.get("definition") or {}).get("val", "")),
    )
