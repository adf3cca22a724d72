"""MeSH XML: descriptors and supplementary concepts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ontologies.reading import by_id, read
from zoo.errors import ZooError
from zoo.ontologies.concept import Concept, Synonym

DESCRIPTORS = """<?xml version="1.0"?>
<!DOCTYPE DescriptorRecordSet SYSTEM "https://www.nlm.nih.gov/databases/dtd/nlmdescriptorrecordset_20260101.dtd">
<DescriptorRecordSet LanguageCode="eng">
<DescriptorRecord DescriptorClass="1">
  <DescriptorUI>D009369</DescriptorUI><DescriptorName><String>Neoplasms</String></DescriptorName>
  <TreeNumberList><TreeNumber>C04</TreeNumber></TreeNumberList>
  <ConceptList><Concept PreferredConceptYN="Y">
    <TermList><Term><String>Neoplasms</String></Term></TermList>
  </Concept></ConceptList>
</DescriptorRecord>
<DescriptorRecord DescriptorClass="1">
  <DescriptorUI>D015179</DescriptorUI><DescriptorName><String>Colorectal Neoplasms</String></DescriptorName>
  <TreeNumberList><TreeNumber>C04.588</TreeNumber><TreeNumber>C06.301.371</TreeNumber></TreeNumberList>
  <ConceptList>
    <Concept PreferredConceptYN="Y"><ScopeNote>Tumors of colon
      or rectum.</ScopeNote>
      <TermList>
        <Term><String>Colorectal Neoplasms</String></Term><Term><String>Neoplasms, Colorectal</String></Term>
      </TermList>
    </Concept>
    <Concept PreferredConceptYN="N">
      <ConceptRelationList><ConceptRelation RelationName="NRW"/></ConceptRelationList>
      <TermList><Term><String>Colorectal Cancer</String></Term></TermList>
    </Concept>
  </ConceptList>
</DescriptorRecord>
</DescriptorRecordSet>
"""
SUPPLEMENTARY = """<?xml version="1.0"?>
<SupplementalRecordSet LanguageCode="eng">
<SupplementalRecord SCRClass="3">
  <SupplementalRecordUI>C536914</SupplementalRecordUI>
  <SupplementalRecordName><String>Thyroid cancer, medullary</String></SupplementalRecordName>
  <Note>A rare tumor.</Note>
  <HeadingMappedToList><HeadingMappedTo>
    <DescriptorReferredTo><DescriptorUI>*D013964</DescriptorUI></DescriptorReferredTo>
    <QualifierReferredTo><QualifierUI>Q000235</QualifierUI></QualifierReferredTo>
  </HeadingMappedTo></HeadingMappedToList>
  <ConceptList><Concept PreferredConceptYN="Y">
    <TermList><Term><String>MTC</String></Term></TermList>
  </Concept></ConceptList>
</SupplementalRecord>
</SupplementalRecordSet>
"""


def test_descriptors(tmp_path: Path) -> None:
    (tmp_path / "desc.xml").write_text(DESCRIPTORS)
    concept = by_id(read(tmp_path / "desc.xml", id_prefix="MESH"))["MESH:D015179"]
    assert concept == Concept(
        id="MESH:D015179",
        name="Colorectal Neoplasms",
        synonyms=(Synonym("Neoplasms, Colorectal"), Synonym("Colorectal Cancer", "narrow")),
        parents=("MESH:D009369",),
        types=("C04.588", "C06.301.371"),
        definition="Tumors of colon or rectum.",
    )


def test_supplementary_concepts(tmp_path: Path) -> None:
    (tmp_path / "supp.xml").write_text(SUPPLEMENTARY)
    assert read(tmp_path / "supp.xml").concepts == (
        Concept(
            id="MESH:C536914",
            name="Thyroid cancer, medullary",
            synonyms=(Synonym("MTC"),),
            parents=("MESH:D013964",),
            types=("SCR_Disease",),
            definition="A rare tumor.",
        ),
    )


def test_damage_is_one_message_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "desc.xml"
    path.write_text(DESCRIPTORS.replace("</DescriptorName>", "</DescriptorNam>", 1))
    with pytest.raises(ZooError, match="not valid XML") as error:
        read(path)
    assert error.value.where == f"{path}:5"
    path.write_text(DESCRIPTORS.replace("<DescriptorUI>D015179</DescriptorUI>", ""))
    with pytest.raises(ZooError, match="no identifier") as error:
        read(path)
    assert error.value.where == f"{path}: record 2"
