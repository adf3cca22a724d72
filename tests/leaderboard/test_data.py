"""The board as data: what is read, how means and types are ranked, and what happens to damaged files."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from pathlib import Path

import pytest

import data
from columns import percent
from data import Board, BoardError, load_board, load_reported
from entry import Entry
from model_page import render_model
from ranking import overall_entries, rank_by_intervals
from tests.board.test_rows import SEEDS, together
from tests.conftest import ROOT
from tests.leaderboard.boards import ROWS, result, row, save
from zoo.board.rows import board_rows
from zoo.registry.loader import load_registry


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return load_board(save(tmp_path))


def entry(name: str, f1: float, half: float = 0.01, **changes: object) -> Entry:
    made = Entry(key=name, name=name, backbone=name, corpora=("c",), types=("T",), f1=f1, low=f1 - half, high=f1 + half)
    return replace(made, **changes)  # type: ignore[arg-type]


def ranks(entries: list[Entry]) -> list[tuple[str, int | None, bool]]:
    return [(item.name, item.rank, item.shared) for item in entries]


def test_a_published_result_of_several_seeds_has_the_figures_of_its_row() -> None:
    (row,) = board_rows(SEEDS)
    one = data.from_result(together().model_dump(mode="json"), verified=True)
    scores = ("micro_f1", "micro_f1_std", "ci95_low", "ci95_high", "precision", "recall")
    expected = [*(row[f"test_{name}"] for name in scores), row["first_test_micro_f1"], row["dev_micro_f1"]]
    assert [one.f1, one.std, one.low, one.high, one.precision, one.recall, one.first_f1, one.dev_f1] == expected
    assert one.n_seeds == 3
    page = render_model(one)
    assert f"3, F1 {percent(one.f1)} ± {percent(one.std)}; the published adapter's own is " in html.unescape(page)


def test_an_entry_takes_each_figure_from_its_place(board: Board) -> None:
    one = board.by_key["large/mixed"]
    assert (one.f1, one.low, one.high, one.rank, one.shared) == (0.90, 0.88, 0.92, 1, True)
    assert (one.precision, one.recall) == (0.91, 0.89)
    assert (one.unseen_f1, one.seen_f1, one.raw_f1) == (0.5, 0.9, 0.9)
    assert one.robustness == pytest.approx(0.03)
    assert (one.strategy, one.stride, one.base_repo_id) == ("max", 64, "openmed/large-ner")
    assert one.parameters == 300_000_000 and one.size == "150 to 500 M"
    assert one.verified is True and board.by_key["small/mixed"].verified is None
    line = 'pipeline("token-classification", "openmed/large-mixed", aggregation_strategy="max", stride=64)'
    assert one.pipeline_line == line
    assert one.card_url == "https://huggingface.co/openmed/large-mixed"


def test_lists_for_the_filters(board: Board) -> None:
    assert board.corpora == ["mixed", "notes"]
    assert board.types == ["Disease", "Chemical"]  # the more frequent first
    assert board.backbones == ["large", "odd", "small"]
    assert board.languages == ["en", "es"]
    assert board.licenses == ["Apache-2.0", "MIT"]


def test_means_are_ranked_only_among_those_that_cover_the_same_corpora(board: Board) -> None:
    assert [(e.name, e.corpora, e.rank) for e in board.overall] == [
        ("large", ("mixed", "notes"), 1),
        ("small", ("mixed", "notes"), 2),
        ("odd", ("notes",), 1),
    ]
    large = board.overall[0]
    assert large.f1 == pytest.approx(0.85)
    assert (large.low, large.high) == (pytest.approx(0.83), pytest.approx(0.87))
    assert large.energy_wh == pytest.approx(17.0) and large.verified is True


def test_a_mean_lacks_what_one_corpus_lacks(tmp_path: Path) -> None:
    board = load_board(save(tmp_path))
    entries = [replace(e, raw_f1=None) if e.key == "large/notes" else e for e in board.entries]
    assert [e.raw_f1 for e in overall_entries(entries)][:2] == [None, pytest.approx(0.795)]


def test_of_two_recipes_on_a_corpus_the_better_on_dev_counts_in_the_mean(tmp_path: Path) -> None:
    rows = [
        row("a", "notes", 0.9, 1, recipe="1" * 12, dev_micro_f1=0.5),
        row("a", "notes", 0.6, 2, recipe="2" * 12, dev_micro_f1=0.7),
    ]
    board = load_board(save(tmp_path, rows))
    assert [e.f1 for e in board.overall] == [0.6]
    assert len(board.by_key) == 2 and all(key.startswith("a/notes@") for key in board.by_key)


def test_types_are_ranked_within_corpus_and_type(board: Board) -> None:
    found = [(e.types[0], e.corpus, e.name, e.rank, e.shared) for e in board.per_type]
    assert found == [
        ("Chemical", "mixed", "large/mixed", 1, True),
        ("Chemical", "mixed", "small/mixed", 1, True),
        ("Disease", "mixed", "large/mixed", 1, True),
        ("Disease", "mixed", "small/mixed", 1, True),
        ("Disease", "notes", "large/notes", 1, False),  # one type: the paired ranks of the corpus
        ("Disease", "notes", "small/notes", 2, False),
        ("Disease", "notes", "odd/notes", 3, False),
    ]
    chemical = board.per_type[0]
    assert (chemical.f1, chemical.low, chemical.mentions) == (pytest.approx(0.8), 0.5, 50)
    assert chemical.unseen_f1 is None  # measured over both types only


def test_overlapping_intervals_share_the_rank_of_the_first() -> None:
    pool = [entry("c", 0.70), entry("a", 0.90), entry("b", 0.885), entry("d", 0.69)]
    assert ranks(rank_by_intervals(pool)) == [("a", 1, True), ("b", 1, True), ("c", 3, True), ("d", 3, True)]


def test_without_interval_or_verification_there_is_no_rank() -> None:
    pool = [entry("a", 0.9, verified=False), entry("b", 0.8, verified=True), entry("c", 0.95, low=None)]
    assert ranks(rank_by_intervals(pool)) == [("b", 1, False), ("c", None, False), ("a", None, False)]


def test_a_hub_record_gives_the_same_entry_as_its_row(board: Board) -> None:
    line = ROWS[0]
    made = data.from_result(result(line), verified=True)
    known = board.by_key["large/mixed"]
    assert replace(made, rank=1, shared=True, recipe=known.recipe, details={}) == replace(known, details={})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ('{"schema_version": 99, "rows": []}', "has version 99"),
        ('{"schema_version": 2, "rows": [{}]}', "is damaged"),
        ('{"schema_version": 2}', "is damaged"),
    ],
)
def test_a_damaged_board_is_said_in_one_line(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "board.json").write_text(text)
    with pytest.raises(BoardError, match=words):
        load_board(tmp_path)
    with pytest.raises(BoardError, match=r"cannot read board\.json"):
        load_board(tmp_path / "none")


def test_a_board_without_details_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "board.json").write_text(json.dumps({"schema_version": 1, "rows": ROWS}))
    board = load_board(tmp_path)
    assert len(board.entries) == 5 and board.per_type == () and board.entries[0].unseen_f1 is None


def test_the_real_board_of_a_build_is_read(built: Path) -> None:
    board = load_board(built)
    assert sorted(board.by_key) == ["tiny-bert/tiny-chemical", "tiny-bert/tiny-disease"]
    one = board.by_key["tiny-bert/tiny-disease"]
    assert one.types == ("Disease",) and one.low is not None and one.unseen_f1 is not None
    assert one.details["result"]["training"] and board.models == built / "checkpoints"
    assert [e.name for e in board.overall] == ["tiny-bert"]


def test_figures_of_others_name_source_and_protocol() -> None:
    reported = load_reported(ROOT / "benchmarks" / "published.yaml")
    assert len(reported) == 120
    assert all(0 < item.f1 < 1 and item.source and item.caveat and item.types for item in reported)
    assert {"ncbi-disease", "bc5cdr-chem", "bionlp2013-cg"} <= {item.corpus for item in reported}


def test_cards_and_board_report_the_same_figures_of_others() -> None:
    on_the_board = {(item.corpus, item.f1) for item in load_reported(ROOT / "benchmarks" / "published.yaml")}
    in_cards = {(c.id, item.micro_f1) for c in load_registry().corpora.values() for item in c.reported}
    assert in_cards and in_cards <= on_the_board


def test_no_figures_of_others_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert load_reported(tmp_path / "none.yaml") == [] and not caplog.records
    (tmp_path / "bad.yaml").write_text("figures: [{model: x}]")
    assert load_reported(tmp_path / "bad.yaml") == [] and "bad.yaml" in caplog.text


@pytest.mark.parametrize(
    "version", sorted((ROOT / "tests" / "fixtures" / "published").glob("v*")), ids=lambda p: p.name
)
def test_boards_of_earlier_versions_are_read(version: Path) -> None:
    (made,) = load_board(version / "output").entries
    assert (made.name, made.types, made.rank) == ("minilm-l6/sample-disease", ("Disease",), 1)
