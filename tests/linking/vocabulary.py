"""A vocabulary for tests, of the concepts that the tiny models find, and a linker on it."""

from __future__ import annotations

from zoo.ontologies.concept import Concept, Synonym

CONCEPTS = (
    Concept("MESH:D001249", "Asthma", (Synonym("bronchial asthma"),), definition="Wheezing, <b>reversibly</b> so."),
    Concept("MESH:D008881", "Migraine Disorders", (Synonym("migraine"), Synonym("severe migraine"))),
    Concept("MESH:D003920", "Diabetes Mellitus", (Synonym("diabetes"),)),
    Concept("MESH:D051436", "Renal Insufficiency, Chronic", (Synonym("chronic kidney disease"),)),
)
PAGE = "https://meshb.nlm.nih.gov/record/ui?ui={local_id}"


def save_linker(folder) -> None:
    import json

    from zoo.linking.index import Index

    folder.mkdir(parents=True)
    (folder / "linker.json").write_text(json.dumps({"ontologies": {"Disease": "tiny-mesh"}}))
    Index.build(CONCEPTS, folder / "index" / "tiny-mesh", ontology="tiny-mesh", version="1", page=PAGE)
