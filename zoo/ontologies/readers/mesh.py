"""MeSH in XML, as the US National Library of Medicine publishes it: descriptors, or supplementary concepts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from zoo.corpora.files import open_bytes
from zoo.errors import ZooError
from zoo.ontologies.concept import Concept, Scope, Synonym
from zoo.ontologies.readers.reading import Reading

_RECORDS = {"DescriptorRecordSet": "Descriptor", "SupplementalRecordSet": "Supplemental"}
_FIX = f"give MeSH XML: <{'> or <'.join(_RECORDS)}>, as in desc*.gz and supp*.gz of NLM"
_CLASSES = {
    "1": "SCR_Chemical",
    "2": "SCR_Protocol",
    "3": "SCR_Disease",
    "4": "SCR_Organism",
    "5": "SCR_Population_Group",
    "6": "SCR_Anatomy",
}
"""SCRClass of a supplementary concept, by the names that MeSH RDF has for it."""
_SCOPES: dict[str, Scope] = {"NRW": "narrow", "BRD": "broad", "REL": "related"}


def read_mesh(path: Path, reading: Reading) -> Iterator[Concept]:
    """The records of a file, plain or gzip.

    Semantic types are tree numbers, of supplementary concepts their class (`SCR_Disease`). Parents are the descriptors
    one level up the tree, or those that a supplementary concept is mapped to. Terms of a record's other concepts are
    narrower, broader or related synonyms, as the record says.

    Args:
        path: The file.
        reading: Gets what was left out.

    Raises:
        ZooError: The file is not MeSH XML, with the line, or cannot be read.
    """
    concepts = [_concept(record, kind, number, path) for number, (kind, record) in enumerate(_records(path), start=1)]
    owners = {tree: concept.id for concept in concepts for tree in concept.types}
    for concept in concepts:
        above = (owners.get(tree.rpartition(".")[0]) for tree in concept.types)
        yield replace(concept, parents=concept.parents or tuple(dict.fromkeys(filter(None, above))))


def _records(path: Path) -> Iterator[tuple[str, ElementTree.Element]]:
    with open_bytes(path) as file:
        try:
            events = ElementTree.iterparse(file, events=("start", "end"))
            _, root = next(events)
            kind = _RECORDS.get(root.tag)
            if kind is None:
                raise ZooError(f"not MeSH XML: the file begins with <{root.tag}>", where=path, fix=_FIX)
            for event, element in events:
                if event == "end" and element.tag == f"{kind}Record":
                    yield kind, element
                    root.clear()  # else the tree of the whole file grows in memory
        except ElementTree.ParseError as error:
            raise ZooError(f"not valid XML: {error}", where=f"{path}:{error.position[0]}", fix=_FIX) from None


def _concept(record: ElementTree.Element, kind: str, number: int, path: Path) -> Concept:
    concept_id = _text(record, f"{kind}RecordUI" if kind == "Supplemental" else "DescriptorUI")
    if not concept_id:
        raise ZooError("the record has no identifier", where=f"{path}: record {number}", fix=_FIX)
    name = _text(record, f"{kind}RecordName/String" if kind == "Supplemental" else "DescriptorName/String")
    mapped = (item.text or "" for item in record.iterfind("HeadingMappedToList//DescriptorUI"))
    definition = _text(record, "ConceptList/Concept[@PreferredConceptYN='Y']/ScopeNote") or _text(record, "Note")
    trees = tuple(item.text or "" for item in record.iterfind("TreeNumberList/TreeNumber"))
    scr_class = record.get("SCRClass", "")
    return Concept(
        id=concept_id,
        name=name,
        synonyms=tuple(_synonyms(record)),
        parents=tuple(dict.fromkeys(item.lstrip("*").split("Q")[0] for item in mapped)),
        types=trees or ((_CLASSES.get(scr_class, f"SCR_{scr_class}"),) if scr_class else ()),
        definition=definition,
    )


def _synonyms(record: ElementTree.Element) -> Iterator[Synonym]:
    for concept in record.iterfind("ConceptList/Concept"):
        scope: Scope = "exact"
        if concept.get("PreferredConceptYN") != "Y":
            relation = concept.find("ConceptRelationList/ConceptRelation")
            scope = _SCOPES.get(relation.get("RelationName", "") if relation is not None else "", "related")
        for term in concept.iterfind("TermList/Term/String"):
            yield Synonym(term.text or "", scope)


def _text(element: ElementTree.Element, path: str) -> str:
    return " ".join((element.findtext(path) or "").split())
