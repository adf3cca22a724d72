"""The index of an ontology on disk."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from zoo.errors import ZooError
from zoo.linking.index import INDEX_FILE, Index
from zoo.ontologies.concept import Concept, Synonym

CONCEPTS = [
    Concept(
        "MESH:D001943",
        "Breast Neoplasms",
        (Synonym("Breast Cancer"), Synonym("Tumors, Breast", "related")),
        ("OMIM:114480",),
        ("MESH:D009369",),
        ("C04.588.180",),
        "Tumors of the BREAST.",
    ),
    Concept("MESH:D009369", "Neoplasms", (Synonym("Cancer"),), types=("C04",)),
    Concept("MESH:D001241", "Aspirin", (Synonym("Acetylsalicylic Acid"),), types=("D02.455",)),
    Concept("MESH:D000001", "CANCER", types=()),
]


@pytest.fixture
def index(tmp_path: Path) -> Index:
    info = Index.build(
        iter(CONCEPTS),
        tmp_path / "index",
        ontology="mesh",
        version="2024",
        page="https://example.org/{local_id}?of={id}",
        id_prefix="MESH",
        types={"Disease": ["C"], "Chemical": ["D"]},
    )
    assert (info.concepts, info.names) == (4, 8)
    return Index.open(tmp_path / "index")


def test_concepts_come_back_as_they_were(index: Index) -> None:
    assert [index.concept(concept.id) for concept in CONCEPTS] == CONCEPTS
    assert index.concept("OMIM:114480") == CONCEPTS[0]
    assert index.concept("D001241") == CONCEPTS[2]
    assert index.concept("MESH:D999999") is None
    assert index.canonical("OMIM:114480") == "MESH:D001943"
    assert index.canonical("nothing") is None
    assert index.page("MESH:D001241") == "https://example.org/D001241?of=MESH:D001241"


def test_names_are_found_by_their_spellings(index: Index) -> None:
    assert [name.concept_id for name in index.exact(" cancer ")] == ["MESH:D009369", "MESH:D000001"]
    assert [name.preferred for name in index.exact("cancer")] == [False, True]
    assert [name.text for name in index.alike("breast tumours")] == ["Tumors, Breast"]
    assert index.alike("...") == []
    best, score = index.similar("breast cancers", 3)[0]
    assert (best.text, best.concept_id) == ("Breast Cancer", "MESH:D001943")
    assert 0.7 < score < 1
    assert {name.text for name in index.names_of(["MESH:D001241"])} == {"Aspirin", "Acetylsalicylic Acid"}
    assert [text for _, text in index.all_names()][:2] == ["Breast Neoplasms", "Breast Cancer"]


def test_types_admit_concepts(index: Index) -> None:
    assert index.admits("Disease", "MESH:D009369")
    assert not index.admits("Disease", "MESH:D001241")
    assert index.admits("Disease", "MESH:D000001"), "a concept without semantic types is admitted everywhere"
    assert index.admits("Gene", "MESH:D001241"), "a type that nothing is said about admits all"


def test_threads_and_processes_share_it(index: Index) -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(len(index.exact("cancer")))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [2] * 8
    script = "import sys; from pathlib import Path; from zoo.linking.index import Index; " + (
        "print(Index.open(Path(sys.argv[1])).exact('aspirin')[0].concept_id)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(index.folder)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "MESH:D001241"


def test_what_is_no_index_is_refused(index: Index, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="not the index of an ontology"):
        Index.open(tmp_path)
    (index.folder / "ngrams.names.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(ZooError, match="not the index of an ontology"):
        Index.open(index.folder)
    (index.folder / INDEX_FILE).write_text('{"format_version": 99}')
    with pytest.raises(ZooError, match="format 99"):
        Index.open(index.folder)
