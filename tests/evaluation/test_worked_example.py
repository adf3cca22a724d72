"""The worked example of docs/scores.md: the real command, on a model that predicts just that, gives those figures."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.conftest import ROOT
from tests.evaluation.stubs import save_list_model
from zoo.cli import app
from zoo.tagging.tagger import Tagger

Zoo = Callable[..., subprocess.CompletedProcess[str]]
Span = tuple[int, int, str]
Row = tuple[str, set[Span], set[Span], list[int]]


def spans(cell: str) -> set[Span]:
    return {(int(start), int(end), kind) for start, end, kind in re.findall(r"`\[(\d+), (\d+)\) (\w+)`", cell)}


@pytest.fixture(scope="module")
def example() -> str:
    text = (ROOT / "docs" / "scores.md").read_text(encoding="utf-8")
    return text[text.index("**A worked example.**") : text.index("**Decoding.**")]


@pytest.fixture(scope="module")
def rows(example: str) -> list[Row]:
    """Sentence, gold, predicted, and TP, FP, FN of each line of the table."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in example.splitlines() if line[:3] == "| `"
    ]
    assert len(cells) == 3
    return [(row[0].strip("`"), spans(row[1]), spans(row[2]), [int(cell) for cell in row[3:]]) for row in cells]


@pytest.fixture
def model(rows: list[Row], tmp_path: Path) -> Path:
    """A model whose word list is what the table calls predicted."""
    words = {text[start:end].lower(): kind for text, _, predicted, _ in rows for start, end, kind in predicted}
    save_list_model(tmp_path / "model", words)
    return tmp_path / "model"


def test_the_counts_are_those_of_the_spans(example: str, rows: list[Row]) -> None:
    for text, gold, predicted, counts in rows:
        assert counts == [len(gold & predicted), len(predicted - gold), len(gold - predicted)], text
        words = [text[start:end] for start, end, _ in gold | predicted]
        assert all(word and word == word.strip(" ,.") for word in words), words
    tp, fp, fn = (sum(column) for column in zip(*(row[3] for row in rows), strict=True))
    assert f"| all | {tp + fn} mentions | {tp + fp} mentions | {tp} | {fp} | {fn} |" in example


def test_the_command_gives_the_figures_of_the_text(
    example: str, rows: list[Row], model: Path, zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ZOO_CORPORA", raising=False)
    registry = tmp_path / "registry"
    for folder in ("corpora", "data"):
        (registry / folder).mkdir(parents=True)
    (registry / "corpora" / "worked.yaml").write_text(
        "id: worked\ntitle: Worked\ndescription: Three sentences.\nformat: jsonl\nunit: sentence\n"
        "types: {Disease: Disease, Chemical: Chemical}\nsources: [{kind: bundled, path: data}]\n"
        "license: {spdx: CC0-1.0, source: written for the documentation, publishable: true}\n"
    )
    lines = [
        {"id": str(n), "text": text, "spans": [{"start": s, "end": e, "type": t} for s, e, t in sorted(gold)]}
        for n, (text, gold, _, _) in enumerate(rows)
    ]
    for split in ("train", "dev", "test"):
        (registry / "data" / f"{split}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    found = Tagger.load(model).tag([text for text, *_ in rows])
    assert [{e.key for e in entities} for entities in found] == [predicted for _, _, predicted, _ in rows]

    command = ("evaluate", model, "worked", "--registry", registry)
    score = json.loads(zoo(*command, "--json").stdout)
    said = re.search(r"precision (\d+)/(\d+) = ([\d.]+), recall (\d+)/(\d+) = ([\d.]+), F1 = .*? = ([\d.]+);", example)
    assert said
    precision, recall = Fraction(int(said[1]), int(said[2])), Fraction(int(said[4]), int(said[5]))
    f1 = 2 * precision * recall / (precision + recall)
    assert (score["precision"], score["recall"], score["micro_f1"]) == (float(precision), float(recall), float(f1))
    assert [f"{100 * float(x):.2f}" for x in (precision, recall, f1)] == [said[3], said[6], said[7]]
    assert score["gold_mentions"] == int(said[5]) and score["predicted_mentions"] == int(said[2])
    by_type = {name: f"{100 * part['f1']:.2f}" for name, part in score["per_type"].items()}
    chemical = re.search(r"Chemical alone \(.*?\) ([\d.]+)\.", example)
    disease = re.search(r"Disease alone \(.*?\)\s+has F1 ([\d.]+),", example)
    assert chemical and disease and by_type == {"Chemical": chemical[1], "Disease": disease[1]}

    shown = CliRunner().invoke(app, [str(part) for part in command])
    table = [line.split() for line in shown.stdout.splitlines()]
    (overall,) = [line for line in table if line[:1] == ["all"]]
    assert (overall[1], *overall[-3:]) == (said[7], said[3], said[6], said[5])
