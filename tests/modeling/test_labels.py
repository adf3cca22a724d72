"""The label space: append-only, of fixed size."""

from __future__ import annotations

from zoo.modeling.labels import LabelSpace
from zoo.registry.loader import load_registry


def test_size_and_order_are_fixed() -> None:
    labels = LabelSpace.from_entry(load_registry().labels)
    assert len(labels.labels) == 129
    assert labels.labels[:5] == ("O", "B-Disease", "I-Disease", "B-Chemical", "I-Chemical")
    assert labels.labels[-1] == "I-reserved_63"
    assert labels.label2id == {name: index for index, name in labels.id2label.items()}


def test_appending_a_type_moves_no_label() -> None:
    before, after = LabelSpace(("A", "B"), 4), LabelSpace(("A", "B", "C"), 4)
    assert after.labels[:5] == before.labels[:5]
    assert len(after.labels) == len(before.labels)
    assert after.own_ids(("C", "A")) == [0, 5, 6, 1, 2]


def test_packaged_types_are_only_ever_appended() -> None:
    """Published adapters rely on this order: a new type goes to the end of this list and of labels.yaml."""
    names = (
        "Disease Chemical Gene Species Protein DNA RNA Cell_line Cell_type Anatomy Amino_acid Anatomical_system Cancer "
        "Cell Cellular_component Developing_anatomical_structure Gene_or_gene_product Immaterial_anatomical_entity "
        "Multi-tissue_structure Organ Organism Organism_subdivision Organism_substance Pathological_formation "
        "Simple_chemical Tissue Biological_process Molecular_function Molecular_process Sequence_feature"
    )
    assert " ".join(item.name for item in load_registry().labels.types) == names
