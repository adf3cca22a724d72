"""The board: ranks within a corpus, and the two files that hold it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from tests.publishing.records import result, split_score
from zoo.publishing.board import BOARD_SCHEMA_VERSION, board_rows, write_board
from zoo.publishing.results import Result


def built(backbone: str, corpus: str, f1: float, **changes: Any) -> Result:
    return result(
        checkpoint_id=f"{backbone}/{corpus}",
        repo_id=f"openmed/{backbone}-{corpus}",
        backbone=backbone,
        corpus=corpus,
        scores={"dev": split_score(f1 + 0.01), "test": split_score(f1)},
        **changes,
    )


RESULTS = [built("b", "notes", 0.5), built("a", "notes", 0.7), built("c", "abstracts", 0.6), built("d", "notes", 0.6)]


def test_ranks_count_within_a_corpus_by_test_f1() -> None:
    rows = board_rows(RESULTS)
    assert [(row["corpus"], row["rank"], row["checkpoint_id"]) for row in rows] == [
        ("abstracts", 1, "c/abstracts"),
        ("notes", 1, "a/notes"),
        ("notes", 2, "d/notes"),
        ("notes", 3, "b/notes"),
    ]


def test_the_order_does_not_depend_on_that_of_the_results_also_among_equals() -> None:
    results = [built(name, "notes", 0.5) for name in "cab"]
    assert board_rows(results) == board_rows(results[::-1])
    assert [row["backbone"] for row in board_rows(results)] == ["a", "b", "c"]


def test_a_row_takes_each_figure_from_its_place() -> None:
    (row,) = board_rows([result()])
    assert row == {
        "corpus": "notes",
        "rank": 1,
        "checkpoint_id": "tiny-bert/notes",
        "repo_id": "openmed/tiny-bert-notes",
        "backbone": "tiny-bert",
        "entity_types": "Disease Chemical",
        "test_micro_f1": 0.8,
        "test_ci95_low": 0.75,
        "test_ci95_high": 0.8 + 0.04,
        "test_precision": 0.8 + 0.02,
        "test_recall": 0.8 - 0.02,
        "dev_micro_f1": 0.825,
        "trained_parameters": 1234567,
        "trained_share": 0.0123,
        "adapter_bytes": 1234567,
        "train_seconds": 61.4,
        "energy_wh": 12.345,
        "emissions_g": 4.702,
        "country": "DEU",
        "license": "MIT",
        "publishable": True,
        "created": "2026-11-05T12:00:00+00:00",
    }


def test_both_files_hold_the_same_rows(tmp_path: Path) -> None:
    rows = board_rows(RESULTS)
    write_board(rows, tmp_path)
    data = json.loads((tmp_path / "board.json").read_text())
    assert data == {"schema_version": BOARD_SCHEMA_VERSION, "rows": rows}
    with (tmp_path / "board.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert [{name: str(value) for name, value in row.items()} for row in rows] == read
    assert sorted(path.name for path in tmp_path.iterdir()) == ["board.csv", "board.json"]


def test_a_cell_with_commas_quotes_and_lines_survives(tmp_path: Path) -> None:
    rows = board_rows([result(license='A, "B"\nC')])
    write_board(rows, tmp_path)
    with (tmp_path / "board.csv").open(newline="") as file:
        assert [row["license"] for row in csv.DictReader(file)] == ['A, "B"\nC']


def test_an_empty_board_has_a_header_and_no_row(tmp_path: Path) -> None:
    write_board(board_rows([]), tmp_path)
    assert json.loads((tmp_path / "board.json").read_text())["rows"] == []
    assert (tmp_path / "board.csv").read_text() == "corpus,rank,checkpoint_id\n"


def test_writing_again_replaces_the_board(tmp_path: Path) -> None:
    write_board(board_rows(RESULTS), tmp_path)
    write_board(board_rows(RESULTS[:1]), tmp_path)
    assert len(json.loads((tmp_path / "board.json").read_text())["rows"]) == 1
    assert len((tmp_path / "board.csv").read_text().splitlines()) == 2
