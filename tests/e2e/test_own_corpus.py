"""A user's own notes: the commands of docs/own-notes.md, run one after the other on a folder of BRAT files."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

Zoo = Callable[..., subprocess.CompletedProcess[str]]
PROBLEMS = ("asthma", "severe migraine", "diabetes", "chronic kidney disease", "gout")
DRUGS = ("aspirin", "ibuprofen", "metformin", "heparin")
STRATEGIES = ("simple", "first", "average", "max")


def write_notes(folder: Path, notes: int = 40) -> None:
    """BRAT files of short notes: two types, a negated mention, line breaks, characters outside ASCII."""
    folder.mkdir()
    for number in range(notes):
        problem, drug = PROBLEMS[number % 5], DRUGS[number % 4]
        other = PROBLEMS[(number + 2) % 5]
        pieces = [
            f"Visit {number} – 37 °C.\nPatient with ",
            problem,
            " took ",
            drug,
            " daily.\nNo ",
            other,
            " was found.\n",
        ]
        lines, text = [], ""
        for piece in pieces:
            kind = "Problem" if piece in PROBLEMS else "Drug" if piece in DRUGS else ""
            if kind:
                lines.append(f"T{len(lines) + 1}\t{kind} {len(text)} {len(text) + len(piece)}\t{piece}\n")
            text += piece
        lines.append("A1\tNegated T3\n")
        (folder / f"note-{number:02}.txt").write_text(text, encoding="utf-8")
        (folder / f"note-{number:02}.ann").write_text("".join(lines), encoding="utf-8")


def documented_commands() -> list[list[str]]:
    """The commands of the page on one's own notes."""
    page = (ROOT / "docs" / "own-notes.md").read_text(encoding="utf-8")
    return [shlex.split(line) for line in page.splitlines() if line.startswith("zoo ")]


@pytest.fixture
def registry(tiny_registry: Path, tmp_path: Path) -> Path:
    """The user's registry folder; in it a tiny backbone stands in for the one that the page names."""
    folder = tmp_path / "my-registry"
    (folder / "backbones").mkdir(parents=True)
    shutil.copytree(tiny_registry / "models" / "bert", folder / "models" / "bert")
    entry = (tiny_registry / "backbones" / "tiny-bert.yaml").read_text()
    (folder / "backbones" / "minilm-l6.yaml").write_text(entry.replace("id: tiny-bert", "id: minilm-l6"))
    (folder / "recipes.yaml").write_text((tiny_registry / "recipes.yaml").read_text().replace("tiny-*/*", "*/my-notes"))
    return folder


def run_decoding(builds: Path, results: Path, registry: Path) -> dict[str, Any]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("ZOO_")}
    command = [sys.executable, ROOT / "benchmarks" / "decoding.py", builds, "--results", results]
    env |= {"HF_HUB_OFFLINE": "1", "ZOO_REGISTRY": str(registry)}
    done = subprocess.run([str(part) for part in command], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads((results / "decoding.json").read_text())["adapters"].values()
    return {**entry, "log": done.stderr}


def test_the_documented_commands_build_a_model_of_ones_own_notes(zoo: Zoo, registry: Path, tmp_path: Path) -> None:
    write_notes(tmp_path / "brat")
    add, plan, build = documented_commands()
    assert add[:4] == ["zoo", "corpora", "add", "my-notes"] and build == shlex.split(
        "zoo build minilm-l6/my-notes --registry my-registry"
    )
    added = zoo(*add[1:]).stdout
    assert "attribute line ignored: 40" in added and " ".join(build) in added
    assert (registry / "corpora" / "my-notes.yaml").is_file()
    zoo(*plan[1:])
    zoo(*build[1:])

    folder = tmp_path / "builds" / "checkpoints" / "minilm-l6" / "my-notes"
    result = json.loads((folder / "result.json").read_text())
    assert (result["corpus"], sorted(result["entity_types"])) == ("my-notes", ["Chemical", "Disease"])
    assert result["corpus_record"]["documents"] == {"train": 28, "dev": 4, "test": 8}
    assert result["scores"]["test"]["gold_mentions"] == 24 and result["scores"]["test"]["micro_f1"] > 0.8
    assert not result["publishable"] and "asthma" not in (folder / "README.md").read_text()
    (row,) = json.loads((tmp_path / "builds" / "board.json").read_text())["rows"]
    assert (row["checkpoint_id"], row["rank"], row["rank_shared_by"]) == ("minilm-l6/my-notes", 1, 1)

    # The benchmark of decodings finds what the build found, with its strategy; a second run scores nothing again.
    first = run_decoding(tmp_path / "builds", tmp_path / "results", registry)
    own = result["decoding"]["aggregation_strategy"]
    assert first["micro_f1"][own] == pytest.approx(result["scores"]["dev"]["micro_f1"])
    assert first["dev_documents"] == 4 and "minilm-l6/my-notes" in first["log"]
    again = run_decoding(tmp_path / "builds", tmp_path / "results", registry)
    assert {**again, "log": ""} == {**first, "log": ""} and "my-notes" not in again["log"]
    table = (tmp_path / "results" / "decoding.md").read_text()
    cells = " | ".join(f"{100 * first['micro_f1'][name]:.2f}" for name in STRATEGIES)
    assert f"| my-notes | 4 | 12 | {cells} |" in table


def write_nested(folder: Path, notes: int = 48) -> None:
    """BRAT files in which organs lie inside problems, and some problems are discontinuous."""
    folder.mkdir()
    organs = ("kidney", "liver", "heart")
    for number in range(notes):
        organ, drug = organs[number % 3], DRUGS[number % 4]
        text = f"Visit {number}. Patient with chronic {organ} disease took {drug}.\n"
        mentions = [("Problem", f"chronic {organ} disease"), ("Organ", organ), ("Drug", drug)]
        lines = []
        for kind, quoted in mentions:
            start = text.index(quoted)
            lines.append(f"T{len(lines) + 1}\t{kind} {start} {start + len(quoted)}\t{quoted}\n")
        if number % 6 == 0:
            start = len(text)
            text += "No skin rash and itch.\n"
            place = f"{start + 3} {start + 7};{start + 17} {start + 21}"
            lines.append(f"T4\tProblem {place}\tskin itch\n")
        (folder / f"note-{number:02}.txt").write_text(text, encoding="utf-8")
        (folder / f"note-{number:02}.ann").write_text("".join(lines), encoding="utf-8")


def test_nested_notes_are_added_and_built_by_the_same_two_commands(zoo: Zoo, registry: Path, tmp_path: Path) -> None:
    write_nested(tmp_path / "notes")
    types = "Problem=Disease,Organ=Anatomy,Drug=Chemical"
    added = zoo(*f"corpora add my-notes --format brat --path notes/ --types {types} --registry registry".split()).stdout
    said = "overlaps: keep; mentions inside another: 48, discontinuous: 8"
    assert said in added and "heads of a build (heads.layout=auto): " in added
    view = json.loads(zoo("corpora", "show", "my-notes", "--registry", "registry", "--json").stdout)
    weighed = {layout["layout"]: layout for layout in view["heads"]}
    assert weighed["flat"]["held_mentions"] < weighed["types"]["held_mentions"] < weighed["types"]["mentions"]
    (chosen,) = (layout["heads"] for layout in view["heads"] if layout["chosen"])
    assert f"auto): {', '.join(chosen)}; they hold" in added and len(chosen) > 1
    zoo("build", "minilm-l6/my-notes", "--registry", "registry", "--set", "finetune.epochs=30")

    folder = tmp_path / "builds" / "checkpoints" / "minilm-l6" / "my-notes"
    heads = json.loads((folder / "adapter" / "heads.json").read_text())["heads"]
    assert [head["name"] for head in heads] == chosen
    assert all((folder / "adapter" / head["folder"] / "adapter_model.safetensors").is_file() for head in heads)
    text = "Visit 9. Patient with chronic liver disease took heparin."
    found = json.loads(zoo("tag", "--model", folder, text, "--json").stdout)
    quoted = {entity["text"] for entity in found}
    assert {"chronic liver disease", "liver"} <= quoted
