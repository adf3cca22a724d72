"""Which model the Space recommends: within one corpus, by rank, then size, and never across corpora by F1."""

from __future__ import annotations

from pathlib import Path

import pytest

from choose import answer, render
from data import Board, load_board
from tests.leaderboard.boards import ROWS, save


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    return load_board(save(tmp_path_factory.mktemp("board")))


def test_the_best_rank_of_one_corpus_is_taken(board: Board) -> None:
    found = answer(board, "Disease")
    assert found is not None
    inside = [entry for entry in board.per_type if entry.types == ("Disease",) and entry.corpora == found.entry.corpora]
    assert found.entry.rank == min(entry.rank for entry in inside if entry.rank)
    assert {entry.corpora for entry in found.others} == {found.entry.corpora}
    assert any("do not compare" in reason for reason in found.reasons)


def test_of_models_that_cannot_be_told_apart_the_smallest_is_taken(tmp_path: Path) -> None:
    rows = [row | {"rank": 1, "rank_shared_by": 3} for row in ROWS if row["corpus"] == "notes"]
    found = answer(load_board(save(tmp_path, rows)), "Disease")
    assert found is not None and len(rows) > 1
    fitting = [found.entry, *found.others]
    assert found.entry.parameters == min(entry.parameters or 0 for entry in fitting)
    assert found.entry.f1 < max(entry.f1 for entry in fitting)  # else this would not tell the rule from the best F1
    assert any("cannot be told apart" in reason for reason in found.reasons)


@pytest.mark.parametrize(("question", "value"), [("language", "es"), ("license_id", "MIT"), ("most_parameters", 30e6)])
def test_every_question_narrows(board: Board, question: str, value: str) -> None:
    found = answer(board, "Disease", **{question: value})
    assert found is not None
    entry = found.entry
    fits = {
        "language": "es" in entry.languages,
        "license_id": entry.license == "MIT",
        "most_parameters": (entry.parameters or 1e12) <= 30e6,
    }
    assert fits[question]


def test_what_does_not_fit_is_said_in_words(board: Board) -> None:
    assert answer(board, "Disease", "sw") is None
    assert "Give up" in render(board, "Disease", "sw", 0, "")
    assert "Choose what" in render(board, None, "", 0, "")
    assert "empty" in render(Board(), "Disease", "", 0, "")
    page = render(board, "Disease", "", 0, "")
    assert "pipeline(" in page and "tab=model" in page and "zoo build" in page
