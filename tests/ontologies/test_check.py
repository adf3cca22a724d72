"""What is said of an ontology: names that several concepts share, parents that are elsewhere, repairs."""

from __future__ import annotations

from pathlib import Path

from tests.ontologies.reading import read
from zoo.ontologies.check import check_ontology


def test_a_report(tmp_path: Path) -> None:
    path = tmp_path / "codes.tsv"
    path.write_text(
        "id\tname\tsynonyms\tparents\tdefinition\n"
        "X:1\tIsland cell\tI cell|MS\tX:2\tA cell.\nX:2\tcell\tms|Ms\tX:9\n\tlost\nX:3\ti cell\tMS\n"
    )
    report = check_ontology(read(path))
    assert (report.concepts, report.names, report.parents_elsewhere, report.without_definition) == (3, 8, 1, 2)
    assert report.shared_names == 2
    assert [(item.name, item.concepts) for item in report.examples] == [
        ("ms", ("X:1", "X:2", "X:3")),
        ("i cell", ("X:1", "X:3")),
    ]
    (repair,) = report.repairs
    assert (repair.what, repair.count, repair.first) == ("rows without an id left out", 1, f"{path}:4")
