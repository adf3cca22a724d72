"""A vocabulary of what the tiny models find, and a trained linker on it."""

from __future__ import annotations

from pathlib import Path

from zoo.linking.index import Index
from zoo.linking.linker import LINKER_FILE, LinkerInfo
from zoo.linking.ranking import LEXICAL
from zoo.linking.trained_names import NAMES_FILE
from zoo.ontologies.concept import Concept, Synonym

CONCEPTS = (
    Concept("MESH:D001249", "Asthma", (Synonym("bronchial asthma"),), definition="Wheezing, <b>reversibly</b> so."),
    Concept("MESH:D008881", "Migraine Disorders", (Synonym("migraine"), Synonym("severe migraine"))),
    Concept("MESH:D003920", "Diabetes Mellitus", (Synonym("diabetes"),)),
    Concept("MESH:D051436", "Renal Insufficiency, Chronic", (Synonym("chronic kidney disease"),)),
)
PAGE = "https://meshb.nlm.nih.gov/record/ui?ui={local_id}"
CODES = """\
id,name,synonyms
A1,Asthma,bronchial asthma
B2,Migraine,severe migraine|sick headache
C3,Aspirin,acetylsalicylic acid
D4,Diabetes,sugar disease
"""
"""A table of one's own."""


def save_linker(folder: Path, *, ontology: str = "tiny-mesh", fingerprint: str = "") -> None:
    """A linker for the type Disease, without an adapter: it decides by names; its index is inside of it."""
    info = LinkerInfo(
        ontologies={"Disease": ontology},
        fingerprints={ontology: fingerprint} if fingerprint else {},
        rankings={"Disease": LEXICAL},
    )
    folder.mkdir(parents=True)
    (folder / LINKER_FILE).write_text(info.to_json())
    (folder / NAMES_FILE).write_text("")
    Index.build(CONCEPTS, folder / "index" / ontology, ontology=ontology, version="1", page=PAGE)
