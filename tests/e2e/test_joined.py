"""One adapter for two languages: a corpus that joins an English and a Spanish one, through all commands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.in_process import Zoo
from tests.loopback_hub import loopback_hub
from tests.publishing import hub_environment, run_zoo
from tests.sharing import shared_folder

SPANISH = [
    ("El paciente con asma toma aspirina .", [(16, 20, "Disease")]),
    ("No tiene diabetes ni gota .", [(9, 17, "Disease"), (21, 25, "Disease")]),
    ("Duerme bien .", []),
]
JOINED = """
id: both
title: Diseases in two languages
description: English and Spanish sentences.
types: {Disease: Disease}
left_out: [Chemical]
sources: [{kind: joined, corpora: [tiny, spanish], temperature: 2}]
"""
ENTRY = """
id: spanish
title: Spanish sentences
description: Three sentences.
language: es
format: jsonl
unit: sentence
types: {Disease: Disease}
license: {spdx: CC-BY-4.0, source: made in the tests, publishable: true}
sources: [{kind: bundled, path: spanish}]
"""


def write_registry(folder: Path, tiny_registry: Path) -> None:
    """The tiny registry with Spanish sentences, and a corpus that joins both."""
    shutil.copytree(tiny_registry, folder, dirs_exist_ok=True)
    (folder / "spanish").mkdir()
    for split in ("train", "dev", "test"):
        lines = []
        for index in range(9):
            text, spans = SPANISH[index % len(SPANISH)]
            mentions = [dict(zip(("start", "end", "type"), span, strict=True)) for span in spans]
            lines.append(json.dumps({"id": f"{split}-{index}", "text": text, "spans": mentions}) + "\n")
        (folder / "spanish" / f"{split}.jsonl").write_text("".join(lines))
    (folder / "corpora" / "spanish.yaml").write_text(ENTRY)
    (folder / "corpora" / "both.yaml").write_text(JOINED)


@pytest.fixture(scope="module")
def registry(tiny_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_folder(tmp_path_factory, "joined-registry", lambda folder: write_registry(folder, tiny_registry))


@pytest.fixture(scope="module")
def out(registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The joined checkpoint and the English one, built."""

    def build(folder: Path) -> None:
        ids = ("tiny-bert/both", "tiny-bert/tiny")
        done = run_zoo("build", *ids, "--registry", registry, "--out", folder, "--set", "seeds=1", cwd=folder)
        assert "an epoch reads 30 sentences of tiny, 15 sentences of spanish" in done.stdout + done.stderr
        run_zoo("board", "--registry", registry, "--out", folder, cwd=folder)

    return shared_folder(tmp_path_factory, "joined-builds", build)


@pytest.fixture(scope="module")
def result(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "checkpoints" / "tiny-bert" / "both" / "result.json").read_text()))


def test_both_languages_are_learned_and_scored_apart(result: dict[str, Any]) -> None:
    members = result["scores"]["members"]
    assert {name: own["language"] for name, own in members.items()} == {"tiny": "en", "spanish": "es"}
    assert all(own["test"]["micro_f1"] > 0.9 for own in members.values()), members
    for split in ("dev", "test"):
        for field in ("documents", "gold_mentions", "predicted_mentions"):
            assert result["scores"][split][field] == sum(own[split][field] for own in members.values())
    assert result["entity_types"] == ["Disease"]
    assert result["corpus_record"]["languages"] == ["en", "es"]
    assert result["corpus_record"]["drawn"] == {"tiny": 30, "spanish": 15}
    assert result["license"] == "CC0-1.0" and result["publishable"]


def test_the_card_names_languages_corpora_and_licences(out: Path) -> None:
    card = (out / "checkpoints" / "tiny-bert" / "both" / "README.md").read_text()
    assert "language:\n- en\n- es\n" in card and "datasets:\n- tiny\n- spanish\n" in card
    assert "in English and Spanish biomedical text" in card
    assert "not in Spanish: a backbone of that language" in card  # the tiny backbone is said to know English alone
    rows = [line.split(" | ") for line in card.splitlines() if line.startswith(("| tiny |", "| spanish |"))]
    assert [(row[0], row[1], row[-1]) for row in rows] == [("| tiny", "en", "30 |"), ("| spanish", "es", "15 |")]
    assert "to the power of 1 / 2" in card
    assert "Spanish sentences: CC-BY-4.0" in card


def test_the_board_has_languages_and_the_members_scores(out: Path, result: dict[str, Any]) -> None:
    board = json.loads((out / "board.json").read_text())
    assert {row["corpus"]: row["languages"] for row in board["rows"]} == {"both": "en es", "tiny": "en"}
    (detail,) = (item for item in board["details"] if item["checkpoint_id"] == "tiny-bert/both")
    assert detail["result"]["scores"]["members"] == result["scores"]["members"]


def test_evaluate_scores_members_and_says_where_a_language_is_new(zoo: Zoo, out: Path, registry: Path) -> None:
    models = out / "checkpoints" / "tiny-bert"
    done = zoo("evaluate", models / "both", "both", "--registry", registry, "--json")
    found = json.loads(done.stdout)
    assert found["languages"] == found["trained_languages"] == ["en", "es"]
    assert {name: own["documents"] for name, own in found["members"].items()} == {"tiny": 36, "spanish": 9}
    assert "across languages" not in zoo("evaluate", models / "both", "spanish", "--registry", registry).stdout
    told = zoo("evaluate", models / "tiny", "both", "--registry", registry).stdout
    assert "across languages: trained on text in en, not in es" in told
    assert [line.split()[:2] for line in told.splitlines() if line.startswith("spanish")] == [["spanish", "es"]]


def test_the_matrix_tells_languages(zoo: Zoo, out: Path, registry: Path, tmp_path: Path) -> None:
    models = [out / "checkpoints" / "tiny-bert" / name for name in ("both", "tiny")]
    told = zoo("cross", *models, "--corpora", "tiny,spanish", "--registry", registry, "--out", tmp_path / "x").stdout
    for title in ("tiny (en)", "spanish (es)", "tiny-bert/both (en, es)", "tiny-bert/tiny (en)"):
        assert title in told
    data = json.loads((tmp_path / "x" / "cross.json").read_text())
    assert data["languages"]["corpora"] == {"tiny": ["en"], "spanish": ["es"]}
    own = {(cell["model"].partition("/")[2], cell["corpus"]) for cell in data["cells"] if cell["in_domain"]}
    assert own == {("both", "tiny"), ("both", "spanish"), ("tiny", "tiny")}


def test_corpora_commands(zoo: Zoo, registry: Path) -> None:
    shown = json.loads(zoo("corpora", "show", "both", "--registry", registry, "--json").stdout)
    assert {split: item["documents"] for split, item in shown["splits"].items()} == dict.fromkeys(
        ("train", "dev", "test"), 45
    )
    assert shown["repairs"] == {"mention of the type Chemical, which the entry leaves out": 3 * 6 * 5}
    report = json.loads(zoo("corpora", "check", "both", "--registry", registry, "--json").stdout)
    assert {item["corpus"] for item in report["within"]} == {"both"}
    assert {"tiny", "spanish"} <= {item["corpus"] for item in report["across"] if item["exact"]}
    report = json.loads(zoo("corpora", "check", "tiny", "--registry", registry, "--json").stdout)
    assert "both" not in {item["corpus"] for item in (*report["within"], *report["across"])}
    (row,) = json.loads(zoo("corpora", "fetch", "both", "--registry", registry, "--json").stdout)
    assert (row["status"], row["documents"]) == ("no fingerprint registered", 135)


def test_a_member_that_changes_changes_the_plan(zoo: Zoo, registry: Path, tmp_path: Path) -> None:
    own = tmp_path / "registry"
    shutil.copytree(registry, own)

    def stages() -> dict[str, str]:
        plan = json.loads(zoo("plan", "tiny-bert/both", "--registry", own, "--out", tmp_path / "o", "--json").stdout)
        return {item["kind"]: item["fingerprint"] for item in plan["stages"]}

    first = stages()
    file = own / "spanish" / "train.jsonl"
    file.write_text(file.read_text().replace("Duerme bien", "Duerme mal"))
    second = stages()
    entry = own / "corpora" / "both.yaml"
    entry.write_text(entry.read_text().replace("temperature: 2", "temperature: 3"))
    third = stages()
    assert first["base"] == second["base"] == third["base"]
    assert len({each[kind] for each in (first, second, third) for kind in ("train",)}) == 3


def test_it_is_pushed_and_verified(out: Path, registry: Path, tmp_path: Path) -> None:
    copy = tmp_path / "out"
    shutil.copytree(out, copy)
    with loopback_hub() as hub:
        env = hub_environment(hub, tmp_path)
        run_zoo("push", "tiny-bert/both", "--registry", registry, "--out", copy, cwd=tmp_path, **env)
        command = ("verify", "openmed/tiny-bert-both", "--registry", registry, "--json")
        (found,) = json.loads(run_zoo(*command, cwd=tmp_path, **env).stdout)
    assert found["passed"] and found["measured"] == found["expected"]
