"""A tiny corpus whose mentions have concepts, and two tiny ontologies: one that may be published, one that may not."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import TINY_SENTENCES

DISEASES = {
    "T:D01": ("Asthma", "bronchial asthma", "asthmatic disorder"),
    "T:D02": ("Migraine", "severe migraine", "migraine disorder"),
    "T:D03": ("Diabetes mellitus", "diabetes", "sugar disease"),
    "T:D04": ("Chronic kidney disease", "chronic renal insufficiency", "CKD"),
    "T:D05": ("Gout", "gouty arthritis", "podagra"),
}
CHEMICALS = {
    "T:C01": ("Aspirin", "acetylsalicylic acid", "salicylate acetate"),
    "T:C02": ("Ibuprofen", "isobutylphenylpropionic acid", "quxofen"),
    "T:C03": ("Metformin", "dimethylbiguanide", "zuvformin"),
}
"""Identifier -> names; no other text of the tests holds the last name of each."""
CONCEPTS = {"asthma": "T:D01", "migraine": "T:D02", "diabetes": "T:D03", "chronic kidney disease": "T:D04"}
CONCEPTS |= {"aspirin": "T:C01", "ibuprofen": "T:C02", "metformin": "T:C03"}
ID = "tiny-bert/linked"
OPEN, CLOSED = "tiny-diseases", "tiny-chemicals"
_FREE = "{spdx: CC0-1.0, source: made in the tests, publishable: true}"
_LICENSED = "{spdx: LicenseRef-vocabulary-user-agreement, source: made in the tests, publishable: false}"


def add_linked_corpus(registry: Path) -> Path:
    """Add the corpus `linked` and both ontologies to a registry with the tiny backbones."""
    data = registry / "data-linked"
    data.mkdir()
    for split in ("train", "dev", "test"):
        lines = []
        for index in range(6 * len(TINY_SENTENCES)):
            text, spans = TINY_SENTENCES[index % len(TINY_SENTENCES)]
            items = [
                {"start": start, "end": end, "type": name, "concept_ids": [CONCEPTS[text[start:end].lower()]]}
                for start, end, name in spans
            ]
            lines.append(json.dumps({"id": f"{split}-{index}", "text": text, "spans": items}))
        (data / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    (registry / "corpora" / "linked.yaml").write_text(
        "id: linked\ntitle: Linked\ndescription: Six sentences with concepts.\nformat: jsonl\nunit: sentence\n"
        "types: {Disease: Disease, Chemical: Chemical}\n"
        f"ontologies: {{Disease: [{OPEN}], Chemical: [{CLOSED}]}}\n"
        f"license: {_FREE}\nsources: [{{kind: bundled, path: data-linked}}]\n"
    )
    (registry / "ontologies").mkdir()
    for name, concepts, license_ in ((OPEN, DISEASES, _FREE), (CLOSED, CHEMICALS, _LICENSED)):
        write_ontology(registry / "terms" / f"{name}.csv", concepts)
        (registry / "ontologies" / f"{name}.yaml").write_text(
            f"id: {name}\ntitle: Tiny terms\ndescription: A handful of terms.\nformat: table\nversion: '1'\n"
            f"license: {license_}\nsources: [{{kind: bundled, path: terms/{name}.csv}}]\n"
        )
    return registry


def write_ontology(path: Path, concepts: dict[str, tuple[str, ...]]) -> None:
    """Write concepts as a table."""
    path.parent.mkdir(exist_ok=True)
    lines = [f"{key},{first},{'|'.join(others)}" for key, (first, *others) in concepts.items()]
    path.write_text("id,name,synonyms\n" + "\n".join(lines) + "\n")
