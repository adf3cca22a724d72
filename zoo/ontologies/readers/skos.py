"""SKOS in RDF/XML, Turtle or N-Triples, by rdflib (the extra `skos`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zoo.corpora.files import read_text
from zoo.errors import ZooError
from zoo.ontologies.concept import Concept, Scope, Synonym
from zoo.ontologies.readers.obographs import curie
from zoo.ontologies.readers.reading import Reading

_SYNTAX = {".ttl": "turtle", ".nt": "nt"}
_LABELS: dict[str, Scope] = {"prefLabel": "exact", "altLabel": "exact", "hiddenLabel": "related"}


def read_skos(
    path: Path, reading: Reading, *, languages: Sequence[str] = ("en",), same_as: Sequence[str] = ()
) -> Iterator[Concept]:
    """The concepts of a file, plain or gzip, which is read into memory.

    An id is the last part of a concept's address, of an OBO address `CL:0000000`. Labels without a language count.

    Args:
        path: The file.
        reading: Gets deprecated concepts and the version.
        languages: Languages whose labels are taken.
        same_as: Prefixes of exact matches that become alternative ids.

    Raises:
        ZooError: rdflib is not installed, or the file is malformed or holds no concept.
    """
    try:
        from rdflib import OWL, RDF, SKOS, Graph
        from rdflib.namespace import DCTERMS
    except ImportError:
        raise ZooError(
            "SKOS is read by rdflib, which is not installed",
            where=path,
            fix="pip install 'biomedical-ner-zoo[skos]', or make it a TSV with the columns id, name, synonyms",
        ) from None
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    graph = Graph()
    try:
        graph.parse(data=read_text(path), format=_SYNTAX.get(suffix, "xml"))
    except ZooError:
        raise
    except Exception as error:  # noqa: BLE001 - each parser of rdflib raises its own
        raise ZooError(f"not valid RDF: {str(error).strip().splitlines()[0]}", where=path) from None
    reading.version = reading.version or str(next(graph.objects(None, OWL.versionInfo), ""))
    subjects = sorted(set(graph.subjects(RDF.type, SKOS.Concept)), key=str)
    if not subjects:
        raise ZooError("the file holds no skos:Concept", where=path, fix="OWL is to be converted to OBO: robot convert")
    for subject in subjects:
        concept_id = curie(str(subject))
        if any(str(value) == "true" for value in graph.objects(subject, OWL.deprecated)):
            reading.obsolete[concept_id] = curie(str(next(graph.objects(subject, DCTERMS.isReplacedBy), "")))
            continue
        matches = (curie(str(match)) for match in sorted(graph.objects(subject, SKOS.exactMatch), key=str))
        labels = {name: _texts(graph, subject, SKOS[name], languages) for name in _LABELS}
        yield Concept(
            id=concept_id,
            name=next(iter(labels["prefLabel"]), ""),
            synonyms=tuple(Synonym(text, _LABELS[name]) for name, texts in labels.items() for text in texts),
            alternative_ids=tuple(match for match in matches if match.partition(":")[0] in same_as),
            parents=tuple(curie(str(above)) for above in sorted(graph.objects(subject, SKOS.broader), key=str)),
            definition=next(iter(_texts(graph, subject, SKOS.definition, languages)), ""),
        )


def _texts(graph: Any, subject: Any, predicate: Any, languages: Sequence[str]) -> list[str]:  # noqa: ANN401 - rdflib's
    """Texts in the languages, in their order; those that name none come last."""
    found = sorted((value.language or "", str(value)) for value in graph.objects(subject, predicate))
    wanted = [*languages, ""]
    return [text for tag in wanted for language, text in found if language.partition("-")[0] == tag]
