"""Every code block of README and docs/ is run, in a folder such as `make quickstart` leaves, with a tiny backbone.

Commands run as they stand, but for blocks that begin with a comment of `ONLY_READ` (they need a network, take long or
do not end): the command line reads these without carrying them out, so that no option is misspelt.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml

from tests.conftest import ROOT, shared_folder
from tests.in_process import Zoo
from tests.tiny import save_tiny_backbone
from zoo.cli import app
from zoo.registry.loader import load_registry

ONLY_READ = ("# with a ", "# it takes minutes", "# it opens in", "# it runs until")
ELSEWHERE = {
    "browser.md": "tests/export/test_web.py",
    "corrections.md": "tests/leaderboard/test_corrections.py",
    "scale-out.md": "tests/scale/test_page.py",
    "serving.md": "tests/service/test_service.py",
}
"""Pages whose blocks another test runs."""
NOT_OURS = {"make", "pip", ".", "docker", "cp", "python", ".venv/bin/python"}
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and content of the code blocks of a page."""
    return FENCE.findall(page.read_text(encoding="utf-8"))


def commands(block: str) -> Iterator[str]:
    """Commands of a block, lines that go on joined, without comments."""
    for line in block.replace("\\\n", " ").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line


@pytest.fixture(scope="session")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make quickstart` leaves, two adapters of it, made with a tiny backbone; and texts of one's own."""

    def make(folder: Path) -> None:
        save_tiny_backbone("bert", folder / "overlay" / "models" / "bert")
        (folder / "overlay" / "backbones").mkdir()
        (folder / "overlay" / "backbones" / "minilm-l6.yaml").write_text(
            "id: minilm-l6\ntitle: Tiny\nfamily: bert\npath: models/bert\nparameters_million: 0.1\n"
            "license: {spdx: CC0-1.0, source: made in the tests, publishable: true}\n"
        )
        (folder / "overlay" / "recipes.yaml").write_text(
            'overrides:\n  - match: "minilm-l6/sample-*"\n    set: {dapt.passages: [], tune.trials: 0, lora.rank: 4, '
            "finetune.epochs: 4, finetune.learning_rate: 1.0e-2, link.reranker: false}\n"
        )
        (folder / "notes").mkdir()
        (folder / "notes" / "first.txt").write_text("No migraine, but asthma.\nSeen by Dr. Jones on 3 May 2024.\n")
        (folder / "notes" / "second.txt").write_text("She took aspirin for her chronic kidney disease.\n")
        (folder / "export.csv").write_text('note_id,body\n1,"Asthma, no gout."\n2,Took metformin.\n')
        (folder / "names.csv").write_text("term\nchronic kidney disease\nasthma\n")
        (folder / "codes.csv").write_text("id,name,synonyms\nN18,chronic kidney disease,CKD\nJ45,asthma,\n")
        (folder / "brat").mkdir()
        for number in range(12):
            text = f"Note {number}: she took aspirin for asthma."
            (folder / "brat" / f"{number:02}.txt").write_text(text)
            marks = [("Drug", "aspirin"), ("Problem", "asthma")]
            (folder / "brat" / f"{number:02}.ann").write_text(
                "".join(
                    f"T{place}\t{kind} {text.index(word)} {text.index(word) + len(word)}\t{word}\n"
                    for place, (kind, word) in enumerate(marks, 1)
                )
            )
        command = ["build", "minilm-l6/sample-disease", "minilm-l6/sample-chemical"]
        run = [sys.executable, "-m", "zoo", *command, "--out", folder / "builds", "--registry", folder / "overlay"]
        subprocess.run(run, check=True, capture_output=True, cwd=ROOT)

    return shared_folder(tmp_path_factory, "documented", make)


@pytest.fixture
def project(quickstart: Path, tmp_path: Path, zoo: Zoo) -> Path:
    """A copy of it, as the current folder (`zoo` has made `tmp_path` that)."""
    shutil.copytree(quickstart, tmp_path, dirs_exist_ok=True)
    return tmp_path


def read_only(words: list[str]) -> None:
    """Let the command line read a command; nothing is carried out."""
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="zoo")
    while hasattr(command, "resolve_command") and words and not words[0].startswith("-"):
        name, command, words = command.resolve_command(context, words)
        assert command is not None
        context = typer.Context(command, parent=context, info_name=name)
    command.make_context(context.info_name, words, parent=context.parent)


def run(line: str, values: dict[str, str], zoo: Zoo, project: Path) -> None:
    """Carry out a line of a shell."""
    if assigned := re.fullmatch(r"([A-Z]+)=(\S+)", line):
        values[assigned[1]] = assigned[2]
        return
    before, _, after = line.rpartition(" | ")
    line = re.sub(r"\$([A-Z]+)", lambda match: values[match[1]], after)
    stdin = Path(shlex.split(before)[1]).read_text() if before else None
    words = [
        name
        for word in shlex.split(line, comments=True)
        for name in (sorted(map(str, Path().glob(word))) if "*" in word else [word])
    ]
    assert words[0] == "zoo", line
    zoo(*words[1:], stdin=stdin, ZOO_REGISTRY=str(project / "overlay"), ZOO_CACHE=str(project / "cache"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_shell_blocks_run(page: Path, zoo: Zoo, project: Path) -> None:
    if page.name in ELSEWHERE:
        assert page.name in (ROOT / ELSEWHERE[page.name]).read_text(encoding="utf-8")
        return
    values: dict[str, str] = {}
    for language, block in blocks(page):
        assert language in ("sh", "bash", "yaml", "python", "text", ""), language
        if language == "sh" and block.startswith(ONLY_READ):
            for line in commands(block):
                words = shlex.split(line, comments=True)
                if words[0] == "zoo":
                    read_only(words[1:])
                else:
                    assert words[0] in NOT_OURS, line
        elif language == "sh":
            for line in commands(block):
                run(line, values, zoo, project)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_other_blocks_run(page: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if page.name in ELSEWHERE:
        return
    monkeypatch.setenv("ZOO_CACHE", str(project / "cache"))
    for language, block in blocks(page):
        if language == "python":
            exec(compile(block, page.name, "exec"), {"__name__": "block"})
        elif language == "bash":
            subprocess.run(["bash", "-n"], input=block, text=True, check=True)
            for line in commands(block):
                if " zoo " in line:
                    read_only(shlex.split(line.partition(" zoo ")[2]))
        elif language == "yaml":
            data = yaml.safe_load(block)
            if "sources" in data:  # an entry of a registry
                file = project / "overlay" / "corpora" / f"{data['id']}.yaml"
                file.parent.mkdir(exist_ok=True)
                file.write_text(block)
                assert load_registry(project / "overlay").corpora[data["id"]].types == data["types"]


def test_the_notebook_runs(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(project / "cache"))
    cells = json.loads((ROOT / "docs" / "tour.ipynb").read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(code) > 5 and not any(cell.get("outputs") for cell in cells)
    names: dict[str, object] = {"__name__": "notebook"}
    for cell in code:
        exec(compile(cell, "tour.ipynb", "exec"), names)


def test_messages_that_are_explained_are_those_of_the_code() -> None:
    """Headings of the questions quote messages of errors: each must still be one."""
    page = (ROOT / "docs" / "faq.md").read_text(encoding="utf-8")
    quoted = re.findall(r'^## "(.+)"$', page, re.MULTILINE)
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "zoo").rglob("*.py"))
    assert len(quoted) > 4
    assert [message for message in quoted if message not in code] == []
