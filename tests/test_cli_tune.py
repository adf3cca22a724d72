"""`zoo tune` as a user types it: a search on a tiny checkpoint, what it leaves, and what it refuses."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.in_process import Zoo
from tests.training.conftest import save_bert

ID = "tiny-bert/tiny"
PLOTS = ("optimization_history", "parallel_coordinate", "confirmed")
SPACE = "{finetune.learning_rate: {low: 5.0e-3, high: 2.0e-2, log: true}, lora.rank: {choices: [2, 4]}}"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An overlay registry with one checkpoint."""
    from tests.conftest import write_tiny_corpus

    folder = tmp_path_factory.mktemp("registry")
    for name in ("backbones", "corpora"):
        (folder / name).mkdir()
    free = "license: {spdx: CC0-1.0, source: made in the tests, publishable: true}\n"
    save_bert(folder / "bert")
    (folder / "backbones" / "tiny-bert.yaml").write_text(
        f"id: tiny-bert\ntitle: Tiny\nfamily: bert\npath: bert\nparameters_million: 0.1\n"
        f"window_tokens: 32\nstride_tokens: 8\n{free}"
    )
    write_tiny_corpus(folder / "data", repeats=2)
    (folder / "corpora" / "tiny.yaml").write_text(
        f"id: tiny\ntitle: Tiny\ndescription: Six sentences.\nformat: jsonl\nunit: sentence\n"
        f"types: {{Disease: Disease, Chemical: Chemical}}\n{free}sources: [{{kind: bundled, path: data}}]\n"
    )
    (folder / "recipes.yaml").write_text(
        f'overrides:\n  - match: "{ID}"\n    set: {{lora.rank: 4, finetune.epochs: 3, finetune.batch_size: 4,'
        f" finetune.learning_rate: 1.0e-2, finetune.precision: float32, evaluation.bootstrap_samples: 200,"
        f" evaluation.robustness_documents: 0, tune.space: {SPACE}}}\n"
    )
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_search_from_end_to_end(zoo: Zoo, registry: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    given = (ID, "--registry", registry, "--out", out)
    first = zoo("tune", *given, "--trials", 3, "--workers", 2, "--json", ZOO_COUNTRY="DEU")
    assert "Traceback" not in first.stderr
    summary = json.loads(first.stdout)
    assert [t["number"] for t in summary["trials"]] == [0, 1, 2]
    assert summary["trials"][0]["values"] == {"finetune.learning_rate": 1e-2, "lora.rank": 4}
    assert summary["energy"]["country"] == "DEU" and summary["energy"]["energy_wh"] > 0
    (artefact,) = (out / "artefacts" / "tune").iterdir()
    assert names(artefact) == {
        "artefact.json",
        "study.json",
        "journal.log",
        "best",
        *(f"{name}.{kind}" for name in PLOTS for kind in ("html", "png")),
    }
    assert json.loads((artefact / "study.json").read_text()) == summary
    trained = json.loads((artefact / "best" / "training.json").read_text())
    best = summary["trials"][summary["best_trial"]]
    recipe: dict[str, Any] = trained["recipe"]
    assert recipe["lora"]["rank"] == best["values"]["lora.rank"]
    assert recipe["finetune"]["learning_rate"] == best["values"]["finetune.learning_rate"]
    assert max(epoch["dev_micro_f1"] for epoch in trained["epochs"]) == summary["best_dev_micro_f1"]
    assert recipe["seed"] == 13, "what is shipped is the trial itself, of the recipe's own seed"
    assert (artefact / "best" / "adapter" / "adapter_model.safetensors").is_file()
    taken = summary["confirmed"][0]
    assert taken["trial"] == summary["best_trial"] and taken["seeds"] == [13, 14, 15]
    assert 0 in [each["trial"] for each in summary["confirmed"]] and len(summary["confirmed"]) == 3
    assert taken["mean"] == max(each["mean"] for each in summary["confirmed"])

    again = zoo("tune", *given, "--trials", 3)
    assert f"{summary['best_trial']} *" in again.stdout and str(artefact) in again.stdout
    assert f"trial {taken['trial']}: dev F1 {100 * taken['mean']:.2f} ± " in again.stdout
    printed = shlex.split(again.stdout.split("build with the best: ")[1])
    assert printed[:5] == ["zoo", "build", ID, "--set", "tune.trials=3"]
    stages = json.loads(zoo("plan", *printed[2:], "--json", ZOO_COUNTRY="DEU").stdout)["stages"]
    assert [stage["state"] for stage in stages if stage["kind"] == "tune"] == ["cached"], "what is printed takes it up"
    assert [path.name for path in (out / "artefacts" / "tune").iterdir()] == [artefact.name]
    assert not (out / "checkpoints").exists(), "a search builds no checkpoint"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--trials", 2, "--set", "tune.space={lora.rnk: {choices: [2, 4]}}"), "'lora.rnk' cannot be searched"),
        ((), "the recipe says no search"),
    ],
)
def test_what_cannot_be_searched_is_one_message(
    args: tuple[object, ...], message: str, zoo: Zoo, registry: Path, tmp_path: Path
) -> None:
    done = zoo("tune", ID, *args, "--registry", registry, "--out", tmp_path / "out", check=2)
    assert message in done.stderr and "Traceback" not in done.stderr + done.stdout
    assert not (tmp_path / "out").exists()
