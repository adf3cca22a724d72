"""Views: filters, order, pages, links that restore them, exports, and the HTML of the table."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from columns import COLUMNS, DEFAULT, escape, figure
from data import Board, Reported, load_board
from table import render_board
from tests.leaderboard.boards import row, save
from tests.records import linking_data
from views import PAGE_ROWS, View, export_csv, export_json, export_rows, paginate, sections, select, select_reported

OTHERS = (
    Reported("Other BERT", "notes", ("Disease",), 0.88, None, 0.9, "https://example.org/a Table 1", "unknown split"),
    Reported("Elsewhere", "craft", ("Gene",), 0.7, None, None, "a paper", "partial matches"),
)


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return load_board(save(tmp_path), OTHERS)


def names(board: Board, **changes: object) -> list[str]:
    return [entry.name for entry in select(board, View(**changes))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"corpora": ("mixed",)}, ["large/mixed", "small/mixed"]),
        ({"types": ("Chemical",)}, ["large/mixed", "small/mixed"]),
        ({"backbones": ("odd", "large"), "corpora": ("notes",)}, ["large/notes", "odd/notes"]),
        ({"languages": ("es",)}, ["large/mixed", "small/mixed"]),
        ({"languages": ("es",), "view": "overall"}, ["large", "small"]),
        ({"sizes": ("150 to 500 M",)}, ["large/mixed", "large/notes"]),
        ({"licenses": ("MIT",)}, ["odd/notes"]),
        ({"verified": True}, ["large/mixed", "large/notes"]),
        ({"search": "SMALL notes"}, ["small/notes"]),
        ({"search": "chemical"}, ["large/mixed", "small/mixed"]),
        ({"search": "nothing like it"}, []),
        ({"view": "overall", "corpora": ("mixed",)}, ["large", "small"]),
        ({"view": "type", "types": ("Chemical",)}, ["large/mixed", "small/mixed"]),
    ],
)
def test_filters(changes: dict[str, object], expected: list[str], board: Board) -> None:
    assert names(board, **changes) == expected


def test_sorting_puts_what_is_missing_last_in_both_directions(tmp_path: Path) -> None:
    rows = [row("a", "notes", 0.8, 1), row("b", "notes", 0.7, 2, energy_wh=None), row("c", "notes", 0.6, 3)]
    rows[0]["energy_wh"], rows[2]["energy_wh"] = 5.0, 9.0
    board = load_board(_without_details(tmp_path, rows))
    assert names(board, sort="energy") == ["a/notes", "c/notes", "b/notes"]
    assert names(board, sort="energy", descending=True) == ["c/notes", "a/notes", "b/notes"]


def _without_details(folder: Path, rows: list[dict[str, object]]) -> Path:
    (folder / "board.json").write_text(json.dumps({"schema_version": 2, "rows": rows}))
    return folder


@pytest.mark.parametrize("column", [column.key for column in COLUMNS])
def test_every_column_sorts_and_turns_round(column: str, board: Board) -> None:
    view = View().sorted_by(column)
    again = view.sorted_by(column)
    assert view.descending != again.descending
    assert len(select(board, view)) == len(select(board, again)) == 5
    if column == "f1":
        assert names(board, sort="f1", descending=view.descending)[0] == "large/mixed"  # the best first


def test_ranks_turned_round_stay_within_their_corpus(board: Board) -> None:
    assert names(board, descending=True) == ["small/mixed", "large/mixed", "odd/notes", "small/notes", "large/notes"]


def test_sections_hold_only_what_compares(board: Board) -> None:
    by_rank = sections(select(board, View()), View())
    assert [(section.title, len(section.entries)) for section in by_rank] == [("mixed", 2), ("notes", 3)]
    mixed = sections(select(board, View(sort="f1")), View(sort="f1"))
    assert [section.title for section in mixed] == [""] and "do not compare" in mixed[0].note
    alone = View(sort="f1", corpora=("notes",))
    assert sections(select(board, alone), alone)[0].note == ""
    overall = View(view="overall")
    assert [s.title for s in sections(select(board, overall), overall)] == ["Mean over 2 corpora", "Only notes"]


def test_another_test_split_is_named(tmp_path: Path) -> None:
    board = load_board(save(tmp_path, [row("a", "n", 0.9, 1), row("b", "n", 0.8, 1, test_fingerprint="f" * 64)]))
    assert [s.note for s in sections(select(board, View()), View())] == ["test split nnnnnnnn", "test split ffffffff"]


VIEWS = [
    View(),
    View(view="type", types=("Disease", "Chemical"), sort="f1", descending=True, page=1),
    View(
        search="a&b=c #d",
        corpora=("notes",),
        backbones=("odd",),
        languages=("es", "en"),
        sizes=("up to 30 M",),
        licenses=("MIT",),
    ),
    View(verified=True, reported=True, columns=("rank", "name", "license")),
    View(view="overall", columns=("rank", "name"), page=3),
]


@pytest.mark.parametrize("view", VIEWS)
def test_a_link_restores_the_view(view: View, board: Board) -> None:
    assert View.from_query("?" + view.to_query(), board) == view


@pytest.mark.parametrize(
    "query",
    ["?view=x&sort=y&page=z", "?page=99999999999", "?types=None&corpora=%3Cscript%3E", "?columns=nope&descending=2",
     "%", "?" + "a=1&" * 100],
)  # fmt: skip
def test_a_link_with_nonsense_gives_a_usual_view(query: str, board: Board) -> None:
    view = View.from_query(query, board)
    assert replace(view, columns=DEFAULT) == View()
    assert set(view.columns) <= set(DEFAULT)
    assert render_board(board, view)


def test_pages(tmp_path: Path) -> None:
    board = load_board(
        _without_details(tmp_path, [row(f"b{n:03d}", "notes", 0.9 - n / 1000, n + 1) for n in range(120)])
    )
    page = paginate(board, View(page=2))
    assert (page.first, page.number, page.pages, len(page.entries)) == (PAGE_ROWS + 1, 2, 3, 120)
    assert next(e.name for s in page.sections for e in s.entries) == "b050/notes"
    assert paginate(board, View(page=99)).number == 3
    html = render_board(board, View(page=2))
    assert "51 to 100 of 120 models" in html and html.count('class="model') == 51  # rows, and the table's own class


def test_exports_hold_all_pages_and_the_columns_shown(board: Board) -> None:
    view = View(columns=("rank", "name", "f1", "license"), corpora=("notes",), reported=True)
    rows = list(csv.DictReader(io.StringIO(export_csv(board, view))))
    assert [r["name"] for r in rows] == ["large/notes", "small/notes", "odd/notes"]
    assert list(rows[0]) == [
        "rank", "rank_shared", "name", "repo_id", "corpora", "f1", "ci95_low", "ci95_high", "std", "n_seeds", "license",
    ]  # fmt: skip
    assert float(rows[0]["f1"]) == 0.8
    data = json.loads(export_json(board, view))
    assert [r["f1"] for r in data["rows"]] == [0.8, 0.7, 0.6]
    assert [item["model"] for item in data["reported_by_others"]] == ["Other BERT"] and data["ranking"] == "RANKS"


def test_linking_has_columns_where_a_row_of_the_view_links(tmp_path: Path) -> None:
    save(tmp_path)
    data = json.loads((tmp_path / "board.json").read_text())
    first = next(item for item in data["details"] if item["checkpoint_id"] == "small/notes")
    first["result"]["linking"] = linking_data()
    (tmp_path / "board.json").write_text(json.dumps(data))
    board = load_board(tmp_path)
    assert {"linked", "concepts", "vocabulary"} <= set(export_rows(board, View())[0])
    assert not {"linked", "concepts", "vocabulary"} & set(export_rows(board, View(corpora=("mixed",)))[0])
    html = render_board(board, View())
    assert "Linked F1" in html and "71.3" in html and "85.3" in html and "Disease: medic 2012-07-06" in html
    assert "Linked F1" not in render_board(board, View(corpora=("mixed",)))
    assert names(board, sort="linked", descending=True)[0] == "small/notes"
    by_type = next(entry for entry in board.per_type if entry.name == "small/notes")
    assert by_type.linked_f1 == 0.713, "one type: the figure of the type is that of the corpus"
    assert all(entry.linked_f1 is None for entry in board.overall)


def test_a_spreadsheet_takes_no_cell_for_a_formula(tmp_path: Path) -> None:
    board = load_board(_without_details(tmp_path, [row("b", "notes", 0.9, 1, license='=HYPERLINK("x")')]))
    assert next(csv.DictReader(io.StringIO(export_csv(board, View()))))["license"] == '\'=HYPERLINK("x")'


def test_figures_of_others_stand_apart_and_only_when_asked_for(board: Board) -> None:
    assert select_reported(board, View()) == []
    assert "Reported by others" not in render_board(board, View())
    shown = render_board(board, View(reported=True))
    table, _, apart = shown.partition('<section class="reported"')
    assert "Other BERT" not in table and "Other BERT" in apart and "unknown split" in apart
    assert "Elsewhere" not in apart  # a corpus that is not measured here
    assert 'href="https://example.org/a"' in apart and "not ranked" in apart
    assert select_reported(board, View(reported=True, corpora=("mixed",))) == []


def test_shared_ranks_and_intervals_are_shown(board: Board) -> None:
    html = render_board(board, View())
    assert html.count(">1=<") == 2 and "88.0 to 92.0" in html and "RANKS" in html
    assert 'data-copy="zoo build large/mixed --set finetune.epochs=3"' in html
    assert "Copy the pipeline line of large/mixed" in html


def test_an_empty_board_and_an_empty_selection_say_what_to_do(board: Board) -> None:
    assert "zoo board" in render_board(Board(), View())
    assert "data-reset" in render_board(board, View(search="zzz"))


def test_text_of_the_data_is_escaped(tmp_path: Path) -> None:
    evil = '"><script>alert(1)</script>${x}{{y}}`'
    rows = [{**row("b", "notes", 0.9, 1), **dict.fromkeys(("license", "backbone", "checkpoint_id", "repo_id"), evil)}]
    board = load_board(
        _without_details(tmp_path, rows), [Reported(evil, "notes", (evil,), 0.5, None, None, evil, evil)]
    )
    view = View(reported=True, columns=tuple(column.key for column in COLUMNS), search="")
    html = render_board(board, view)
    assert "<script" not in html and "${" not in html and "{{" not in html and "`" not in html


def test_figures_keep_three_digits() -> None:
    values = (None, 0, 0.00012, 0.0123, 1.5, 12.34, 1234.5)
    assert [figure(value) for value in values] == ["–", "0", "0.0001", "0.0123", "1.5", "12.3", "1,234"]
    assert escape("<a href='x'>") == "&lt;a href=&#x27;x&#x27;&gt;"
