"""UMLS RRF: invented rows in the real columns."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.ontologies.reading import entry, read
from zoo.errors import ZooError
from zoo.ontologies.concept import Concept, Synonym

ATOMS = [
    ("C9000001", "ENG", "S", "PF", "N", "SNOMEDCT_US", "blue illness", "N"),
    ("C9000001", "ENG", "P", "PF", "Y", "MSH", "Blueness", "N"),
    ("C9000001", "SPA", "P", "PF", "Y", "MSHSPA", "Azulez", "N"),
    ("C9000001", "ENG", "S", "PF", "Y", "MSH", "old blueness", "O"),
    ("C9000002", "GER", "P", "PF", "Y", "MSHGER", "Röte", "N"),
]


@pytest.fixture
def meta(tmp_path: Path) -> Path:
    folder = tmp_path / "META"
    folder.mkdir()
    rows = [
        f"{cui}|{lat}|{ts}|L1|{stt}|S1|{pref}|A1||M1||{sab}|PT|X1|{text}|0|{suppress}||"
        for cui, lat, ts, stt, pref, sab, text, suppress in ATOMS
    ]
    (folder / "MRCONSO.RRF").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "MRSTY.RRF").write_text("C9000001|T047|B2.2.1.2.1|Disease or Syndrome|AT1||\n")
    with gzip.open(folder / "MRDEF.RRF.gz", "wt") as file:
        file.write("C9000001|A1|AT2||MSH|Being blue.|N||\n")
    (folder / "MRCUI.RRF").write_text("C9000007|2001AA|SY|||C9000001|Y|\nC9000008|2001AA|DEL||||\n")
    return folder


def test_a_release(meta: Path) -> None:
    assert read(meta, id_prefix="UMLS").concepts == (
        Concept(
            id="UMLS:C9000001",
            name="Blueness",
            synonyms=(Synonym("blue illness"),),
            alternative_ids=("UMLS:C9000007",),
            types=("T047",),
            definition="Being blue.",
        ),
    )


def test_languages_and_vocabularies(meta: Path) -> None:
    found = read(meta, languages=["es", "de"], id_prefix="UMLS").concepts
    assert [concept.names for concept in found] == [("Azulez",), ("Röte",)]
    (concept,) = read(meta, vocabularies=["SNOMEDCT_US"]).concepts
    assert concept.names == ("blue illness",)
    with pytest.raises(ZooError, match="UMLS has no names in 'tlh'"):
        read(meta, languages=["tlh"])


def test_a_short_row_is_one_message(meta: Path) -> None:
    (meta / "MRSTY.RRF").write_text("C9000001\n")
    with pytest.raises(ZooError, match="1 columns") as error:
        read(meta)
    assert error.value.where == f"{meta / 'MRSTY.RRF'}:1"


@pytest.mark.parametrize("fields", [{"format": "umls-rrf"}, {"format": "ctd"}, {"id": "medic"}, {"id": "umls"}])
def test_no_entry_says_that_its_content_may_be_published(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="publishable must be false"):
        entry(**fields)
