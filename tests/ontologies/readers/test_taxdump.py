"""NCBI's taxonomy dump, as a folder and as the archives that are downloaded."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.ontologies.reading import read
from zoo.errors import ZooError
from zoo.ontologies.concept import Concept, Synonym

FILES = {
    "nodes.dmp": [("1", "1", "no rank"), ("9605", "1", "genus"), ("9606", "9605", "species")],
    "names.dmp": [
        ("1", "root", "", "scientific name"),
        ("9605", "Homo", "", "scientific name"),
        ("9606", "Homo sapiens Linnaeus, 1758", "", "authority"),
        ("9606", "human", "", "genbank common name"),
        ("9606", "Homo sapiens", "", "scientific name"),
        ("9606", "primates", "", "blast name"),
    ],
    "merged.dmp": [("63221", "9606")],
}
TAXA = (
    Concept("NCBITaxon:1", "root", types=("no rank",)),
    Concept("NCBITaxon:9605", "Homo", parents=("NCBITaxon:1",), types=("genus",)),
    Concept(
        "NCBITaxon:9606",
        "Homo sapiens",
        (Synonym("human"), Synonym("primates", "broad")),
        ("NCBITaxon:63221",),
        ("NCBITaxon:9605",),
        ("species",),
    ),
)


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    folder = tmp_path / "taxdump"
    folder.mkdir()
    for name, rows in FILES.items():
        (folder / name).write_text("".join("\t|\t".join(row) + "\t|\n" for row in rows))
    return folder


def test_a_folder(dump: Path) -> None:
    assert read(dump, id_prefix="NCBITaxon").concepts == TAXA


def test_archives(dump: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "taxdump.tar.gz", "w:gz") as tar:
        for path in dump.iterdir():
            tar.add(path, path.name)
    with zipfile.ZipFile(tmp_path / "taxdmp_2026-08-01.zip", "w") as packed:
        for path in dump.iterdir():
            packed.write(path, path.name)
    for name in ("taxdump.tar.gz", "taxdmp_2026-08-01.zip"):
        assert read(tmp_path / name, id_prefix="NCBITaxon").concepts == TAXA


def test_an_archive_of_something_else_and_a_damaged_one(dump: Path, tmp_path: Path) -> None:
    path = tmp_path / "taxdump.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(dump / "names.dmp", "names.dmp")
    with pytest.raises(ZooError, match=r"no file 'nodes.dmp'"):
        read(path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ZooError, match="damaged"):
        read(path)


def test_a_short_row_is_one_message(dump: Path) -> None:
    with (dump / "nodes.dmp").open("a") as file:
        file.write("9607\t|\n")
    with pytest.raises(ZooError, match="1 columns, at least 3 are needed") as error:
        read(dump)
    assert error.value.where == f"{dump}: nodes.dmp:4"


def test_a_taxon_without_a_node_is_counted(dump: Path) -> None:
    with (dump / "names.dmp").open("a") as file:
        file.write("10090\t|\tMus musculus\t|\t\t|\tscientific name\t|\n")
    ontology = read(dump)
    assert ontology.concepts[-1] == Concept("10090", "Mus musculus")
    assert ontology.repairs == {"taxa that nodes.dmp lacks, without parent and rank": 1}
