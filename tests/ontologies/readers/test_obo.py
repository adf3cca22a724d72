"""OBO: what is taken of a term, and files that are not to the letter."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.ontologies.reading import by_id, read
from zoo.errors import ZooError
from zoo.ontologies.concept import Concept, Synonym

HEADER = "format-version: 1.2\ndata-version: cl/releases/2022-12-15/cl.owl\ndefault-namespace: cell\n\n"
CELL = r"""
[Term]
id: CL:0000000 ! a comment
name: cell
def: "A unit of \"life\"." [CARO:mah, http://example.org/a]
comment: not taken
synonym: "living unit" EXACT [CARO:mah]
synonym: "unit, \"small\"" NARROW abbreviation [] {source="x"}
synonym: "thing" []
synonym: "tissue" BROAD []
alt_id: CL:0000001
xref: MESH:D002477 {source="x"}
xref: http://neurolex.org/wiki/Category\:Cell
property_value: http://x "y" xsd:string

[Typedef]
id: part_of
name: part of
"""


def write(path: Path, text: str) -> Path:
    path.write_text(HEADER + text, encoding="utf-8")
    return path


def test_a_term(tmp_path: Path) -> None:
    ontology = read(write(tmp_path / "cl.obo", CELL))
    assert ontology.concepts == (
        Concept(
            id="CL:0000000",
            name="cell",
            synonyms=(
                Synonym("living unit"),
                Synonym('unit, "small"', "narrow"),
                Synonym("thing", "related"),
                Synonym("tissue", "broad"),
            ),
            alternative_ids=("CL:0000001",),
            types=("cell",),
            definition='A unit of "life".',
        ),
    )
    assert ontology.version == "2022-12-15" and not ontology.repairs


def test_references_are_alternative_ids_only_where_the_entry_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "cl.obo", CELL)
    assert by_id(read(path, same_as=["MESH"]))["CL:0000000"].alternative_ids == ("CL:0000001", "MESH:D002477")


def test_imported_terms_are_left_out_where_the_entry_says_what_is_its_own(tmp_path: Path) -> None:
    path = write(tmp_path / "cl.obo", CELL + "\n[Term]\nid: GO:0005575\nname: cellular component\n")
    assert list(by_id(read(path))) == ["CL:0000000", "GO:0005575"]
    ontology = read(path, own_prefixes=["CL"])
    assert list(by_id(ontology)) == ["CL:0000000"]
    assert ontology.repairs == {"concepts imported from other ontologies left out": 1}


def test_gzip_and_the_synonyms_of_old_files(tmp_path: Path) -> None:
    path = tmp_path / "old.obo.gz"
    path.write_bytes(gzip.compress(b'[Term]\nid: X:1\nname: a\nexact_synonym: "b" []\nnarrow_synonym: "c" []\n'))
    assert by_id(read(path))["X:1"].synonyms == (Synonym("b"), Synonym("c", "narrow"))


def test_obsolete_terms_give_their_id_to_what_replaced_them(tmp_path: Path) -> None:
    stanzas = [
        "id: X:1\nname: a",
        "id: X:2\nname: b\nis_obsolete: true\nreplaced_by: X:3",
        "id: X:3\nname: c\nis_obsolete: true\nreplaced_by: X:1",
        "id: X:4\nname: d\nis_obsolete: true",
        "id: X:5\nname: e\nis_obsolete: true\nreplaced_by: X:99",
        "id: X:6\nname: f\nis_obsolete: true\nreplaced_by: X:7",
        "id: X:7\nname: g\nis_obsolete: true\nreplaced_by: X:6",
    ]
    ontology = read(write(tmp_path / "x.obo", "".join(f"[Term]\n{stanza}\n\n" for stanza in stanzas)))
    assert [(concept.id, concept.alternative_ids) for concept in ontology.concepts] == [("X:1", ("X:2", "X:3"))]
    assert ontology.repairs == {
        "obsolete concepts left out": 1,
        "obsolete concepts whose replacement is missing left out": 3,
    }
    assert ontology.places["obsolete concepts left out"] == "X:4"


def test_lines_that_are_not_to_the_letter_are_counted_with_their_place(tmp_path: Path) -> None:
    lines = ['synonym: "open EXACT []', "synonym: bare EXACT []", "a line of nothing", "", "[Term]", "name: b", ""]
    path = write(tmp_path / "x.obo", "[Term]\nid: X:1\nname: a\n" + "\n".join(lines))
    ontology = read(path)
    assert by_id(ontology)["X:1"].names == ("a",)
    assert ontology.repairs == {
        "synonyms and definitions without closing quotes left out": 2,
        "lines without a tag left out": 1,
        "terms without an id left out": 1,
    }
    assert ontology.places["synonyms and definitions without closing quotes left out"] == f"{path}:8"
    assert ontology.places["lines without a tag left out"] == f"{path}:10"
    assert ontology.places["terms without an id left out"] == f"{path}:12"


def test_a_file_without_terms_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=r"no \[Term\]"):
        read(write(tmp_path / "x.obo", ""))


def test_damage_is_one_message_with_its_place(tmp_path: Path) -> None:
    packed, latin = tmp_path / "cut.obo.gz", tmp_path / "latin.obo"
    packed.write_bytes(gzip.compress((HEADER + CELL * 5000).encode())[:2000])
    latin.write_bytes(b"format-version: 1.2\n[Term]\nid: X:1\nname: Sj\xf6gren\n")
    with pytest.raises(ZooError, match="gzip data is damaged") as damaged:
        read(packed, format="obo")
    assert str(packed) in str(damaged.value)
    with pytest.raises(ZooError, match="not UTF-8: byte 0xf6") as encoded:
        read(latin)
    assert encoded.value.where == f"{latin}:4"
