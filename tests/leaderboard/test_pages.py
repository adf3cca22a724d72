"""Plots, the page of a model, the form for submissions, and the demo's answers, as functions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import data
import demo
import plots
import submissions
from data import Board, Reported, load_board
from examples import EXAMPLES, OF_LANGUAGES
from layers import Layer
from model_page import render_model
from tests.leaderboard.boards import save
from tests.records import nesting_data, split_score
from zoo.modeling.windows import Entity
from zoo.tagging.pool import Pool


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return load_board(save(tmp_path))


class TestPlots:
    def test_the_front_holds_what_nothing_beats(self, board: Board) -> None:
        pool = [(1.0, board.entries[4]), (2.0, board.entries[3]), (3.0, board.entries[4]), (4.0, board.entries[0])]
        assert [value for value, _ in plots.pareto(pool)] == [1.0, 2.0, 4.0]

    @pytest.mark.parametrize("axis", list(plots.X_AXES))
    def test_cost_shows_every_model_or_says_why_not(self, axis: str, board: Board) -> None:
        figure = plots.cost([e for e in board.entries if e.corpus == "notes"], axis)
        points = sum(len(trace.x) for trace in figure.data if trace.name != "Pareto front")
        assert points == (0 if axis == "Speed" else 3)
        if axis == "Speed":
            assert "not measured" in figure.layout.annotations[0].text.replace("<br>", " ")

    def test_intervals_mark_the_first_rank_and_keep_others_apart(self, board: Board) -> None:
        notes = [e for e in board.entries if e.corpus == "notes"]
        figure = plots.intervals(notes, [Reported("x", "notes", ("Disease",), 0.95, None, None, "s", "c")])
        named = {trace.name: (list(trace.x), trace.marker.symbol) for trace in figure.data}
        assert named["shares rank 1"] == ([80.0], "circle")
        assert named["reported, not measured here"] == ([95.0], "diamond-open")
        assert len(named["other ranks"][0]) == 2
        assert list(figure.data[0].error_x.array) == pytest.approx([2.0])

    def test_types_and_cross_have_a_cell_each(self, board: Board) -> None:
        mixed = plots.types([e for e in board.entries if e.corpus == "mixed"])
        assert [list(row) for row in mixed.data[0].z] == [pytest.approx([89, 79]), pytest.approx([90, 80])]
        cell = {"model": "a/x", "corpus": "x", "in_domain": True, "score": {"micro_f1": 0.5}}
        other = {"model": "a/x", "corpus": "y", "in_domain": False, "score": None}
        matrix = {"models": ["a/x"], "corpora": ["x", "y"], "columns": ["x (en)", "y (es)"], "cells": [cell, other]}
        figure = plots.cross(matrix)
        assert (list(figure.data[0].x), list(figure.data[0].y)) == (["x (en)", "y (es)"], ["a/x"])
        assert [list(row) for row in figure.data[0].z] == [[50.0, None]] and len(figure.layout.shapes) == 1

    def test_contributions_from_the_ablation_else_from_searches(self, board: Board) -> None:
        run = {"checkpoint_id": "a/x", "arm": "DAPT", "method": "lora", "test_micro_f1": 0.5}
        figure = plots.contributions({"runs": {"1": run, "2": {**run, "test_micro_f1": 0.7}}}, ())
        assert list(figure.data[0].y) == [pytest.approx(60)] and figure.data[0].name == "DAPT, lora"
        assert len(plots.contributions({}, board.entries).data[0].x) == 5
        assert "not measured yet" in plots.contributions({}, ()).layout.annotations[0].text.replace("<br>", " ")

    def test_the_gain_of_a_confirmed_search_is_that_of_the_means(self, board: Board) -> None:
        means = [{"trial": 7, "mean": 0.81}, {"trial": 0, "mean": 0.79}]
        tune = {"best_dev_micro_f1": 0.9, "recipe_dev_micro_f1": 0.7, "confirmed": means}
        entries = [replace(entry, details={"result": {"tune": tune}}) for entry in board.entries[:1]]
        assert list(plots.contributions({}, entries).data[0].x) == [pytest.approx(2)]

    def test_a_board_without_gains_of_the_search_says_so(self, board: Board) -> None:
        same = {"best_dev_micro_f1": 0.8, "recipe_dev_micro_f1": 0.8}
        entries = [replace(entry, details={"result": {"tune": same}}) for entry in board.entries]
        figure = plots.contributions({}, entries)
        assert not figure.data and "found nothing" in figure.layout.annotations[0].text.replace("<br>", " ")

    def test_no_figure_asks_another_server_for_anything(self, board: Board) -> None:
        for figure in (plots.cost(board.entries, "Energy"), plots.intervals(board.entries), plots.types(board.entries)):
            assert "http" not in figure.to_json()


class TestModelPage:
    def test_it_holds_the_figures_of_the_record(self, board: Board) -> None:
        page = render_model(board.by_key["large/mixed"])
        assert "9.1 % of the annotated test mentions are not scored" in page
        for words in ("90.0 (88.0 to 92.0)", "Mentions unseen in training", "Without 3 documents",
                      "rank 8, alpha 16", "lower case", "boundary", "zoo build large/mixed --set finetune.epochs=3",
                      "shared by 2 checkpoints"):  # fmt: skip
            assert words in page
        assert "<b>severe</b>" not in page and "&lt;b&gt;severe" in page and "<i>gout" not in page

    def test_it_has_a_table_of_nested_mentions_where_there_are_some(self, board: Board) -> None:
        entry = board.by_key["large/mixed"]
        assert "Nested and discontinuous" not in render_model(entry)
        result = {**entry.details["result"], "scores": {"test": split_score(0.9, nesting=nesting_data())}}
        page = render_model(replace(entry, details={**entry.details, "result": result}))
        assert "Inside one of the same type" in page and "9 of the annotated mentions cannot be found" in page

    def test_it_has_a_line_for_each_corpus_of_a_joined_one(self, board: Board) -> None:
        entry = board.by_key["large/mixed"]
        members = {"notas": {"language": "es", "test": split_score(0.75, ci95=(0.7, 0.8))}}
        result = {**entry.details["result"], "scores": {"test": split_score(0.9), "members": members}}
        page = render_model(replace(entry, details={**entry.details, "result": result}))
        assert "Of it notas (es)" in page and "70.0 to 80.0" in page and "<dd>en, es</dd>" in page

    def test_it_says_what_mentions_are_linked_to(self, board: Board) -> None:
        entry = replace(board.entries[0], linked_f1=0.713, linking_accuracy=0.853, linked_to="Disease: medic 2012")
        assert "Disease: medic 2012; F1 with concept ids 71.3" in render_model(entry)
        assert "concept ids" not in render_model(board.entries[0])

    def test_a_record_without_details_says_so(self, board: Board) -> None:
        bare = replace(board.entries[0], details={})
        assert "run zoo board again" in render_model(bare)


class TestSubmissions:
    def test_a_good_one_becomes_a_command_and_a_pull_request(self, board: Board) -> None:
        made = submissions.parse(
            "https://huggingface.co/o/m", "mixed", "DIS=Disease\n\nCHEM = Chemical", " a\nb ", board
        )
        assert made.command == "zoo evaluate o/m mixed --map DIS=Disease --map CHEM=Chemical"
        text = submissions.pull_request(made)
        block = text.split("```json\n")[1].split("\n```")[0]
        labels = {"DIS": "Disease", "CHEM": "Chemical"}
        assert json.loads(block) == {"repo_id": "o/m", "corpus": "mixed", "labels": labels} and "> a b" in text
        assert "without running code of the repo" in submissions.render(made)

    @pytest.mark.parametrize(
        ("repo", "corpus", "labels", "words"),
        [
            ("", "mixed", "", "id of a model"),
            ("../../x", "mixed", "", "id of a model"),
            ("o/m; rm -rf", "mixed", "", "id of a model"),
            ("o/m", None, "", "Choose the corpus"),
            ("o/m", "none", "", "Choose the corpus"),
            ("o/m", "notes", "A=Chemical", "has no type Chemical; it has Disease"),
            ("o/m", "mixed", "A:Disease", "Line 1"),
            ("o/m", "mixed", "A=Disease\nA=Chemical", "twice"),
            ("o/m", "mixed", "`x`=Disease", "Line 1"),
        ],
    )
    def test_a_bad_one_is_told_what_is_wrong(
        self, repo: str, corpus: str | None, labels: str, words: str, board: Board
    ) -> None:
        with pytest.raises(ValueError, match=words):
            submissions.parse(repo, corpus, labels, "", board)


class TestDemo:
    def test_every_example_is_short_and_holds_no_markup(self) -> None:
        of_languages = [text for more in OF_LANGUAGES.values() for text in more.values()]
        assert len(EXAMPLES) == 3 and {"es", "zh", "ar"} <= set(OF_LANGUAGES)
        assert all(100 < len(text) < 1500 and "<" not in text for text in (*EXAMPLES.values(), *of_languages))

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (None, "no text yet"),
            (" \n", "no text yet"),
            ("x" * 100_001, "100,001 characters"),
            ("a\ud800", "position 1"),
        ],
    )
    def test_what_it_does_not_take(self, text: str | None, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            demo.check_text(text)

    @pytest.mark.parametrize("keys", [None, [], ["a"] * 7, ["nobody/nothing"]])
    def test_which_models_it_does_not_take(self, keys: list[str] | None, board: Board) -> None:
        with pytest.raises(ValueError, match="hoose"):
            demo.check_models(keys, board)

    def test_two_models_give_layers_and_progress(self, built: Path) -> None:
        board = data.load_board(built)
        text = "Patients with asthma took aspirin daily . " * 30
        steps = list(demo.run(Pool(), board, text, list(board.by_key)))
        assert steps[0] == "Model 1 of 2, tiny-bert/tiny-chemical: loading"
        answer = steps[-1]
        assert isinstance(answer, tuple)
        got, layers = answer
        assert got == text and [layer.model for layer in layers] == [e.name for e in board.entries]
        assert {e.type for layer in layers for e in layer.entities} == {"Disease", "Chemical"}

    def test_the_threshold_and_the_comparison_need_no_new_answer(self) -> None:
        layers = (Layer("a", (Entity(0, 2, "X", 0.9), Entity(3, 5, "X", 0.2))), Layer("b", (Entity(0, 2, "X", 0.8),)))
        result = ("ab cd", layers)
        assert "3 entities" in demo.show(result, 0, False).status
        assert "2 entities in 5 characters, 1 below" in demo.show(result, 0.5, False).status
        assert "1 entities are in both" in demo.show(result, 0, True).text
        assert "Choose two models" in demo.show(("ab", layers[:1]), 0, True).status
        assert demo.written(None, 0, kind="csv") == "" and demo.written(result, 0.5, kind="ann").count("\nT") == 1
