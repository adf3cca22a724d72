"""What a stranger gets of the Space: pushed to a Hub on loopback, cloned, installed from its `requirements.txt` alone.

    python benchmarks/space_clone.py [--out builds] [--registry DIR] [--browser /usr/bin/chromium]

pushes what is built in `--out` (models and Space; built with a country set), downloads the Space with the real client
into an empty folder, makes a new virtual environment, installs `requirements.txt`, starts `python app.py`, and then
asks from that environment for the page and for the entities of a text, with a model that the Space downloads from the
Hub. With a Chromium, the page is opened too, and must show every model of the board without an error. Writes
`benchmarks/results/space_clone.json`; exit code 1: something was wrong. Takes some minutes, most of them for pip.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from space import Server

from tests.loopback_hub import WRITER, LoopbackHub, loopback_hub

RESULTS = Path(__file__).parent / "results"
REPO = "openmed/leaderboard"
TEXT = "She was treated with metformin for type 2 diabetes and chronic kidney disease."
CLONE = "import sys, huggingface_hub as h; h.snapshot_download(sys.argv[1], repo_type='space', local_dir=sys.argv[2])"
ASK = """
import json, sys
from gradio_client import Client

url, text, *models = sys.argv[1:]
status, marked, table = Client(url, verbose=False).predict(text, models, 0, False, api_name="/tag")
print(json.dumps({"status": status, "rows": max(0, table.count("<tr>") - 1)}))
"""
VERSIONS = """
import json, sys
from importlib.metadata import distributions, version

names = ("gradio", "huggingface_hub", "peft", "plotly", "torch", "transformers")
found = {"python": sys.version.split()[0], **{name: version(name) for name in names}}
own = sorted(d.name for d in distributions() if d.name.startswith("biomedical-ner"))
print(json.dumps({"versions": found, "packages": len(list(distributions())), "zoo": own}))
"""


def main() -> None:
    """Push, clone, install, start, ask, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("builds"))
    parser.add_argument("--registry", type=Path)
    parser.add_argument("--browser", default=shutil.which("chromium") or shutil.which("google-chrome"))
    arguments = parser.parse_args()
    out = arguments.out.absolute()
    with tempfile.TemporaryDirectory() as folder, loopback_hub() as hub:
        report = _try(hub, out, Path(folder), arguments.registry, arguments.browser)
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(report, indent=1) + "\n"
    (RESULTS / "space_clone.json").write_text(text)
    sys.stdout.write(text)
    sys.exit(1 if report["problems"] else 0)


def _try(hub: LoopbackHub, out: Path, folder: Path, registry: Path | None, browser: str | None) -> dict[str, Any]:
    online = {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(folder / "pusher")}
    more = ["--registry", str(registry.absolute())] if registry else []
    zoo, writer = [sys.executable, "-m", "zoo"], {**online, "HF_TOKEN": WRITER, "ZOO_COUNTRY": "DEU"}
    _run([*zoo, "push", "--all", "--out", str(out), "--no-verify", *more], writer)
    _run([*zoo, "space", "push", "--out", str(out), "--repo", REPO], writer)
    copy, home = folder / "clone", {**online, "HF_HOME": str(folder / "stranger")}
    _run([sys.executable, "-c", CLONE, REPO, str(copy)], home)
    start = time.monotonic()
    venv.create(folder / "venv", with_pip=True)
    python = str(folder / "venv" / "bin" / "python")
    _run([python, "-m", "pip", "install", "--quiet", "-r", str(copy / "requirements.txt")], {})
    installed = time.monotonic() - start
    made = json.loads(_run([python, "-c", VERSIONS], {}))
    models = [row["checkpoint_id"] for row in json.loads((copy / "board.json").read_text())["rows"]]
    problems = [f"the new environment has {name}" for name in made["zoo"]]
    environment = {**home, "HF_HUB_OFFLINE": "0", "SPACE_DATA": "", "PYTHONPATH": ""}
    with Server(copy, app=copy, python=python, **environment) as server:
        started = server.seconds
        answer = json.loads(_run([python, "-c", ASK, server.url, TEXT, *models[:6]], {}).splitlines()[-1])
        if answer["rows"] < 1:
            problems.append(f"the demo found nothing: {answer['status']}")
        seen = _look(server.url, browser) if browser else None
    if seen is not None:
        problems += [*seen["errors"], *(f"a request to {address}" for address in seen["outside"])]
        problems += [f"the page does not show {name}" for name in set(models) - set(seen["models"])]
    return {
        "command": "python benchmarks/space_clone.py",
        "files": sorted(path.name for path in copy.iterdir() if path.is_file()),
        "versions": made["versions"],
        "packages": made["packages"],
        "install_seconds": round(installed),
        "start_seconds": round(started, 1),
        "models": models,
        "entities": answer["rows"],
        "downloaded": sorted({request.split("/resolve/")[0] for request in hub.asked("^GET .*/resolve/.*safetensors")}),
        "seen_in_browser": sorted(seen["models"]) if seen else None,
        "problems": problems,
    }


def _look(url: str, browser: str) -> dict[str, Any]:
    """What a browser shows, asks for and complains of."""
    from playwright.sync_api import sync_playwright

    errors: list[str] = []
    outside: list[str] = []
    with sync_playwright() as play:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        chromium = play.chromium.launch(executable_path=browser, args=arguments)
        page = chromium.new_page()
        page.set_default_timeout(120_000)
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith((url, "data:", "blob:")) else outside.append(r.url))
        page.goto(url)
        page.wait_for_selector("#board tbody tr.model")
        names = page.locator("#board tbody tr.model .c-name button").all_inner_texts()
        chromium.close()
    return {"models": names, "errors": errors, "outside": outside}


def _run(command: Sequence[str], env: Mapping[str, str]) -> str:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "ZOO_", "TRANSFORMERS_", "PYTHONPATH"))}
    done = subprocess.run(command, env={**clean, **env}, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command[:6])} ...: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
