"""The board: shared ranks within a corpus, several seeds in one row, and the two files that hold it."""

from __future__ import annotations

import csv
import json
import statistics
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.records import FINGERPRINTS, checkpoint, nesting_data, registry, result, result_data, split_score
from zoo.board.rows import (
    BOARD_SCHEMA_VERSION,
    RANKING,
    Built,
    board_rows,
    find_built,
    refresh_board,
    write_board,
)
from zoo.errors import ZooError
from zoo.evaluation.predictions import PREDICTIONS_FILE
from zoo.evaluation.result import RESULT_FILE, Result, SeedRun, SeedScores
from zoo.evaluation.spans import Counts, total
from zoo.evaluation.statistics import bootstrap_interval
from zoo.registry.loader import load_registry

DOCUMENTS = 60
"""Each holds one gold mention."""


def built(
    backbone: str, corpus: str, found: Iterable[int], *, seed: int = 13, adapter: str = "", **changes: Any
) -> Built:
    """A checkpoint that finds the mention of these documents and nothing else."""
    hits = set(found)
    counts = tuple(Counts(int(i in hits), 0, int(i not in hits)) for i in range(DOCUMENTS))
    f1 = total(counts).f1
    data: dict[str, Any] = {
        "checkpoint_id": f"{backbone}/{corpus}",
        "repo_id": f"openmed/{backbone}-{corpus}",
        "backbone": backbone,
        "corpus": corpus,
        "seeds": [seed],
        "recipe": {**result_data()["recipe"], "seed": seed},
        "fingerprints": {**FINGERPRINTS, "adapter": adapter or f"{backbone}-{corpus}-{seed}"},
        "scores": {"dev": split_score(0.5), "test": split_score(0.5, micro_f1=f1, documents=DOCUMENTS)},
    }
    made = result(**{**data, **changes})
    return Built(made, counts, Path(f"out-{seed}/checkpoints/{backbone}/{corpus}"))


def save(item: Built, out: Path) -> Path:
    """Write it as a build does."""
    folder = out / "checkpoints" / item.result.checkpoint_id
    folder.mkdir(parents=True)
    item.result.save(folder)
    span = {"start": 0, "end": 4, "type": "Disease"}
    lines = [
        {"id": str(i), "gold": [span], "predicted": [{**span, "score": 0.9}] * counts.tp}
        for i, counts in enumerate(item.counts)
    ]
    (folder / PREDICTIONS_FILE).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def ranks(rows: list[dict[str, Any]]) -> list[tuple[str, int, str]]:
    return [(row["corpus"], row["rank"], row["checkpoint_id"]) for row in rows]


BUILT = [
    built("worst", "notes", range(20)),
    built("best", "notes", range(50)),
    built("alone", "abstracts", range(5)),
    built("twin", "notes", range(1, 50)),
]


def test_what_cannot_be_separated_shares_a_rank_and_the_next_counts_on() -> None:
    rows = board_rows(BUILT)
    assert ranks(rows) == [
        ("abstracts", 1, "alone/abstracts"),
        ("notes", 1, "best/notes"),
        ("notes", 1, "twin/notes"),
        ("notes", 3, "worst/notes"),
    ]
    assert [row["rank_shared_by"] for row in rows] == [1, 2, 2, 1]


def test_what_can_be_separated_has_its_own_rank() -> None:
    rows = board_rows([built(name, "notes", range(hits)) for name, hits in (("a", 20), ("b", 55), ("c", 38))])
    assert ranks(rows) == [("notes", 1, "b/notes"), ("notes", 2, "c/notes"), ("notes", 3, "a/notes")]


def test_the_order_does_not_depend_on_that_of_the_builds_also_among_equals() -> None:
    equal = [built(name, "notes", range(30)) for name in "cab"]
    assert board_rows(equal) == board_rows(equal[::-1])
    assert [row["backbone"] for row in board_rows(equal)] == ["a", "b", "c"]
    assert board_rows(BUILT) == board_rows(BUILT[::-1])


def test_another_test_split_under_the_same_corpus_id_is_ranked_apart() -> None:
    other = {**FINGERPRINTS, "split_test": "f" * 64}
    shorter = built("elsewhere", "notes", range(60), fingerprints={**other, "adapter": "x"})
    rows = board_rows([*BUILT, Built(shorter.result, shorter.counts[:7], shorter.folder)])
    assert ranks(rows)[1:] == [
        ("notes", 1, "best/notes"),
        ("notes", 1, "twin/notes"),
        ("notes", 3, "worst/notes"),
        ("notes", 1, "elsewhere/notes"),
    ]
    assert rows[-1]["rank_shared_by"] == 1 and rows[-1]["test_fingerprint"] == "f" * 64


def test_a_row_has_the_scores_of_nested_mentions_where_there_are_some() -> None:
    scores = {"dev": split_score(0.825, documents=30), "test": split_score(0.8, nesting=nesting_data())}
    (row,) = board_rows([Built(result(scores=scores), (Counts(8, 2, 2),), Path("x"))])
    assert (row["inner_f1"], row["inner_recall"]) == (0.543, 0.543 - 0.022)
    assert row["discontinuous_recall"] == 0.278 - 0.022
    empty = {**nesting_data()["discontinuous"], "gold_mentions": 0}
    scores["test"] = split_score(0.8, nesting=nesting_data(discontinuous=empty))
    (row,) = board_rows([Built(result(scores=scores), (Counts(8, 2, 2),), Path("x"))])
    assert row["discontinuous_recall"] is None and row["inner_recall"] == 0.543 - 0.022


def test_a_row_takes_each_figure_from_its_place() -> None:
    item = Built(result(), (Counts(8, 2, 2),), Path("x"))
    (row,) = board_rows([item])
    recipe = row.pop("recipe")
    assert len(recipe) == 12
    assert row == {
        "corpus": "notes",
        "rank": 1,
        "rank_shared_by": 1,
        "checkpoint_id": "tiny-bert/notes",
        "repo_id": "openmed/tiny-bert-notes",
        "backbone": "tiny-bert",
        "entity_types": "Disease Chemical",
        "languages": "en",
        "test_micro_f1": 0.8,
        "test_micro_f1_std": None,
        "first_test_micro_f1": 0.8,
        "n_seeds": 1,
        "seeds": "13",
        "test_ci95_low": 0.75,
        "test_ci95_high": 0.8 + 0.04,
        "test_precision": 0.8 + 0.02,
        "test_recall": 0.8 - 0.02,
        "dev_micro_f1": 0.825,
        "inner_f1": None,
        "inner_recall": None,
        "discontinuous_recall": None,
        "linked_f1": 0.713,
        "linking_belb_accuracy": 0.853,
        "linked_to": "Chemical: mesh 2024; Disease: medic 2012-07-06",
        "dropped_share": 0.2,
        "trained_parameters": 1234567,
        "trained_share": 0.0123,
        "adapter_bytes": 1234567,
        "train_seconds": 61.4,
        "energy_wh": 12.345,
        "emissions_g": 4.702,
        "country": "DEU",
        "license": "MIT",
        "publishable": True,
        "verified": None,
        "created": "2026-11-05T12:00:00+00:00",
        "test_fingerprint": "3" * 64,
    }


SEEDS = [
    built("a", "notes", range(30), seed=13, train_seconds=10.0),
    built("a", "notes", range(5, 40), seed=14, train_seconds=40.0, created="2026-12-01T00:00:00+00:00"),
    built("a", "notes", range(34), seed=15, train_seconds=40.0),
]


def test_builds_that_differ_in_their_seed_alone_are_one_row() -> None:
    (row,) = board_rows(SEEDS[::-1])
    scores = [item.result.scores.test.micro_f1 for item in SEEDS]
    assert row["test_micro_f1"] == pytest.approx(sum(scores) / 3)
    assert row["test_micro_f1_std"] == pytest.approx(statistics.stdev(scores))
    assert (row["n_seeds"], row["seeds"]) == (3, "13 14 15")
    assert (row["train_seconds"], row["created"]) == (30.0, "2026-12-01T00:00:00+00:00")
    pooled = [sum(counts, Counts()) for counts in zip(*(item.counts for item in SEEDS), strict=True)]
    assert (row["test_ci95_low"], row["test_ci95_high"]) == bootstrap_interval(pooled)
    assert row["test_ci95_low"] < row["test_micro_f1"] < row["test_ci95_high"]


def test_rows_of_one_two_and_three_seeds_are_compared() -> None:
    """Their gold counts differ by those numbers; the test must not take that for other documents."""
    pair = [built("b", "notes", range(31), seed=seed, adapter=str(seed)) for seed in (1, 2)]
    rows = board_rows([*pair, *SEEDS, built("c", "notes", range(2))])
    assert [(row["backbone"], row["rank"], row["n_seeds"]) for row in rows] == [("a", 1, 3), ("b", 1, 2), ("c", 3, 1)]


def test_another_recipe_is_another_row() -> None:
    recipe = result_data()["recipe"]
    other = {**recipe, "lora": {**recipe["lora"], "rank": 99}, "seed": 14}
    rows = board_rows([SEEDS[0], built("a", "notes", range(50), seed=14, recipe=other)])
    assert [row["seeds"] for row in rows] == ["14", "13"]
    assert rows[0]["recipe"] != rows[1]["recipe"] and rows[0]["checkpoint_id"] == rows[1]["checkpoint_id"]


def test_a_copy_of_a_build_is_no_second_seed() -> None:
    assert board_rows([SEEDS[0], SEEDS[0]]) == board_rows([SEEDS[0]])


def test_two_builds_of_one_seed_that_differ_are_refused() -> None:
    with pytest.raises(ZooError, match="a/notes have the same recipe and seed") as error:
        board_rows([SEEDS[0], built("a", "notes", range(31), adapter="other")])
    assert "out-13/checkpoints/a/notes" in str(error.value)


def test_several_output_folders_make_one_board_in_the_first(tmp_path: Path) -> None:
    for number, item in enumerate(SEEDS):
        save(item, tmp_path / str(number))
    save(BUILT[1], tmp_path / "0")
    rows = refresh_board(tmp_path / "0", load_registry(), [tmp_path / "1", tmp_path / "2"])
    assert rows == board_rows([*SEEDS, BUILT[1]])
    assert json.loads((tmp_path / "0" / "board.json").read_text())["rows"] == rows
    assert not (tmp_path / "1" / "board.json").exists()


def test_the_command_takes_several_folders(
    zoo: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    for number, item in enumerate(SEEDS):
        save(item, tmp_path / str(number))
    for item in (BUILT[1], BUILT[3]):
        save(item, tmp_path / "0")
    table = zoo("board", "--out", "0", "--out", "1", "--out", "2").stdout
    cells = {line.split()[2]: line.split() for line in table.splitlines() if line.startswith("notes")}
    assert [cells[name][1] for name in ("best/notes", "twin/notes", "a/notes")] == ["1=", "1=", "3"]
    row = json.loads((tmp_path / "0" / "board.json").read_text())["rows"][2]
    spread = f"{100 * row['test_micro_f1_std']:.2f}"
    assert f"3 (± {spread})" in table and f"{100 * row['test_micro_f1']:.2f}" in table
    assert "not separable at 95 %" in table and "the interval is over documents" in table
    alone = zoo("board", "--out", "1").stdout
    assert "separable" not in alone and "several seeds" not in alone
    done = zoo("board", "--out", "0", "--out", "nowhere", check=2)
    assert "nothing was built here yet\n  where: nowhere" in done.stderr


def test_a_tightened_licence_takes_quotes_out_of_the_board(tmp_path: Path) -> None:
    save(built("tiny-bert", "notes", range(30)), tmp_path)
    entry = checkpoint(publishable=False)
    (row,) = refresh_board(tmp_path, registry(entry))
    assert (row["license"], row["publishable"]) == ("NOASSERTION", False)
    assert "severe asthma" not in (tmp_path / "board.json").read_text()
    refresh_board(tmp_path, registry(checkpoint()))
    assert "severe asthma" in (tmp_path / "board.json").read_text()


def test_a_folder_without_builds_gives_an_empty_board(tmp_path: Path) -> None:
    assert find_built(tmp_path) == [] and refresh_board(tmp_path, load_registry()) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "predictions.jsonl:2"),
        ("{", "predictions.jsonl:2"),
        ('{"id": "1", "gold": []}', "predicted: Field required"),
        ('{"id": "1", "gold": [], "predicted": []}', "59 documents, the result says"),
        ('{"id": "1", "gold": [{"start": 0, "end": 4}], "predicted": []}', "gold.0.type"),
    ],
)
def test_damaged_predictions_are_named(line: str, words: str, tmp_path: Path) -> None:
    path = save(SEEDS[0], tmp_path) / PREDICTIONS_FILE
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], line, *lines[3:]]) + "\n")
    with pytest.raises(ZooError) as error:
        refresh_board(tmp_path, load_registry())
    assert words in str(error.value) and PREDICTIONS_FILE in str(error.value)
    assert not (tmp_path / "board.json").exists()


def test_missing_predictions_and_those_of_another_build_are_named(tmp_path: Path) -> None:
    folder, other = save(SEEDS[0], tmp_path / "a"), save(SEEDS[1], tmp_path / "b")
    (folder / PREDICTIONS_FILE).write_bytes((other / PREDICTIONS_FILE).read_bytes())
    with pytest.raises(ZooError, match=r"the predictions give F1 0\.7368 on 60 documents, the result says 0\.6667"):
        refresh_board(tmp_path / "a", load_registry())
    (folder / PREDICTIONS_FILE).unlink()
    with pytest.raises(ZooError, match="cannot read the file: No such file"):
        refresh_board(tmp_path / "a", load_registry())
    assert (folder / RESULT_FILE).is_file()


def test_both_files_hold_the_same_rows(tmp_path: Path) -> None:
    rows = board_rows(BUILT)
    write_board(rows, tmp_path)
    data = json.loads((tmp_path / "board.json").read_text())
    assert data == {"schema_version": BOARD_SCHEMA_VERSION, "ranking": RANKING, "rows": rows}
    with (tmp_path / "board.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    cells = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    assert cells == read
    assert sorted(path.name for path in tmp_path.iterdir()) == ["board.csv", "board.json"]


def test_a_cell_with_commas_quotes_and_lines_survives(tmp_path: Path) -> None:
    rows = board_rows([built("a", "notes", range(9), license='A, "B"\nC')])
    write_board(rows, tmp_path)
    with (tmp_path / "board.csv").open(newline="") as file:
        assert [row["license"] for row in csv.DictReader(file)] == ['A, "B"\nC']


def test_an_empty_board_has_a_header_and_no_row(tmp_path: Path) -> None:
    write_board(board_rows([]), tmp_path)
    assert json.loads((tmp_path / "board.json").read_text())["rows"] == []
    assert (tmp_path / "board.csv").read_text() == "corpus,rank,checkpoint_id\n"


def test_writing_again_replaces_the_board(tmp_path: Path) -> None:
    write_board(board_rows(BUILT), tmp_path)
    write_board(board_rows(BUILT[:1]), tmp_path)
    assert len(json.loads((tmp_path / "board.json").read_text())["rows"]) == 1
    assert len((tmp_path / "board.csv").read_text().splitlines()) == 2


def together() -> Result:
    """The three as one build of three seeds."""
    runs = [
        SeedRun(
            seed=item.result.seeds[0],
            scores=item.result.scores,
            train_seconds=item.result.train_seconds,
            energy=item.result.energy,
            fingerprints={"adapter": item.result.fingerprints["adapter"]},
        )
        for item in SEEDS
    ]
    changes = {
        "seed_scores": SeedScores.of(runs, [item.counts for item in SEEDS]),
        "created": max(item.result.created for item in SEEDS),
        "recipe": {**SEEDS[0].result.recipe, "seeds": 3},
    }
    return SEEDS[0].result.model_copy(update=changes)


def test_a_build_of_several_seeds_is_the_row_that_builds_of_one_seed_each_are_joined_to() -> None:
    one = together()
    expanded = [replace(item, result=each) for item, each in zip(SEEDS, one.each_seed(), strict=True)]
    assert board_rows(expanded) == board_rows(SEEDS)
    (row,) = board_rows(expanded)
    seeds = one.seed_scores
    assert seeds is not None
    assert (row["test_micro_f1"], row["test_micro_f1_std"]) == (seeds.test_micro_f1.mean, seeds.test_micro_f1.std)
    assert (row["test_ci95_low"], row["test_ci95_high"]) == seeds.test_ci95
    assert row["first_test_micro_f1"] == SEEDS[0].result.scores.test.micro_f1 != row["test_micro_f1"]
    assert board_rows([*expanded, SEEDS[1]]) == board_rows(SEEDS), "a seed that is there twice counts once"
