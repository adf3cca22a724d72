"""Tables of one's own: TSV as it stands, CSV with quotes, a line a concept or a line a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ontologies.reading import read
from zoo.errors import ZooError
from zoo.ontologies.concept import Concept, Synonym


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_in_any_order(tmp_path: Path) -> None:
    path = write(
        tmp_path / "codes.tsv",
        "definition\tname\tid\tparents\tsynonyms\ttypes\talternative_ids\n"
        'A "fever".\ttyphoid "fever"\tA01\tA\tenteric fever|typhoid\tfever|gut\tX1|X2\n'
        "\tinfection\tA\n",
    )
    assert read(path, id_prefix="ICD").concepts == (
        Concept(
            id="ICD:A01",
            name='typhoid "fever"',
            synonyms=(Synonym("enteric fever"), Synonym("typhoid")),
            alternative_ids=("ICD:X1", "ICD:X2"),
            parents=("ICD:A",),
            types=("fever", "gut"),
            definition='A "fever".',
        ),
        Concept("ICD:A", "infection"),
    )


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_line_a_name(tmp_path: Path, delimiter: str) -> None:
    lines = [
        "code,term",
        'A01,"typhoid, fever"',
        "A02,salmonellosis",
        'A01,"Eberth""s disease"',
        'A01,"typhoid, fever"',
    ]
    rows = [line.replace(",", delimiter, 1) for line in lines]
    path = write(tmp_path / "codes.csv", "\ufeff" + "\r\n".join(rows) + "\r\n\r\n")
    ontology = read(path)
    assert [concept.names for concept in ontology.concepts] == [
        ("typhoid, fever", 'Eberth"s disease'),
        ("salmonellosis",),
    ]
    assert not ontology.repairs


def test_a_quoted_cell_may_go_on_in_the_next_line(tmp_path: Path) -> None:
    path = write(tmp_path / "codes.csv", 'id,name\nA01,"typhoid\nfever"\nA02,b,c\n')
    with pytest.raises(ZooError, match="3 columns, the first line names 2") as error:
        read(path)
    assert error.value.where == f"{path}:4"
    write(path, 'id,name\nA01,"typhoid\nfever"\n')
    assert read(path).concepts[0].name == "typhoid fever"


def test_references_are_alternative_ids_only_where_the_entry_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "doid.tsv", "id\tname\txrefs\nDOID:1\ta\tMESH:D006394|MIM:176920\n")
    assert read(path).concepts[0].alternative_ids == ()
    assert read(path, same_as=["MESH", "MIM"]).concepts[0].alternative_ids == ("MESH:D006394", "OMIM:176920")


def test_a_line_may_be_longer_than_any_limit_of_a_library(tmp_path: Path) -> None:
    names = "|".join(f"name {number}" for number in range(50_000))
    path = write(tmp_path / "codes.tsv", f"id\tname\tsynonyms\nA1\ta\t{names}\n")
    assert read(path).names == 50_001


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "codes.tsv", f"id\tname\tsynonym\tgroup\nA1\t{'x' * 10_000}\tshort\tg\n\tb\nA3\t \nA4\td\n")
    ontology = read(path)
    assert [(concept.id, concept.names) for concept in ontology.concepts] == [("A1", ("short",)), ("A4", ("d",))]
    assert ontology.repairs == {
        "the column 'group' is not read": 1,
        "rows without an id left out": 1,
        "names of more than 1,000 characters left out": 1,
        "concepts without a preferred name, called by their first synonym": 1,
        "empty names left out": 1,
        "concepts without a name left out": 1,
    }
    assert ontology.places["rows without an id left out"] == f"{path}:3"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A01\ttyphoid\n", "names no id"),
        ("id\tsynonyms\nA01\ttyphoid\n", "names no name"),
        ("", "the file is empty"),
        ("id\tname\n", "no concept"),
        ('id,name\nA01,"typhoid\n', "not a row of the table"),
    ],
)
def test_what_is_no_such_table_is_one_message(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ZooError, match=said):
        read(write(tmp_path / "codes.csv", text))
