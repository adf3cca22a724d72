"""Documents of BioC, as the `bioc` package has them: one passage each, with the whole text."""

from __future__ import annotations

from typing import Any

from zoo.corpora.document import fragments_of, text_of
from zoo.tagging.outputs.concepts import concept_cell
from zoo.tagging.outputs.format import Run
from zoo.tagging.texts import Tagged


def bioc_document(tagged: Tagged, run: Run) -> Any:  # noqa: ANN401 - bioc is untyped
    """A document with its entities.

    Infons: `type`, `score`, `identifier` (ids with `;` between them), those of an assertion, `model`.
    """
    from bioc.datastructure import BioCAnnotation, BioCDocument, BioCLocation, BioCPassage

    text = tagged.text.text
    passage = BioCPassage()
    passage.offset, passage.text = 0, text
    mentions = ((m, entity) for m, entities in zip(run.models, tagged.entities, strict=True) for entity in entities)
    for number, (model, entity) in enumerate(mentions, start=1):
        annotation = BioCAnnotation()
        annotation.id = str(number)
        annotation.text = text_of(text, entity.key)
        annotation.infons = {"type": entity.type, "score": f"{entity.score:.4f}"}
        if identifier := concept_cell(entity):
            annotation.infons["identifier"] = identifier
        if entity.link:
            annotation.infons |= {"name": "; ".join(run.names(entity.link)), "link_score": f"{entity.link.score:.4f}"}
        if found := entity.assertion:
            said = {"negation": found.negation, "temporality": found.temporality, "experiencer": found.experiencer}
            annotation.infons |= {**said, "section": found.section}
        if len(run.models) > 1:
            annotation.infons["model"] = model
        for start, end in fragments_of(entity.key):
            annotation.add_location(BioCLocation(start, end - start))
        passage.add_annotation(annotation)
    document = BioCDocument()
    document.id = tagged.text.id
    document.add_passage(passage)
    return document
