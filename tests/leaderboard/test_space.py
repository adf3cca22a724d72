"""`zoo space push`: one commit with the data, none for the same again, and a copy that starts by itself."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.leaderboard.boards import save
from tests.loopback_hub import READER, WRITER, LoopbackHub, loopback_hub
from zoo.board.space import shared_modules

REPO = "openmed/leaderboard"
IMPORTED = {"yaml": "pyyaml", "stdnum": "python-stdnum", "sklearn": "scikit-learn", "typing_extensions": "pydantic"}
"""Names of imports that differ from those of their packages."""


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with loopback_hub() as running:
        yield running


def push(hub: LoopbackHub, out: Path, *more: str, token: str = WRITER) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("ZOO_", "HF_"))}
    environment = {"HF_ENDPOINT": hub.url, "HF_TOKEN": token, "HF_HOME": str(out / "hf"), "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-c", "from zoo.cli import main; main()", "space", "push", "--out", str(out), *more]
    return subprocess.run(command, env=clean | environment, cwd=out, capture_output=True, text=True, timeout=300)


def clone(hub: LoopbackHub, folder: Path) -> Path:
    """All files of the Space."""
    folder.mkdir()
    with urllib.request.urlopen(f"{hub.url}/api/spaces/{REPO}/tree/main?recursive=true", timeout=20) as answer:
        names = [entry["path"] for entry in json.load(answer) if entry["type"] == "file"]
    for name in names:
        address = f"{hub.url}/spaces/{REPO}/resolve/main/{name}"
        with urllib.request.urlopen(address, timeout=20) as answer:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(answer.read())
    return folder


def test_one_commit_with_app_and_data_and_none_for_the_same_again(hub: LoopbackHub, tmp_path: Path) -> None:
    out = save(tmp_path)
    done = push(hub, out, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"repo_id": REPO, "url": f"{hub.url}/spaces/{REPO}", "changed": True}
    assert sum("/commit/" in request for request in hub.requests) == 1
    copy = clone(hub, tmp_path / "clone")
    assert (copy / "board.json").read_bytes() == (out / "board.json").read_bytes()
    assert {"app.py", "style.css", "behaviour.js", "README.md", "requirements.txt", "published.yaml"} <= {
        path.name for path in copy.iterdir()
    }
    again = push(hub, out)
    assert again.returncode == 0 and again.stdout.startswith("unchanged")
    assert sum("/commit/" in request for request in hub.requests) == 1
    for request in hub.requests:
        assert "/api/models/" not in request


def test_what_was_pushed_starts_by_itself(hub: LoopbackHub, tmp_path: Path) -> None:
    from space import Server

    pytest.importorskip("gradio", reason="the Space needs gradio")
    assert push(hub, save(tmp_path)).returncode == 0
    copy = clone(hub, tmp_path / "clone")
    with Server(copy, app=copy, PYTHONPATH="", SPACE_DATA="") as server, urllib.request.urlopen(server.url) as answer:
        assert "large/mixed" in answer.read().decode()
    code = "import sys; sys.path.insert(0, '.'); import zoo, zoo.tagging.pool as p; print(zoo.__file__, p.Pool().get)"
    command = [sys.executable, "-I", "-c", code]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith(str(copy)), done.stderr


def test_the_modules_of_zoo_in_the_space_are_few_and_need_what_it_installs() -> None:
    files = shared_modules()
    rules = {name for name in files if not name.endswith(".py")}
    assert "zoo/context/languages/en/own.json" in rules and "zoo/context/languages/README.md" in rules
    modules = {name: source for name, source in files.items() if name not in rules}
    assert {"zoo/tagging/pool.py", "zoo/tagging/outputs/brat.py", "zoo/__init__.py"} <= modules.keys()
    assert not [name for name in modules if name.startswith(("zoo/kernels", "zoo/registry", "zoo/evaluation"))]
    assert len(modules) <= 53 and sum(source.count(b"\n") for source in modules.values()) <= 5600
    lines = (ROOT / "leaderboard" / "requirements.txt").read_text()
    named = re.findall(r"^[\w-]+", lines, re.M)
    allowed = {
        *sys.stdlib_module_names,
        "zoo",
        *named,
        *(name for name, package in IMPORTED.items() if package in named),
    }
    for name, source in modules.items():
        for node in ast.walk(ast.parse(source)):
            tops = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            tops += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {top.partition(".")[0] for top in tops} <= allowed, name


def test_the_space_imports_only_what_its_requirements_name() -> None:
    folder = ROOT / "leaderboard"
    own = {path.stem for path in folder.glob("*.py")} | {"zoo"}
    lines = (folder / "requirements.txt").read_text().splitlines()
    named = {line.split(">")[0].split("=")[0].strip().replace("_", "-").lower() for line in lines}
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for module in modules:
                top = module.split(".")[0]
                if top not in own and top not in sys.stdlib_module_names:
                    assert IMPORTED.get(top, top).replace("_", "-") in named, f"{path.name} imports {top}"


def test_a_reader_token_and_a_missing_board_are_one_message(hub: LoopbackHub, tmp_path: Path) -> None:
    done = push(hub, save(tmp_path), token=READER)
    assert done.returncode == 3 and done.stderr.startswith("error: ") and "Traceback" not in done.stderr
    assert f"spaces/{REPO}" not in hub.repos
    (tmp_path / "board.json").unlink()
    done = push(hub, tmp_path)
    assert done.returncode == 2 and "nothing was built here yet" in done.stderr
    assert push(hub, save(tmp_path), "--repo", "nonsense").returncode == 2


def test_the_board_is_written_again_after_a_build(hub: LoopbackHub, built: Path, tmp_path: Path) -> None:
    out = shutil.copytree(built, tmp_path / "out", ignore=shutil.ignore_patterns("artefacts"))
    (out / "board.json").unlink()
    assert push(hub, out).returncode == 0
    assert len(json.loads((out / "board.json").read_text())["details"]) == 2
