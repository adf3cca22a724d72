"""What the board shows beyond results, each from the command that measures it: speed, cross-corpus scores, ablation."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import plots
from data import Board, load_board
from hub import with_measured
from model_page import render_model
from table import render_board
from tests.leaderboard.boards import save
from tests.leaderboard.test_space import push
from tests.loopback_hub import loopback_hub
from views import View, export_csv
from zoo.board.space import is_stale

Zoo = Callable[..., subprocess.CompletedProcess[str]]
KEY = "tiny-bert/tiny-disease"


@pytest.fixture
def out(built: Path, tmp_path: Path) -> Path:
    """A copy of the two tiny checkpoints, to measure in."""
    return Path(shutil.copytree(built, tmp_path / "out", ignore=shutil.ignore_patterns("artefacts")))


class TestSpeed:
    def test_the_command_measures_and_the_board_shows_it(self, zoo: Zoo, built: Path, out: Path) -> None:
        registry = built.parent / "registry"
        before = (out / "checkpoints" / KEY / "result.json").read_bytes()
        given = ("latency", KEY, "--out", out, "--registry", registry, "--documents", 4, "--json")
        measured = json.loads(zoo(*given).stdout)
        assert [line["checkpoint_id"] for line in measured] == [KEY]
        stored = json.loads((out / "checkpoints" / KEY / "latency.json").read_text())
        assert {"checkpoint_id": KEY, **stored} == measured[0]
        assert (stored["documents"], stored["repeats"], stored["threads"]) == (4, 5, 1)
        assert stored["words"] == 7 + 8 + 5 + 6 and stored["ms_per_1000_words"] > 0
        assert (out / "checkpoints" / KEY / "result.json").read_bytes() == before

        assert is_stale(out)
        zoo("board", "--out", out)
        assert not is_stale(out)
        board = load_board(out)
        timed, other = board.by_key[KEY], board.by_key["tiny-bert/tiny-chemical"]
        assert timed.ms_per_1000_words == stored["ms_per_1000_words"] and other.ms_per_1000_words is None
        processor = f"{stored['processor']}, 1 thread"
        assert timed.processor == processor
        table = render_board(board, View(corpora=("tiny-disease",)))
        assert f"Speed was measured on {processor}" in table and f'c-speed num" title="{processor}">' in table
        assert processor in render_model(timed)
        figure = plots.cost([timed], "Speed")
        assert list(figure.data[0].x) == [timed.ms_per_1000_words] and processor in figure.layout.xaxis.title.text

        assert "tiny-chemical" in zoo("latency", "--out", out, "--registry", registry, "--documents", 2).stdout
        assert (out / "checkpoints" / "tiny-bert" / "tiny-chemical" / "latency.json").is_file()

    def test_what_is_not_there_is_one_message(self, zoo: Zoo, out: Path, tmp_path: Path) -> None:
        done = zoo("latency", "tiny-bert/tiny-diseas", "--out", out, check=2)
        assert "'tiny-bert/tiny-diseas' was not built here" in done.stderr and f"did you mean {KEY}" in done.stderr
        assert "nothing was built here yet" in zoo("latency", "--out", tmp_path / "nothing", check=2).stderr
        assert (
            "unknown corpus 'tiny-chemical'" in zoo("latency", "--out", out, check=2).stderr
        )  # its registry is not named
        assert not list(out.rglob("latency.json"))
        (out / "checkpoints" / KEY / "latency.json").write_text("{")
        done = zoo("board", "--out", out, check=2)
        assert "latency.json" in done.stderr and "Traceback" not in done.stderr

    def test_times_of_two_processors_have_no_mean(self, tmp_path: Path) -> None:
        board = load_board(_timed(tmp_path, {"large/mixed": "A", "large/notes": "A", "small/mixed": "A"}))
        means = {entry.name: entry for entry in board.overall}
        assert (means["large"].ms_per_1000_words, means["large"].processor) == (100.0, "A, 2 threads")
        board = load_board(_timed(tmp_path, {"large/mixed": "A", "large/notes": "B"}))
        assert {entry.name: entry for entry in board.overall}["large"].ms_per_1000_words is None
        assert "A, 2 threads; B, 2 threads: times of different processors" in render_board(board, View())
        assert "different processors" in plots.cost(board.entries, "Speed").layout.xaxis.title.text
        assert "A, 2 threads" in export_csv(board, View())

    def test_a_live_board_takes_the_speed_of_the_same_adapter(self, tmp_path: Path) -> None:
        file = load_board(_timed(tmp_path, {"large/mixed": "A"}))
        file = replace(file, cross={"models": []})
        entry = replace(file.by_key["large/mixed"], ms_per_1000_words=None, processor="")
        changed = replace(entry, details={"result": {"fingerprints": {"adapter": "other"}}})
        live = with_measured(Board(entries=(entry, changed), origin="live"), file)
        assert [e.ms_per_1000_words for e in live.entries] == [100.0, None]
        assert (live.cross, live.origin) == ({"models": []}, "live")


def _timed(folder: Path, processors: dict[str, str]) -> Path:
    """The hand-written board with times of 100 ms; the adapters are named by their checkpoint."""
    save(folder)
    data = json.loads((folder / "board.json").read_text())
    for detail in data["details"]:
        name = detail["checkpoint_id"]
        detail["result"]["fingerprints"]["adapter"] = name
        if name in processors:
            detail["latency"] = {"ms_per_1000_words": 100.0, "threads": 2, "processor": processors[name]}
    (folder / "board.json").write_text(json.dumps(data))
    return folder


class TestCross:
    def test_the_matrix_of_the_command_is_drawn(self, zoo: Zoo, built: Path, out: Path) -> None:
        models = [out / "checkpoints" / "tiny-bert" / name for name in ("tiny-disease", "tiny-chemical")]
        corpora = ("--corpora", "tiny-disease,tiny-chemical", "--registry", built.parent / "registry")
        zoo("cross", *models, *corpora, "--out", out)
        written = json.loads((out / "cross.json").read_text())
        with loopback_hub() as hub:
            assert push(hub, out).returncode == 0  # writes the board again by itself
            pushed = hub.files("spaces/openmed/leaderboard")["board.json"]
        (out / "board.json").write_bytes(pushed)
        figure = plots.cross(load_board(out).cross)
        scores = {(c["model"], c["corpus"]): c["score"] and 100 * c["score"]["micro_f1"] for c in written["cells"]}
        drawn = {(y, x): v for y, line in zip(figure.data[0].y, figure.data[0].z, strict=True)
                 for x, v in zip(figure.data[0].x, line, strict=True)}  # fmt: skip
        assert drawn == scores and len(drawn) == 4
        assert scores[KEY, "tiny-disease"] > 90 and scores[KEY, "tiny-chemical"] is None
        assert len(figure.layout.shapes) == 2  # each on its own corpus
        assert "not comparable" in "".join(figure.data[0].customdata[0] + figure.data[0].customdata[1])

    def test_a_reduced_score_has_a_star(self) -> None:
        cell = {"model": "a/x", "corpus": "y", "status": "reduced", "in_domain": False, "note": "over Disease alone"}
        figure = plots.cross({"models": ["a/x"], "corpora": ["y"], "cells": [{**cell, "score": {"micro_f1": 0.5}}]})
        assert figure.data[0].text[0] == ["50.0*"] or list(figure.data[0].text[0]) == ["50.0*"]

    def test_a_damaged_file_is_named(self, zoo: Zoo, out: Path) -> None:
        (out / "cross.json").write_text('{"models": []}')
        done = zoo("board", "--out", out, check=2)
        assert "cross.json" in done.stderr and "zoo cross --out" in done.stderr and "Traceback" not in done.stderr


class TestAblation:
    def test_the_runs_of_the_benchmark_are_drawn(
        self, zoo: Zoo, built: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import ablation

        for name, value in (("ZOO_REGISTRY", str(built.parent / "registry")), ("OMP_NUM_THREADS", "1")):
            monkeypatch.setenv(name, value)
        for name in ("ZOO_OUT", "ZOO_CORPORA", "ZOO_PASSAGES"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(ablation, "RESULTS", tmp_path / "results")
        monkeypatch.chdir(tmp_path)
        given = ["--backbone", "tiny-bert", "--corpora", "tiny-disease", "--seeds", "13", "14", "--methods", "lora",
                 "--set", "finetune.epochs=1", "--out", "ablated"]  # fmt: skip
        monkeypatch.setattr(sys, "argv", ["ablation.py", *given])
        ablation.main()
        runs = json.loads((tmp_path / "results" / "ablation.json").read_text())["runs"]
        scores = [100 * run["test_micro_f1"] for run in runs.values()]
        assert len(scores) == 2

        shutil.copy(tmp_path / "results" / "ablation.json", out)
        zoo("board", "--out", out)
        board = load_board(out)
        figure = plots.contributions(board.ablation, board.entries)
        assert [trace.name for trace in figure.data] == ["no DAPT, lora"]
        assert list(figure.data[0].x) == [KEY] and list(figure.data[0].y) == [pytest.approx(sum(scores) / 2)]
        assert list(figure.data[0].error_y.array) == [pytest.approx(max(scores) - sum(scores) / 2)]

    def test_a_damaged_file_is_named(self, zoo: Zoo, out: Path) -> None:
        (out / "ablation.json").write_text('{"runs": {"a": {}}}')
        done = zoo("board", "--out", out, check=2)
        assert "ablation.json" in done.stderr and "checkpoint_id" in done.stderr and "Traceback" not in done.stderr
