"""Screenshots for README and documentation, light and dark, from the running Space.

    python docs/screenshots.py FOLDER [--board FILE]

The folder has `board.json`, and `checkpoints/` and `bases/` for the demo (an output folder of `zoo build` and
`zoo board`). With `--board FILE` the board and the model page are those of another file, such as that of
`leaderboard/`. Needs Chromium (`ZOO_CHROMIUM` says where). Writes
`docs/images/{board,model,demo}-{light,dark}.png`, and `structure.json`: the names of tabs and controls that they show,
by which a test sees that they are not out of date.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from playwright.sync_api import sync_playwright
from space import Server

IMAGES = ROOT / "docs" / "images"
SCHEMES = ("light", "dark")
SIZE = {"width": 1280, "height": 800}


def board(page: Any) -> None:
    """The table is there."""
    page.wait_for_selector("#board tbody tr.model")


def model(page: Any) -> None:
    """The page of the first model, with its plots."""
    page.wait_for_selector("#model-page h2")
    page.wait_for_selector("#model-carbon .main-svg")


def demo(page: Any) -> None:
    """An example tagged by all types at once."""
    page.wait_for_selector("#demo-marked .text")
    page.locator("#demo-status").scroll_into_view_if_needed()


VIEWS: dict[str, Callable[[Any], None]] = {"board": board, "model": model, "demo": demo}
"""Tab -> what must be there before it is taken."""


def structure(page: Any) -> dict[str, list[str]]:
    """Names of the tabs of a page that is open, and of the controls that are to be seen."""
    named = "elements => elements.filter(e => e.checkVisibility()).map(e => e.innerText.trim()).filter(Boolean)"
    labels = page.locator("[data-testid=block-info], label > span").evaluate_all(named)
    return {
        "tabs": page.locator("#tabs > .tab-wrapper [role=tab]").evaluate_all(named),
        "controls": sorted({label.partition("\n")[0] for label in labels}),
    }


def main() -> None:
    """Start the Space, open each tab, take it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--board", type=Path, help="a board.json for the tabs board and model")
    parser.add_argument("--to", type=Path, default=IMAGES)
    arguments = parser.parse_args()
    arguments.to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folders = [(arguments.folder, tuple(VIEWS))]
        if arguments.board:
            shutil.copy(arguments.board, Path(scratch) / "board.json")
            folders = [(Path(scratch), ("board", "model")), (arguments.folder, ("demo",))]
        for folder, tabs in folders:
            with Server(folder) as server, sync_playwright() as play:
                take(play, server.url, tabs, arguments.to)


def take(play: Any, url: str, tabs: tuple[str, ...], to: Path) -> None:
    """Take some tabs of a running Space."""
    executable = os.environ.get("ZOO_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    browser = play.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
    file = to / "structure.json"
    seen = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    for scheme in SCHEMES:
        for tab in tabs:
            page = browser.new_page(viewport=SIZE, color_scheme=scheme)
            page.set_default_timeout(120_000)
            page.goto(f"{url}?tab={tab}")
            VIEWS[tab](page)
            page.wait_for_timeout(800)  # fonts and transitions come to rest
            page.screenshot(path=to / f"{tab}-{scheme}.png")
            seen[tab] = structure(page)
            page.close()
    browser.close()
    file.write_text(json.dumps(seen, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
