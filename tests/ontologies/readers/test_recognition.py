"""Formats are told by first lines and names; what is not read is said to be so."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.errors import ZooError
from zoo.ontologies.readers import recognise
from zoo.registry.formats import ONTOLOGY_FORMATS


@pytest.mark.parametrize(
    ("name", "text", "format"),
    [
        ("a.obo", "format-version: 1.2\n", "obo"),
        ("a.txt", "ontology: x\n\n[Term]\nid: X:1\n", "obo"),
        ("a.json", '{\n "graphs" : [ ]', "obographs"),
        ("desc2026", "<?xml version='1.0'?>\n<DescriptorRecordSet LanguageCode = 'eng'>", "mesh-xml"),
        ("supp.xml", "<SupplementalRecordSet>", "mesh-xml"),
        ("medic.tsv", "# Fields:\n# DiseaseName\tDiseaseID\n", "ctd"),
        ("medic.tsv", "id\tname\tsynonyms\n", "table"),
        ("gene.tsv", "#tax_id\tGeneID\tSymbol\n", "gene-info"),
        ("codes.csv", "id,name\n", "table"),
        ("codes.rdf", "<rdf:RDF xmlns:skos='http://www.w3.org/2004/02/skos/core#'>", "skos"),
        ("taxdump.tgz", "citations.dmp", "ncbi-taxdump"),
    ],
)
def test_formats(tmp_path: Path, name: str, text: str, format: str) -> None:
    (tmp_path / name).write_text(text)
    assert recognise(tmp_path / name) == format


def test_owl_is_to_be_converted(tmp_path: Path) -> None:
    (tmp_path / "cl.owl").write_text('<?xml version="1.0"?>\n<rdf:RDF xmlns:owl="http://www.w3.org/2002/07/owl#">\n')
    with pytest.raises(ZooError, match="OWL, which is not read") as error:
        recognise(tmp_path / "cl.owl")
    assert "robot convert --input cl.owl --output cl.obo" in str(error.value)


def test_owl_that_names_skos_is_owl(tmp_path: Path) -> None:
    (tmp_path / "doid.owl").write_text(
        '<rdf:RDF xmlns:owl="http://www.w3.org/2002/07/owl#" xmlns:skos="http://www.w3.org/2004/02/skos/core#">\n'
    )
    with pytest.raises(ZooError, match="OWL, which is not read"):
        recognise(tmp_path / "doid.owl")


def test_unknown_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(b"PK")
    with pytest.raises(ZooError, match="format of the file is not known"):
        recognise(tmp_path / "a.docx")
    (tmp_path / "empty.obo").touch()
    with pytest.raises(ZooError, match="the file is empty"):
        recognise(tmp_path / "empty.obo")
    with pytest.raises(ZooError, match="holds no ontology"):
        recognise(tmp_path)


def test_every_format_has_its_reader() -> None:
    from importlib import import_module

    for item in ONTOLOGY_FORMATS.values():
        module, _, function = item.reader.partition(":")
        assert callable(getattr(import_module(f"zoo.ontologies.readers.{module}"), function))
