"""CTD's vocabularies and NCBI's gene_info: tables whose columns their makers name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ontologies.reading import by_id, read
from zoo.errors import ZooError
from zoo.ontologies.concept import Concept, Synonym

CTD = """# MDI Biological Laboratory
# Report created: Thu Oct 30 10:00:00 EDT 2025
#
# Fields:
# DiseaseName\tDiseaseID\tAltDiseaseIDs\tDefinition\tParentIDs\tTreeNumbers\tSynonyms\tSlimMappings
#
10p Deletion\tMESH:C538288\tDO:DOID:0080320|OMIM:601362\tRare.\tMESH:D002872\tC16.131/C538288\tDel(10p)|Monosomy 10p\tG
Tooth Agenesis, Selective, 6\tOMIM:613097
"""
GENES = (
    "#tax_id\tGeneID\tSymbol\tLocusTag\tSynonyms\tdbXrefs\tdescription\ttype_of_gene\n"
    "9606\t1\tA1BG\t-\tA1B|ABG\tHGNC:5\talpha-1-B glycoprotein\tprotein-coding\n"
)


def test_medic(tmp_path: Path) -> None:
    path = tmp_path / "CTD_diseases.tsv"
    path.write_text(CTD)
    ontology = read(path, id_prefix="OMIM")
    assert ontology.version == "Thu Oct 30 10:00:00 EDT 2025"
    assert ontology.concepts == (
        Concept(
            id="MESH:C538288",
            name="10p Deletion",
            synonyms=(Synonym("Del(10p)"), Synonym("Monosomy 10p")),
            alternative_ids=("DOID:0080320", "OMIM:601362"),
            parents=("MESH:D002872",),
            types=("C16.131/C538288",),
            definition="Rare.",
        ),
        Concept(id="OMIM:613097", name="Tooth Agenesis, Selective, 6"),
    )


def test_other_vocabularies_of_ctd(tmp_path: Path) -> None:
    path = tmp_path / "CTD_chemicals.tsv"
    path.write_text("# ChemicalName\tChemicalID\tSynonyms\nAspirin\tMESH:D001241\tASA|Acetylsalicylic Acid\n")
    assert by_id(read(path))["MESH:D001241"].names == ("Aspirin", "ASA", "Acetylsalicylic Acid")


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        ("# Fields:\nAspirin\tMESH:D001241\n", "no line before the rows names the columns", 2),
        ("# ChemicalName\tChemicalID\nAspirin\tMESH:D001241\tASA\n", "3 columns, 2 are named", 2),
    ],
)
def test_malformed_tables_of_ctd(tmp_path: Path, text: str, said: str, line: int) -> None:
    path = tmp_path / "CTD_chemicals.tsv"
    path.write_text(text)
    with pytest.raises(ZooError, match=said) as error:
        read(path)
    assert error.value.where == f"{path}:{line}"


def test_genes(tmp_path: Path) -> None:
    path = tmp_path / "Homo_sapiens.gene_info"
    path.write_text(GENES)
    assert read(path, id_prefix="NCBIGene").concepts == (
        Concept(
            id="NCBIGene:1",
            name="A1BG",
            synonyms=(Synonym("alpha-1-B glycoprotein"), Synonym("A1B", "related"), Synonym("ABG", "related")),
            types=("protein-coding",),
        ),
    )
    path.write_text(GENES + "9606\t2\tA2M\n")
    with pytest.raises(ZooError, match="3 columns, 8 are named") as error:
        read(path)
    assert error.value.where == f"{path}:3"
