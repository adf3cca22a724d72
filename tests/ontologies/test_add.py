"""A user who adds a vocabulary of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zoo.errors import ZooError
from zoo.ontologies.add import Added, Request, add_ontology
from zoo.ontologies.load import open_ontology
from zoo.registry.loader import load_registry
from zoo.settings import Settings

CODES = "code,term\n" + "".join(f"A{number:03},condition {number}\n" for number in range(200))


@pytest.fixture
def codes(tmp_path: Path) -> Path:
    path = tmp_path / "codes.csv"
    path.write_text(CODES)
    return path


def add(codes: Path, **changes: Any) -> Added:
    request = {"name": "my-codes", "path": codes, "registry": codes.parent / "registry", **changes}
    return add_ontology(Request(**request))


def test_two_hundred_codes(codes: Path) -> None:
    added = add(codes, id_prefix="ICD", license_spdx="CC-BY-4.0", publishable=True, title="My codes", version="2026")
    codes.unlink()
    registry = load_registry(codes.parent / "registry")
    entry = registry.ontology("my-codes")
    assert entry == added.ontology.entry
    assert (entry.concepts, entry.names, entry.format, entry.version) == (200, 200, "table", "2026")
    assert entry.license.spdx == "CC-BY-4.0" and entry.license.publishable
    ontology = open_ontology(entry, registry, Settings(), offline=True)
    assert ontology.verified and ontology.concepts[7].id == "ICD:A007" and ontology.version == "2026"


def test_a_changed_copy_is_refused(codes: Path) -> None:
    add(codes)
    registry = load_registry(codes.parent / "registry")
    copy = codes.parent / "registry" / "vocabularies" / "my-codes" / "codes.csv"
    copy.write_text(CODES + "B1,new\n")
    with pytest.raises(ZooError, match="not the registered one"):
        open_ontology(registry.ontology("my-codes"), registry, Settings(), offline=True)


def test_a_folder_stays_where_it_is(tmp_path: Path) -> None:
    dump = tmp_path / "taxdump"
    dump.mkdir()
    (dump / "nodes.dmp").write_text("1\t|\t1\t|\tno rank\t|\n")
    (dump / "names.dmp").write_text("1\t|\troot\t|\t\t|\tscientific name\t|\n")
    added = add(tmp_path / "taxdump", registry=tmp_path / "registry", id_prefix="NCBITaxon")
    assert f"read where it is: {dump}" in added.notes
    registry = load_registry(tmp_path / "registry")
    ontology = open_ontology(registry.ontology("my-codes"), registry, Settings(), offline=True)
    assert ontology.source == "local folder" and ontology.concepts[0].id == "NCBITaxon:1"
    assert not (tmp_path / "registry" / "vocabularies").exists()


def test_refusals_leave_nothing_behind(codes: Path, tmp_path: Path) -> None:
    for changes, said in (
        ({"name": "My Codes"}, "is not an id"),
        ({"name": "mesh"}, "is taken"),
        ({"path": tmp_path / "nowhere.csv"}, "no such file"),
        ({"format": "obo"}, r"no \[Term\]"),
        ({"id_prefix": "a b"}, "id_prefix"),
    ):
        with pytest.raises(ZooError, match=said):
            add(codes, **changes)
        assert not (tmp_path / "registry").exists()
    add(codes)
    with pytest.raises(ZooError, match="is taken"):
        add(codes)


def test_umls_is_never_publishable(tmp_path: Path) -> None:
    (tmp_path / "META").mkdir()
    (tmp_path / "META" / "MRCONSO.RRF").write_text("C9000001|ENG|P|L1|PF|S1|Y|A1||M1||MSH|PT|X1|Blueness|0|N||\n")
    with pytest.raises(ZooError, match="publishable must be false: the licence of UMLS"):
        add(tmp_path / "META", registry=tmp_path / "registry", publishable=True)
    assert not add(tmp_path / "META", registry=tmp_path / "registry").ontology.entry.license.publishable


def test_languages_and_vocabularies_of_umls(tmp_path: Path) -> None:
    rows = [("ENG", "MSH", "Blueness"), ("SPA", "MSHSPA", "Azulez"), ("ENG", "SNOMEDCT_US", "blue illness")]
    atoms = [f"C9000001|{lat}|P|L1|PF|S1|Y|A1||M1||{sab}|PT|X1|{text}|0|N||\n" for lat, sab, text in rows]
    (tmp_path / "META").mkdir()
    (tmp_path / "META" / "MRCONSO.RRF").write_text("".join(atoms))

    def names(name: str, **changes: Any) -> tuple[str, ...]:
        (concept,) = add(tmp_path / "META", name=name, registry=tmp_path / "registry", **changes).ontology.concepts
        return concept.names

    assert names("english") == ("Blueness", "blue illness")
    assert names("spanish", languages=("es",)) == ("Azulez",)
    assert names("snomed", vocabularies=("SNOMEDCT_US",)) == ("blue illness",)
