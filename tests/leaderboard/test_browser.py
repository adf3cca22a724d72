"""The running Space in headless Chromium: what a reader does, and that no request leaves the machine."""

from __future__ import annotations

import csv
import io
import json
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.leaderboard.boards import ROWS, save
from tests.linking.vocabulary import save_linker

playwright = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
pytest.importorskip("gradio", reason="the browser tests need gradio")

TEXT = "Patients with asthma took aspirin daily . The boy had severe migraine after ibuprofen ."
ROW = "#board tbody tr.model"
PATIENCE_MS = 120_000
"""Longest wait for anything on the page; a busy machine is slow, which is no failure."""


@pytest.fixture(scope="session")
def server(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The Space over a hand-written board and the two tiny models."""
    from space import Server

    folder = save(tmp_path_factory.mktemp("data"))
    merged = json.loads((folder / "board.json").read_text())
    real = json.loads((built / "board.json").read_text())
    merged["rows"] += real["rows"]
    merged["details"] += real["details"]
    cell = {"model": "large/notes", "corpus": "notes", "in_domain": True, "score": {"micro_f1": 0.8}}
    merged["cross"] = {"models": ["large/notes"], "corpora": ["notes"], "cells": [cell]}
    (folder / "board.json").write_text(json.dumps(merged))
    figure = {"model": "Other BERT", "corpus": "notes", "entity_types": ["Disease"], "micro_f1": 0.88}
    (folder / "published.yaml").write_text(
        json.dumps({"figures": [{**figure, "source": "a paper", "caveat": "unknown"}]})
    )
    for name in ("bases", "checkpoints"):
        shutil.copytree(built / name, folder / name)
    save_linker(folder / "checkpoints" / "tiny-bert" / "tiny-disease" / "linker")
    with Server(folder, OMP_NUM_THREADS="1") as running:
        yield running


@pytest.fixture(scope="module")
def nested_server(built_nested: Path) -> Iterator[Any]:
    """The Space over a build of one model of two heads."""
    from space import Server

    with Server(built_nested, OMP_NUM_THREADS="1") as running:
        yield running


@pytest.fixture(scope="module")
def languages_server(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The Space over the two tiny models, said to be of five languages."""
    from space import Server

    folder = tmp_path_factory.mktemp("languages")
    shutil.copytree(built, folder, dirs_exist_ok=True)
    board = json.loads((folder / "board.json").read_text())
    for row, spoken in zip(board["rows"], ("en es", "en zh ar-EG"), strict=True):
        row["languages"] = spoken
    (folder / "board.json").write_text(json.dumps(board))
    with Server(folder, OMP_NUM_THREADS="1") as running:
        yield running


class Reader:
    """A page, and all that must not happen on it."""

    def __init__(self, chromium: Any, url: str, width: int = 1300, **options: Any) -> None:
        self.url = url
        self.context = chromium.new_context(viewport={"width": width, "height": 900}, accept_downloads=True, **options)
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.context.set_default_timeout(PATIENCE_MS)
        self.page = self.context.new_page()
        self.outside: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", self._request)
        self.page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", self._dialog)

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.outside.append(request.url)

    def _dialog(self, dialog: Any) -> None:
        self.errors.append(f"a dialog opened: {dialog.message}")
        dialog.dismiss()

    def open(self, query: str = "") -> Any:
        self.page.goto(self.url + query)
        self.page.wait_for_function("document.querySelectorAll('#board .board').length === 1")
        self.page.wait_for_function(
            "document.querySelector('.gradio-container [role=tab][aria-selected=true]') !== null"
        )
        return self.page

    def names(self) -> list[str]:
        return [
            str(name) for name in self.page.locator(f"{ROW} .c-name").locator("button.link, span").all_inner_texts()
        ]

    def wait_for_names(self, expected: list[str]) -> None:
        script = """expected => JSON.stringify([...document.querySelectorAll('#board tbody tr.model .c-name')]
                    .map(cell => cell.firstElementChild.textContent)) === JSON.stringify(expected)"""
        try:
            self.page.wait_for_function(script, arg=expected)
        except playwright.TimeoutError:
            assert self.names() == expected

    def tab(self, name: str) -> None:
        """Open a tab; a narrow page keeps some behind a button, and moves them there after a moment."""
        tab = self.page.get_by_role("tab", name=name, exact=True).first
        menu = self.page.locator("#tabs .overflow-menu > button").first
        behind = self.page.locator("#tabs .overflow-dropdown button", has_text=name).first
        for _ in range(100):
            if tab.is_visible():
                return tab.click()
            if behind.is_visible():
                return behind.click()
            if menu.is_visible():
                menu.click()
            self.page.wait_for_timeout(200)
        raise AssertionError(f"no tab {name!r}")

    def choose(self, box: str, *options: str) -> None:
        for option in options:
            if self.page.locator(f"{box} .token", has_text=option).count():
                continue  # another click would take it out
            field = self.page.locator(f"{box} input").first
            field.click()
            field.fill(option)
            self.page.get_by_role("option", name=option).first.dispatch_event("mousedown")
            self.page.wait_for_function(
                """([box, option]) => [...document.querySelectorAll(`${box} .token`)]
                                        .some(token => token.innerText.includes(option))
                                      || document.querySelector(`${box} input`).value.includes(option)""",
                arg=[box, option],
            )
        self.page.keyboard.press("Escape")

    def tag(self, text: str, *models: str, wait: bool = True) -> None:
        """Ask the demo, and wait for its answer, after that to the example which it opens with."""
        self.tab("Live demo")
        settled = "/entities in|No model is|There is no/.test(document.querySelector('#demo-status')?.innerText)"
        self.page.wait_for_function(settled)
        self.page.locator("#demo-text textarea").fill(text)
        for model in models:
            self.choose("#demo-models", model)
        self.page.locator("#demo-run").click()
        if wait:
            self.page.wait_for_function(
                """text => { const box = document.querySelector('#demo-marked .text')?.cloneNode(true);
                             box?.querySelectorAll('.lab').forEach(label => label.remove());
                             const refused = document.querySelector('#demo-status [role=alert]');
                             return refused || box?.textContent === text; }""",
                arg=text.replace("\u0000", "\ufffd"),
            )

    def marked_text(self) -> str:
        """The text that the demo shows, without its labels."""
        return str(
            self.page.evaluate(
                """() => { const box = document.querySelector('#demo-marked .text').cloneNode(true);
                           box.querySelectorAll('.lab').forEach(label => label.remove()); return box.textContent; }"""
            )
        )

    def download(self, button: str) -> str:
        """The content of the file that a button makes."""
        with self.page.expect_download() as waiting:
            self.page.get_by_role("button", name=button).click()
        return Path(waiting.value.path()).read_text()


@pytest.fixture
def reader(server: Any, chromium: Any) -> Iterator[Reader]:
    made = Reader(chromium, server.url)
    yield made
    made.context.close()
    assert made.outside == [], "requests left the machine"
    assert made.errors == []


ALL = [row["checkpoint_id"] for row in ROWS] + ["tiny-bert/tiny-chemical", "tiny-bert/tiny-disease"]


class TestBoard:
    def test_it_shows_models_ranks_and_intervals(self, reader: Reader) -> None:
        page = reader.open()
        assert reader.names() == ALL
        assert page.locator(f"{ROW} .c-rank").first.inner_text() == "1="
        assert "88.0 to 92.0" in page.locator(f"{ROW} .c-f1").first.inner_text()
        assert "7 models · 4 backbones · 4 corpora" in page.locator("header.top").inner_text()

    def test_headings_sort_both_ways_and_the_keyboard_keeps_its_place(self, reader: Reader) -> None:
        page = reader.open("?corpora=notes")
        heading = page.locator("[data-sort=energy]")
        heading.click()
        reader.wait_for_names(["odd/notes", "small/notes", "large/notes"])
        heading.focus()
        page.keyboard.press("Enter")
        reader.wait_for_names(["large/notes", "small/notes", "odd/notes"])
        assert page.evaluate("document.activeElement.dataset.sort") == "energy"
        assert page.locator("th.c-energy").get_attribute("aria-sort") == "descending"

    def test_every_filter(self, reader: Reader) -> None:
        page = reader.open()
        for box, option, expected in (
            ("#f-types", "Disease", [*ALL[:5], ALL[6]]),
            ("#f-corpora", "notes", ["large/notes", "small/notes", "odd/notes"]),
            ("#f-backbones", "odd", ["odd/notes"]),
        ):
            reader.choose(box, option)
            reader.wait_for_names(expected)
        page.locator("#reset").click()
        reader.wait_for_names(ALL)
        page.locator("#f-search").locator("textarea, input").fill("small mixed")
        reader.wait_for_names(["small/mixed"])
        page.locator("#reset").click()
        reader.wait_for_names(ALL)
        page.locator("#more > button").click()
        reader.choose("#f-sizes", "150 to 500 M")
        reader.wait_for_names(["large/mixed", "large/notes"])
        page.locator("#reset").click()
        reader.choose("#f-languages", "es")
        reader.wait_for_names(["large/mixed", "small/mixed"])
        assert "languages=es" in page.url
        page.locator("#reset").click()
        reader.choose("#f-licenses", "MIT")
        reader.wait_for_names(["odd/notes"])
        page.locator("#reset").click()
        page.locator("#f-verified input").click()
        reader.wait_for_names(["large/mixed", "large/notes"])

    def test_columns_and_figures_of_others(self, reader: Reader) -> None:
        page = reader.open("?corpora=notes")
        page.locator("#more > button").click()
        page.locator("#f-columns").get_by_label("Licence").click()
        page.wait_for_selector("#board th.c-license", state="detached")
        page.locator("#f-columns").get_by_label("Finds").click()
        page.wait_for_selector("#board th.c-types")
        assert page.locator("section.reported").count() == 0
        page.locator("#f-reported input").click()
        page.wait_for_selector("section.reported")
        assert "Other BERT" in page.locator("section.reported").inner_text()
        assert "Other BERT" not in page.locator("#board table.models").inner_text()

    def test_views_by_tab(self, reader: Reader) -> None:
        page = reader.open()
        reader.tab("Overall")
        reader.wait_for_names(["large", "small", "tiny-bert", "odd"])
        assert "Mean over 2 corpora" in page.locator("#board").inner_text()
        reader.tab("By entity type")
        page.wait_for_function("document.querySelector('#board').innerText.includes('Chemical in mixed')")

    def test_a_link_restores_the_view(self, reader: Reader, server: Any, chromium: Any) -> None:
        page = reader.open()
        reader.choose("#f-corpora", "notes")
        for state in ("descending", "ascending"):  # a click turns what is shown, so each waits for the one before
            page.locator("[data-sort=f1]").click()
            page.wait_for_selector(f"th[aria-sort={state}] [data-sort=f1]")
        reader.wait_for_names(["odd/notes", "small/notes", "large/notes"])
        page.locator("#copy-link").click()
        page.wait_for_selector("#space-said.on")
        link = page.evaluate("navigator.clipboard.readText()")
        assert parse_qs(urlsplit(link).query) == {"corpora": ["notes"], "sort": ["f1"]}
        other = Reader(chromium, server.url)
        other.page.goto(link)
        other.wait_for_names(["odd/notes", "small/notes", "large/notes"])
        assert other.page.locator("#f-corpora").get_by_text("notes", exact=True).count() >= 1
        assert other.errors == []
        other.context.close()

    @pytest.mark.parametrize("kind", ["csv", "json"])
    def test_exports_hold_what_is_shown(self, kind: str, reader: Reader) -> None:
        page = reader.open("?corpora=notes&sort=f1")
        reader.wait_for_names(["odd/notes", "small/notes", "large/notes"])
        with page.expect_download() as waiting:
            page.locator(f"#export-{kind}").click()
        assert waiting.value.suggested_filename == f"leaderboard.{kind}"
        text = Path(waiting.value.path()).read_text()
        rows = list(csv.DictReader(io.StringIO(text))) if kind == "csv" else json.loads(text)["rows"]
        assert [row["name"] for row in rows] == ["odd/notes", "small/notes", "large/notes"]

    def test_copy_buttons(self, reader: Reader) -> None:
        page = reader.open("?corpora=notes")
        page.get_by_role("button", name="Copy the pipeline line of large/notes").click()
        page.wait_for_selector("#space-said.on")
        assert page.evaluate("navigator.clipboard.readText()") == (
            'pipeline("token-classification", "openmed/large-notes", aggregation_strategy="max", stride=64)'
        )
        page.get_by_role("button", name="Copy the command that rebuilds large/notes").click()
        command = "zoo build large/notes --set finetune.epochs=3"
        page.wait_for_function(f"navigator.clipboard.readText().then(text => text === '{command}')")

    def test_a_hostile_link_does_nothing(self, reader: Reader) -> None:
        page = reader.open(
            "?search=%3Cscript%3Ealert(1)%3C/script%3E%22onx=1&view=%3Cb%3E&model=%3Cimg%20src=x%3E&tab=zz"
        )
        page.wait_for_selector("#board .empty")
        assert page.locator("#board script, #board img").count() == 0


class TestOtherTabs:
    def test_plots_are_drawn_and_follow_the_corpus(self, reader: Reader) -> None:
        page = reader.open()
        reader.tab("Plots")
        page.wait_for_function("document.querySelectorAll('.js-plotly-plot .main-svg').length >= 5")
        reader.choose("#plot-corpus", "mixed")
        page.wait_for_function("document.querySelector('#plot-intervals').textContent.includes('large/mixed')")
        page.locator("#plot-reported input").click()
        reader.choose("#plot-corpus", "notes")
        page.wait_for_function("document.querySelector('#plot-intervals').textContent.includes('reported by others')")
        assert "#7a7f87" not in (page.locator("#plot-cost .xtick text").first.get_attribute("class") or "")

    def test_a_model_page_opens_from_the_board_and_from_a_link(self, reader: Reader) -> None:
        page = reader.open()
        page.get_by_role("button", name="odd/notes", exact=True).click()
        page.wait_for_selector("#model-page h2:has-text('odd/notes')")
        page.wait_for_selector("#model-curve .main-svg")
        assert "model=odd%2Fnotes" in page.url and "tab=model" in page.url
        assert "Mentions unseen in training" in page.locator("#model-page").inner_text()
        page.goto(page.url)
        page.wait_for_selector("#model-page h2:has-text('odd/notes')")

    def test_four_questions_and_one_model(self, reader: Reader) -> None:
        page = reader.open("?tab=choose")
        page.wait_for_selector("#choose-answer h2")
        reader.choose("#choose-type", "Disease")
        reader.choose("#choose-license", "MIT")
        page.wait_for_function("document.querySelector('#choose-answer h2').innerText === 'odd/notes'")
        assert "pipeline(" in page.locator("#choose-answer pre").first.inner_text()
        page.get_by_role("link", name="All about it").click()
        page.wait_for_function("document.querySelector('#model-page h2')?.innerText === 'odd/notes'")

    def test_a_submission_becomes_a_pull_request(self, reader: Reader) -> None:
        page = reader.open("?tab=submit")
        page.locator("#submit-run").click()
        page.wait_for_selector("#submit-out [role=alert]")
        page.locator("#submit-repo").locator("input, textarea").fill("someone/model")
        reader.choose("#submit-corpus", "notes")
        page.locator("#submit-labels textarea").fill("DIS=Disease")
        page.locator("#submit-run").click()
        page.wait_for_selector("#submit-out pre")
        assert "zoo evaluate someone/model notes --map DIS=Disease" in page.locator("#submit-out").inner_text()


class TestDemo:
    def test_two_adapters_lie_in_layers_and_download(self, reader: Reader) -> None:
        page = reader.open("?corpora=tiny-disease")
        reader.tab("Live demo")
        reader.tag(TEXT)  # both models are chosen already
        page.wait_for_selector("#demo-table table")
        rows = [line.split("\t") for line in page.locator("#demo-table tbody tr").all_inner_texts()]
        found = {(int(r[0]), int(r[1]), r[2], r[3]) for r in rows}
        assert {(14, 20, "Disease", "asthma"), (26, 33, "Chemical", "aspirin")} <= found
        assert all(TEXT[start:end] == text for start, end, _, text in found)
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Download JSON").click()
        data = json.loads(Path(waiting.value.path()).read_text())
        assert {(e["start"], e["end"], e["type"], e["text"]) for e in data["entities"]} == found
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Download BRAT").click()
        assert waiting.value.suggested_filename == "entities.ann"
        page.locator("#demo-compare input").click()
        page.wait_for_selector(".sides .side >> nth=1")
        assert page.locator(".sides mark.a-only").count() >= 2
        page.locator("#demo-threshold input[type=number]").fill("1")
        page.keyboard.press("Tab")
        page.wait_for_selector("#demo-table .empty")

    def test_an_uploaded_file_is_read_by_the_browser(self, reader: Reader, tmp_path: Path) -> None:
        page = reader.open("?tab=demo")
        (tmp_path / "note.txt").write_bytes("No diabetes was found .\r\nÄ 👩".encode())
        page.locator("#demo-file").set_input_files(tmp_path / "note.txt")
        page.wait_for_function("document.querySelector('#demo-file-note').textContent.includes('line ends')")
        assert page.locator("#demo-text textarea").input_value() == "No diabetes was found .\nÄ 👩"
        (tmp_path / "latin.txt").write_bytes("Müdigkeit".encode("latin-1"))
        page.locator("#demo-file").set_input_files(tmp_path / "latin.txt")
        page.wait_for_function("document.querySelector('#demo-file-note').textContent.includes('not UTF-8')")
        (tmp_path / "large.txt").write_text("x" * 500_000)
        page.locator("#demo-file").set_input_files(tmp_path / "large.txt")
        page.wait_for_function("document.querySelector('#demo-file-note').textContent.includes('too large')")

    @pytest.mark.parametrize(
        "text",
        ["<script>alert(1)</script><img src=x onerror=alert(2)> asthma", "مريض لديه asthma ‮gout‬ abc", "👩‍⚕️🫁 asthma 🇩🇪",
         "${alert(1)} {{value}} `asthma`", "\u0000\u0007 asthma"],
    )  # fmt: skip
    def test_hostile_text_is_shown_as_text(self, text: str, reader: Reader) -> None:
        page = reader.open("?tab=demo&corpora=tiny-disease")
        reader.tag(text)
        page.wait_for_selector("#demo-marked .text")
        assert reader.marked_text() == text.replace("\u0000", "\ufffd")
        assert page.locator("#demo-marked script, #demo-marked img").count() == 0

    def test_too_long_and_empty_texts_are_told_so(self, reader: Reader) -> None:
        page = reader.open("?tab=demo")
        reader.tag("")
        page.wait_for_selector("#demo-status [role=alert]:has-text('There is no text yet')")
        reader.tag("asthma " * 14_300)
        page.wait_for_selector("#demo-status [role=alert]:has-text('the demo takes 100,000')")

    def test_100_000_characters_can_be_stopped(self, reader: Reader) -> None:
        page = reader.open("?tab=demo")
        reader.tag(("Patients with asthma took aspirin daily . " * 2500)[:100_000], wait=False)
        page.wait_for_selector("#demo-status :text-matches('window [0-9]+ of [0-9]+')")
        page.locator("#demo-stop").click()
        page.wait_for_selector("#demo-status :text('Stopped')")


class TestNested:
    """A model of two heads on one LoRA, as a build and a board of it make it."""

    TEXT = "Chronic kidney disease worsened on ibuprofen ."
    FOUND = frozenset({
        (0, 22, "Disease", "Chronic kidney disease"),
        (8, 14, "Anatomy", "kidney"),
        (35, 44, "Chemical", "ibuprofen"),
    })  # fmt: skip

    @pytest.fixture
    def server(self, nested_server: Any) -> Any:
        return nested_server

    def test_outer_and_inner_mentions_are_marked_once_and_download(self, reader: Reader) -> None:
        page = reader.open()
        reader.tag(self.TEXT)
        page.wait_for_selector("#demo-table table")
        assert reader.marked_text() == self.TEXT
        labels = page.locator("#demo-marked button.lab")
        assert labels.all_inner_texts() == ["Anatomy", "Disease", "Chemical"], "the inner one ends first"
        numbers = [label.get_attribute("data-n") for label in labels.all()]
        marks = page.locator("#demo-marked mark")
        words = {n: "".join(m.inner_text() for m in marks.all() if n in (m.get_attribute("data-e") or "").split())
                 for n in numbers if n}  # fmt: skip
        assert list(words.values()) == ["kidney", "Chronic kidney disease", "ibuprofen"]
        lines = page.evaluate(
            """() => [...document.querySelectorAll('#demo-marked mark')].map(mark => [mark.textContent,
                     getComputedStyle(mark).backgroundImage.split('linear-gradient').length - 1])"""
        )
        assert lines == [["Chronic ", 1], ["kidney", 2], [" disease", 1], ["ibuprofen", 1]]

        rows = [line.split("\t") for line in page.locator("#demo-table tbody tr").all_inner_texts()]
        assert [(int(r[0]), int(r[1]), r[2], r[3]) for r in rows] == sorted(self.FOUND)
        entities = json.loads(reader.download("Download JSON"))["entities"]
        assert {(e["start"], e["end"], e["type"], e["text"]) for e in entities} == self.FOUND
        brat = [line.split("\t")[1:] for line in reader.download("Download BRAT").splitlines() if line[0] == "T"]
        assert sorted(brat) == sorted([f"{kind} {start} {end}", text] for start, end, kind, text in self.FOUND)

    def test_one_row_and_a_page_that_says_its_heads(self, reader: Reader) -> None:
        page = reader.open()
        assert reader.names() == ["tiny-bert/tiny-nested"]
        page.get_by_role("button", name="tiny-bert/tiny-nested", exact=True).click()
        page.wait_for_selector("#model-page h3:has-text('Nested and discontinuous mentions')")
        assert "2 on one LoRA" in page.locator("#model-page").inner_text()
        scores = page.get_by_role("region", name="Scores: mentions").locator("tbody tr").all_inner_texts()
        named = {cells[0]: cells[-1] for cells in (line.split("\t") for line in scores)}
        assert named == {"Outside others": "54", "Inside another": "6"}

    def test_the_nested_example_is_offered(self, reader: Reader) -> None:
        from examples import NESTED

        page = reader.open("?tab=demo")
        page.get_by_role("button", name="Nested names").click()
        page.wait_for_function("document.querySelector('#demo-text textarea').value.includes('IL-2')")
        page.locator("#demo-run").click()
        page.wait_for_selector(f"#demo-status :text('in {len(NESTED['Nested names'])} characters')")
        page.wait_for_function("document.querySelector('#demo-marked .text')?.textContent.includes('IL')")
        assert reader.marked_text() == NESTED["Nested names"]

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_axe_and_a_narrow_page(self, scheme: str, server: Any, chromium: Any) -> None:
        axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
        reader = Reader(chromium, server.url, width=360, color_scheme=scheme)
        page = reader.open("?tab=demo")
        page.locator("#demo-text textarea").fill(self.TEXT)
        page.locator("#demo-run").click()
        page.wait_for_selector("#demo-table table")
        page.wait_for_timeout(400)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        found = axe.run(page).response["violations"]
        reader.context.close()
        assert [(v["id"], v["help"]) for v in found if v["impact"] in ("serious", "critical")] == []
        assert reader.errors == [] and reader.outside == []


class TestLanguages:
    """Models of English, Spanish, Chinese and Arabic."""

    @pytest.fixture
    def server(self, languages_server: Any) -> Any:
        return languages_server

    def test_examples_of_the_models_languages_each_in_its_direction(self, reader: Reader) -> None:
        from examples import OF_LANGUAGES

        page = reader.open("?tab=demo")
        page.wait_for_selector("#demo-run")
        offered = {name: text for more in OF_LANGUAGES.values() for name, text in more.items()}
        shown = page.locator(".examples button").all_inner_texts()
        assert [name for name in offered if name in shown] == ["Caso clínico", "病历", "تقرير طبي"]
        directions = []
        for name in ("Caso clínico", "病历", "تقرير طبي"):
            page.get_by_role("button", name=name).click()
            page.wait_for_function(
                "text => document.querySelector('#demo-text textarea').value === text", arg=offered[name]
            )
            page.locator("#demo-run").click()
            page.wait_for_selector(f"#demo-status :text('in {len(offered[name])} characters')")
            page.wait_for_function(
                "length => document.querySelector('#demo-marked .text')?.textContent.length >= length",
                arg=len(offered[name]),
            )
            assert reader.marked_text() == offered[name]
            directions.append(page.evaluate("getComputedStyle(document.querySelector('#demo-marked .text')).direction"))
        assert directions == ["ltr", "ltr", "rtl"]
        style = "getComputedStyle(document.querySelector('#demo-text textarea')).unicodeBidi"
        assert page.evaluate(style) == "plaintext"


class TestConcepts:
    """Tiny-disease has a linker, tiny-chemical has none."""

    CARD = "#demo-marked .concept.on"

    def test_hover_and_focus_show_the_concept_of_an_entity(self, reader: Reader) -> None:
        page = reader.open("?tab=demo")
        reader.tag(TEXT)
        page.wait_for_selector("#demo-table table")
        asthma = page.locator("#demo-marked button.lab").first
        page.locator("#demo-marked button.lab:not([data-card])", has_text="Chemical").first.wait_for()
        assert page.locator("#demo-marked [data-card]", has_text="Chemical").count() == 0
        asthma.hover()
        card = page.locator(self.CARD)
        card.wait_for()
        assert "Asthma" in card.inner_text() and "Wheezing, <b>reversibly</b> so." in card.inner_text()
        assert card.locator("ol li").count() >= 1 and card.locator("b").count() == 0
        link = card.get_by_role("link", name="MESH:D001249").first
        assert link.get_attribute("href") == "https://meshb.nlm.nih.gov/record/ui?ui=D001249"
        assert asthma.get_attribute("aria-expanded") == "true"
        link.hover()  # the pointer may go from the label to the card
        page.wait_for_timeout(600)
        assert card.count() == 1
        page.locator("h1").hover()
        card.wait_for(state="detached")
        page.locator("#demo-marked mark", has_text="asthma").hover()
        card.wait_for()
        page.keyboard.press("Escape")
        card.wait_for(state="detached")

    def test_the_keyboard_goes_from_the_label_to_the_page_of_the_concept(self, reader: Reader) -> None:
        page = reader.open("?tab=demo")
        reader.tag(TEXT)
        page.wait_for_selector("#demo-table table")
        page.locator("#demo-marked button.lab").first.focus()
        page.wait_for_selector(self.CARD)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "MESH:D001249"
        page.keyboard.press("Escape")
        page.wait_for_selector(self.CARD, state="detached")
        assert page.evaluate("document.activeElement.matches('button.lab')")

    def test_table_and_files_have_the_concepts(self, reader: Reader) -> None:
        page = reader.open("?tab=demo")
        reader.tag(TEXT)
        row = page.locator("#demo-table tbody tr", has_text="asthma").first
        assert "Asthma MESH:D001249" in row.inner_text()
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Download JSON").click()
        entities = json.loads(Path(waiting.value.path()).read_text())["entities"]
        linked = {e["text"]: e.get("concept_ids") for e in entities}
        assert linked["asthma"] == ["MESH:D001249"] and linked["aspirin"] is None

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_axe_and_a_narrow_page(self, scheme: str, server: Any, chromium: Any) -> None:
        axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
        reader = Reader(chromium, server.url, width=390, color_scheme=scheme, has_touch=True)
        page = reader.open("?tab=demo")
        page.locator("#demo-text textarea").fill(TEXT)
        reader.choose("#demo-models", "tiny-disease")
        page.locator("#demo-run").click()
        page.wait_for_selector("#demo-table table")
        page.locator("#demo-marked button.lab").last.tap()
        card = page.locator(self.CARD)
        card.wait_for()
        box = card.bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= 390
        page.wait_for_timeout(400)
        found = [violation for place in ("#demo-marked", "#demo-table") for violation in
                 axe.run(page, context=place).response["violations"]]  # fmt: skip
        assert [(v["id"], [n["html"][:160] for n in v["nodes"][:3]]) for v in found if v["impact"] != "minor"] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.locator("h1").tap()
        card.wait_for(state="detached")
        reader.context.close()
        assert reader.errors == []


class TestEverywhere:
    @pytest.mark.parametrize("tab", ["board", "model", "demo"])
    def test_the_screenshots_show_the_page_as_it_is(self, tab: str, reader: Reader) -> None:
        """`python docs/screenshots.py` takes them again; compared are names of tabs and controls, not pixels."""
        import screenshots

        taken = json.loads((screenshots.IMAGES / "structure.json").read_text(encoding="utf-8"))[tab]
        page = reader.open(f"?tab={tab}")
        screenshots.VIEWS[tab](page)
        assert screenshots.structure(page) == taken
        for scheme in screenshots.SCHEMES:
            header = (screenshots.IMAGES / f"{tab}-{scheme}.png").read_bytes()[:24]
            assert struct.unpack(">II", header[16:24]) == tuple(screenshots.SIZE.values())

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("tab", ["board", "choose", "plots", "model", "demo", "submit", "about"])
    def test_axe_finds_nothing_serious(self, tab: str, scheme: str, server: Any, chromium: Any) -> None:
        axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
        reader = Reader(chromium, server.url, color_scheme=scheme)
        page = reader.open(f"?tab={tab}&reported=1")
        if tab == "demo":
            reader.tag(TEXT)
            page.wait_for_selector("#demo-marked .text")
        if tab == "model":
            page.wait_for_selector("#model-carbon .main-svg")
        if tab == "plots":
            page.wait_for_function("document.querySelectorAll('.js-plotly-plot .main-svg').length >= 5")
        page.wait_for_timeout(400)
        found = axe.run(page).response["violations"]
        serious = [
            (item["id"], item["help"], [node["html"][:160] for node in item["nodes"][:3]])
            for item in found
            if item["impact"] in ("serious", "critical")
        ]
        reader.context.close()
        assert serious == []

    @pytest.mark.parametrize("tab", ["board", "choose", "plots", "model", "demo", "submit", "about"])
    def test_390_pixels_are_enough(self, tab: str, server: Any, chromium: Any) -> None:
        reader = Reader(chromium, server.url, width=390)
        page = reader.open(f"?tab={tab}")
        page.wait_for_timeout(400)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        reader.context.close()
        assert reader.errors == [] and reader.outside == []

    def test_the_keyboard_reaches_the_table_and_opens_a_model(self, reader: Reader) -> None:
        page = reader.open()
        button = page.locator(f"{ROW} [data-model]").first
        button.focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("#model-page h2:has-text('large/mixed')")


def test_negated_words_are_struck_through_and_details_hidden(reader: Reader) -> None:
    page = reader.open("?tab=demo")
    reader.tag("No diabetes was found . Metformin and aspirin were stopped . Dr. Roe")
    page.wait_for_selector("#demo-table table")
    line = "element => getComputedStyle(element).textDecorationLine"
    assert "line-through" in page.locator("#demo-marked mark", has_text="diabetes").first.evaluate(line)
    assert "line-through" not in page.locator("#demo-marked mark", has_text="aspirin").first.evaluate(line)
    label = page.locator("#demo-marked button.lab", has_text="negated").first
    assert "“No”" in (label.get_attribute("aria-label") or "")
    assert "negated" in page.locator("#demo-marked .legend").inner_text()
    assert "no de-identification" in page.locator("#demo-hide").inner_text()
    page.locator("#demo-hide input").click()
    page.wait_for_selector("#demo-marked .text:has-text('███')")
    assert "Roe" not in page.locator("#demo-marked").inner_text()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download JSON").click()
    data = json.loads(Path(waiting.value.path()).read_text(encoding="utf-8"))
    assert "Dr. ███" in data["text"] and any(e["assertion"]["negation"] == "negated" for e in data["entities"])
    page.locator("#demo-language input").click()
    page.get_by_role("option", name="Off").click()
    page.wait_for_selector("#demo-marked:not(:has(mark.negated)) .text")
