"""Corrections in the demo of a page that its owner runs, and what becomes of them: files, a corpus, an adapter."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, TINY_SENTENCES
from tests.in_process import Zoo
from tests.leaderboard.test_browser import TEXT, Reader
from zoo.board.space import run_command, space_files
from zoo.corpora.readers.brat import read_brat
from zoo.modeling.windows import Entity
from zoo.registry.loader import load_registry

pytest.importorskip("gradio", reason="the demo needs gradio")


@pytest.fixture
def corrections(tmp_path: Path) -> Path:
    return tmp_path / "corrections"


@pytest.fixture
def reader(built: Path, corrections: Path, chromium: Any) -> Iterator[Reader]:
    """The page that `zoo space --corrections` serves."""
    from space import Server

    environment = run_command(built, 1, built, corrections)[1]
    with Server(built, OMP_NUM_THREADS="1", SPACE_CORRECTIONS=environment["SPACE_CORRECTIONS"]) as server:
        made = Reader(chromium, server.url)
        yield made
        made.context.close()
    assert made.outside == [] and made.errors == []


def seen(page: Any) -> list[str]:
    """The entities of the panel, as their labels are read aloud."""
    names = page.locator("#fix-text button.lab").evaluate_all("all => all.map(one => one.ariaLabel)")
    return [re.sub(r"^\d (.*) · score .*", r"\1", name) for name in names]


def select(page: Any, words: str) -> None:
    """Select words of the panel's text as a mouse does it, from the first letter to the last."""
    page.evaluate(
        """words => {
            const texts = document.createTreeWalker(document.querySelector('#fix-text .text'), NodeFilter.SHOW_TEXT,
                node => node.parentElement.closest('.lab, .concept') ? 2 : 1);
            const places = [];
            while (texts.nextNode())
                for (let i = 0; i < texts.currentNode.length; i++) places.push([texts.currentNode, i]);
            const at = places.map(([node, i]) => node.data[i]).join('').indexOf(words);
            const [first, last] = [places[at], places[at + words.length - 1]];
            getSelection().setBaseAndExtent(first[0], first[1], last[0], last[1] + 1);
        }""",
        words,
    )
    page.wait_for_function(
        "words => document.querySelector('#fix-picked').textContent.includes('Words: ' + words)", arg=words
    )


def press(page: Any, button: str, expected: list[str], said: str = "Not saved yet") -> None:
    """Press a button, and wait for the entities and the status that it is to lead to."""
    page.locator(f"#fix-{button}").click()
    page.wait_for_function(
        """([names, said]) => document.querySelector('#fix-status').textContent.includes(said) && JSON.stringify(names)
            === JSON.stringify([...document.querySelectorAll('#fix-text button.lab')]
                .map(one => one.ariaLabel.replace(/^\\d (.*) · score .*/, '$1')))""",
        arg=[expected, said],
    )


def test_reject_add_resize_accept_save_and_open_again(reader: Reader, corrections: Path) -> None:
    page = reader.open()
    text = f"{TEXT} 👩\nAsthma"  # two UTF-16 units: offsets are in characters
    reader.tag(text, "tiny-disease")
    page.wait_for_selector("#fix-text .text")
    assert str(corrections) in page.locator(".privacy").inner_text()
    assert {"Disease: asthma", "Chemical: aspirin"} <= set(seen(page))
    while wrong := [name for name in seen(page) if not name.endswith(("asthma", "aspirin"))]:
        page.locator(f"#fix-text button.lab[aria-label*='{wrong[0]} ·']").first.click()
        press(page, "reject", [name for name in seen(page) if name != wrong[0]])

    page.locator("#fix-add").click()
    page.wait_for_selector("#fix-status [role=alert]:has-text('Select words')")
    page.locator("#fix-text button.lab[aria-label*='asthma']").focus()
    page.keyboard.press("a")
    page.wait_for_selector("#fix-text button.lab[aria-label='2 Disease: asthma · score 1.000 · yours']")
    page.locator("#fix-text button.lab[aria-label*='aspirin']").click()
    press(page, "reject", ["Disease: asthma"])
    page.locator("#fix-text button.lab[aria-label*='asthma']").click()
    select(page, " with asthma ")
    press(page, "resize", ["Disease: with asthma"])
    select(page, "ibuprofen")
    page.locator("#fix-type input").fill("Drug")
    page.keyboard.press("Enter")
    press(page, "add", ["Disease: with asthma", "Drug: ibuprofen"])
    select(page, "Asthma")
    press(page, "add", ["Disease: with asthma", "Drug: ibuprofen", "Drug: Asthma"])
    press(page, "undo", ["Disease: with asthma", "Drug: ibuprofen"])
    select(page, "Asthma")
    press(page, "add", ["Disease: with asthma", "Drug: ibuprofen", "Drug: Asthma"])
    page.locator("#fix-text button.lab[aria-label*='Drug: Asthma']").click()
    page.locator("#fix-type input").fill("Disease")
    page.keyboard.press("Enter")
    right = ["Disease: with asthma", "Drug: ibuprofen", "Disease: Asthma"]
    press(page, "retype", right)
    assert not corrections.exists(), "nothing is written before it is saved"
    press(page, "save", right, "Saved 3 entities")

    (document,) = read_brat(corrections)
    assert document.text == text
    assert [f"{span.type}: {text[span.start : span.end]}" for span in document.spans] == right
    assert document.spans[-1].start == len(text) - len("Asthma")
    assert {path.suffix for path in corrections.iterdir()} == {".txt", ".ann"}

    again = reader.open()
    reader.tag(text, "tiny-disease")
    again.wait_for_selector("#fix-status :text('Your corrections of this text')")
    assert seen(again) == right


@pytest.mark.parametrize(("scheme", "width"), [("light", 1300), ("dark", 390)])
def test_axe_and_a_narrow_page(reader: Reader, scheme: Any, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = reader.open("?tab=demo")
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    reader.tag(TEXT, "tiny-disease")
    page.wait_for_selector("#fix-text .picked")
    page.wait_for_timeout(400)
    found = axe.run(page, context="#fix").response["violations"]
    assert [(v["id"], v["help"]) for v in found if v["impact"] != "minor"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def write_corrections(folder: Path, count: int) -> None:
    """Documents of two sentences each, saved as the page does it."""
    from corrections import Draft, Folder

    pairs = [(a, b) for a in TINY_SENTENCES for b in TINY_SENTENCES if a is not b]
    for (first, found), (second, more) in pairs[:count]:
        moved = [(start + len(first) + 1, end + len(first) + 1, kind) for start, end, kind in more]
        entities = tuple(Entity(*span, 1.0) for span in [*found, *moved])
        Folder(folder).save(Draft(f"{first}\n{second}", (), entities))


def test_what_the_page_of_the_documentation_says(zoo: Zoo, built: Path, tmp_path: Path) -> None:
    write_corrections(tmp_path / "corrections", 14)
    shutil.copytree(built.parent / "registry", tmp_path / "registry")
    (tmp_path / "builds").symlink_to(built)
    (tmp_path / "notes").mkdir()
    for number, (text, _) in enumerate(TINY_SENTENCES):
        (tmp_path / "notes" / f"{number}.txt").write_text(text)
    page = (ROOT / "docs" / "corrections.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    commands = [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.startswith("zoo ")]
    assert [command.split()[1] for command in commands] == ["space", "suggest", "corpora", "build"]
    out = tmp_path / "own"
    for command in commands[1:]:
        words = command.replace("minilm-l6", "tiny-bert").replace("sample-disease", "tiny-disease").split()[1:]
        done = zoo(*words, *(["--out", out] if words[0] == "build" else []))
    assert (out / "checkpoints" / "tiny-bert" / "my-notes" / "adapter" / "adapter_model.safetensors").is_file(), done
    (entry,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "registry" / "corpora" / "abstracts-and-my-notes.yaml").write_text(entry)
    joined = load_registry(tmp_path / "registry").corpus("abstracts-and-my-notes")
    assert [member.id for member in joined.members] == ["bc5cdr-abstracts", "my-notes"]
    rows = (tmp_path / "next" / "suggestions.tsv").read_text().splitlines()
    assert len(rows) > 2 and len(list(read_brat(tmp_path / "next"))) == len(rows) - 1


def test_a_space_on_the_hub_keeps_nothing(built: Path, tmp_path: Path) -> None:
    assert not [name for name in space_files(built) if "corrections" in name]
    command, environment = run_command(built, 1, built, tmp_path)
    done = subprocess.run(command, env={**environment, "SPACE_ID": "a/b"}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "keeps no texts" in done.stderr
