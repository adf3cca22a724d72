"""Plans of linking: stages that serve many checkpoints, what changes them, and what stops nothing else."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.builds import write_empty_models, write_registry
from tests.linked import CLOSED, DISEASES, ID, OPEN, add_linked_corpus, write_ontology
from tests.publishing import run_zoo
from zoo.cli import app
from zoo.pipeline.context import Context
from zoo.pipeline.plan import Plan, make_plan
from zoo.pipeline.stage import Stage
from zoo.registry.loader import load_registry
from zoo.settings import Settings

OTHER = "tiny-electra/linked"
LINKING = {f"ontology {OPEN}", f"ontology {CLOSED}", f"index {OPEN}", f"index {CLOSED}"}
OF_CHECKPOINTS = {f"{kind} {name}" for kind in ("linker", "link-evaluate") for name in (ID, OTHER)}


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    write_empty_models(tmp_path / "models")
    return add_linked_corpus(write_registry(tmp_path / "registry", tmp_path / "models"))


def planned(registry: Path, settings: dict[str, Any] | None = None, **changes: Any) -> Plan:
    own = replace(Settings(out=registry.parent / "out", offline=True), **changes)
    context = Context(load_registry(registry), own)
    plan = make_plan([context.registry.checkpoint(name, settings) for name in (ID, OTHER)], context)
    assert not plan.unreadable
    return plan


def named(plan: Plan) -> dict[str, Stage]:
    return {f"{stage.kind} {stage.name}": stage for stage in plan.stages}


def changed(before: Plan, after: Plan) -> set[str]:
    old, new = named(before), named(after)
    return {name for name in {*old, *new} if name not in old or name not in new or old[name].key != new[name].key}


def test_one_ontology_and_one_index_serve_all_checkpoints(registry: Path) -> None:
    plan = planned(registry)
    stages = named(plan)
    assert {name for name in stages if name.split()[0] in ("ontology", "index", "linker", "link-evaluate")} == (
        LINKING | OF_CHECKPOINTS
    )
    assert Counter(stage.kind for stage in plan.stages)["index"] == 2
    linker = stages[f"linker {ID}"]
    for stage in (linker, stages[f"link-evaluate {ID}"]):
        assert {name: index.fingerprint for name, index in stage.inputs_of("index").items()} == {
            name: stages[f"index {name}"].fingerprint for name in (OPEN, CLOSED)
        }
    assert linker.inputs["base"].fingerprint == stages["base tiny-bert"].fingerprint
    assert stages[f"link-evaluate {ID}"].inputs["evaluate"].fingerprint == stages[f"evaluate {ID}"].fingerprint
    place = {stage.fingerprint: number for number, stage in enumerate(plan.stages)}
    assert all(place[need.fingerprint] < place[stage.fingerprint] for stage in plan.stages for need in stage.needs)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"link.enabled": False}, LINKING | OF_CHECKPOINTS),
        ({"link.margin": 0.3}, OF_CHECKPOINTS),
        ({"link.reranker": False}, OF_CHECKPOINTS),
        ({"link.ontologies": {"Disease": OPEN}}, {f"ontology {CLOSED}", f"index {CLOSED}"} | OF_CHECKPOINTS),
        (
            {"link.ontologies": {"Disease": OPEN, "Chemical": OPEN}},
            {f"ontology {CLOSED}", f"index {CLOSED}"} | OF_CHECKPOINTS,
        ),
    ],
)
def test_recipes_of_linking_change_linking_alone(registry: Path, setting: dict[str, Any], expected: set[str]) -> None:
    assert changed(planned(registry), planned(registry, setting)) == expected


def test_several_seeds_have_one_linker(registry: Path) -> None:
    one, three = planned(registry), planned(registry, {"seeds": 3})
    assert not {name for name in changed(one, three) if "link" in name.split()[0]}
    assert Counter(stage.kind for stage in three.stages)["linker"] == 2


def test_a_changed_vocabulary_changes_what_is_linked_to_it(registry: Path) -> None:
    before = planned(registry)
    write_ontology(registry / "terms" / f"{OPEN}.csv", {**DISEASES, "T:D06": ("Scurvy",)})
    assert changed(before, planned(registry)) == {f"ontology {OPEN}", f"index {OPEN}"} | OF_CHECKPOINTS


def test_the_copy_of_a_user_comes_first(registry: Path, tmp_path: Path) -> None:
    before = planned(registry)
    write_ontology(tmp_path / "own" / f"{CLOSED}.csv", {"T:C09": ("Caffeine",)})
    after = planned(registry, ontologies=tmp_path / "own")
    assert changed(before, after) == {f"ontology {CLOSED}", f"index {CLOSED}"} | OF_CHECKPOINTS


def test_what_cannot_be_had_is_left_out_and_named_once(registry: Path) -> None:
    (registry / "terms" / f"{CLOSED}.csv").unlink()
    plan = planned(registry)
    assert named(plan)[f"linker {ID}"].key["ontologies"] == {"Disease": OPEN}
    notes = plan.linking_of(ID).notes
    assert notes == plan.linking_of(OTHER).notes
    assert len(notes) == 1 and notes[0].startswith(
        f"Chemical is not linked: the ontology {CLOSED} is not on this machine"
    )
    done = CliRunner().invoke(app, ["plan", ID, OTHER, "--registry", str(registry), "--out", str(registry / "out")])
    assert done.exit_code == 0, done.output
    assert done.output.count(f"the ontology {CLOSED} is not on this machine") == 1
    assert "without linking, 2 checkpoints, the first tiny-bert/linked: Chemical is not linked" in done.output
    assert "cannot build" not in done.output and "wait for what is not here" not in done.output

    (registry / "terms" / f"{OPEN}.csv").unlink()
    plan = planned(registry)
    assert not {stage.kind for stage in plan.stages} & {"ontology", "index", "linker", "link-evaluate"}
    assert len(plan.linking_of(ID).notes) == 2 and plan.last[ID].kind == "evaluate"
    args = ["plan", ID, "--registry", str(registry), "--out", str(registry / "out"), "--json"]
    shown = json.loads(CliRunner().invoke(app, args).stdout)
    assert not shown["obstacles"] and len(shown["unlinked"]) == 2


def test_an_ontology_that_nobody_has_entered_is_said(registry: Path) -> None:
    plan = planned(registry, {"link.ontologies": {"Disease": "tiny-disease"}})
    assert plan.linking_of(ID).notes == ("Disease is not linked: unknown ontology 'tiny-disease'",)


def test_a_corpus_that_names_no_ontology_is_not_linked(registry: Path) -> None:
    context = Context(load_registry(registry), Settings(out=registry.parent / "out", offline=True))
    plan = make_plan([context.registry.checkpoint("tiny-electra/other")], context)
    assert [stage.kind for stage in plan.stages] == ["base", "train", "evaluate"]
    assert not plan.linking_of("tiny-electra/other").notes


@pytest.fixture(scope="module")
def linked_registry(tiny_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny backbones with the linked corpus; few epochs, as nothing needs to be found."""
    folder = tmp_path_factory.mktemp("linked") / "registry"
    shutil.copytree(tiny_registry, folder)
    return add_linked_corpus(folder)


def built(registry: Path, out: Path, *settings: str, check: int = 0) -> tuple[dict[str, Any], str]:
    values = ["finetune.epochs=2", "evaluation.bootstrap_samples=200", *settings]
    args = [part for value in values for part in ("--set", value)]
    done = run_zoo("build", ID, "--registry", registry, "--out", out, "--json", *args, cwd=registry.parent, check=check)
    return json.loads(done.stdout), done.stderr


def linking_of(out: Path) -> tuple[dict[str, Any], Path]:
    folder = out / "checkpoints" / ID
    return json.loads((folder / "result.json").read_bytes()), folder


def test_a_build_links_once_and_gc_keeps_what_it_stands_on(linked_registry: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    told, _ = built(linked_registry, out)
    result, folder = linking_of(out)
    assert not told["failures"] and result["linking"]["gold"]["belb"]["accuracy_at_1"] > 0.9
    assert {"ontology", "index", "linker", "link-evaluate"} < set(result["energy_stages"])
    own = ("train", "evaluate", "linker", "link-evaluate")
    parts = sum(result["energy_stages"][kind]["energy_wh"] for kind in own)
    assert result["energy"]["energy_wh"] == pytest.approx(parts), "what serves many is not a checkpoint's own"
    assert result["fingerprints"][f"index/{OPEN}"] and result["fingerprints"]["linker_adapter"]
    assert (folder / "linker/index" / OPEN / "index.json").is_file()
    assert not (folder / "linker/index" / CLOSED).exists()
    kinds = Counter(path.parent.parent.name for path in (out / "artefacts").glob("[!.]*/*/artefact.json"))
    assert kinds["ontology"] == kinds["index"] == 2
    assert "0 folders would be removed" in run_zoo("gc", "--dry-run", "--out", out, cwd=tmp_path).stdout

    again, _ = built(linked_registry, out)
    assert again["unchanged"] == [ID] and not again["results"]
    changed, _ = built(linked_registry, out, "link.reranker=false")
    assert len(changed["results"]) == 1 and "linker_adapter" not in changed["results"][0]["fingerprints"]
    assert changed["results"][0]["fingerprints"]["train"] == result["fingerprints"]["train"]
    assert "2 folders would be removed" in run_zoo("gc", "--dry-run", "--out", out, cwd=tmp_path).stdout
    assert "link.reranker=false" in changed["results"][0]["rebuild_command"]


def test_recognition_is_built_without_the_vocabulary(linked_registry: Path, tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    shutil.copytree(linked_registry, registry)
    shutil.rmtree(registry / "terms")
    told, _ = built(registry, tmp_path / "out")
    result, folder = linking_of(tmp_path / "out")
    assert not told["failures"] and result["linking"] is None and not (folder / "linker").exists()
    assert [note for note in result["notes"] if note.startswith("Chemical is not linked: the ontology")]
    card = (folder / "README.md").read_text()
    assert "Disease is not linked: the ontology" in card and "No linking to an ontology." in card
    assert str(tmp_path) not in card

    write_ontology(
        registry / "terms" / f"{OPEN}.csv", DISEASES
    )  # it comes later: linked then, and nothing trained again
    told, _ = built(registry, tmp_path / "out")
    linked, _ = linking_of(tmp_path / "out")
    assert set(linked["linking"]["vocabularies"]) == {"Disease"}
    assert linked["fingerprints"]["train"] == result["fingerprints"]["train"]


def test_a_linker_that_fails_takes_no_recognition_with_it(linked_registry: Path, tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    shutil.copytree(linked_registry, registry)
    for path in (registry / "data-linked").glob("*.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            for span in line["spans"]:
                del span["concept_ids"]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    told, _ = built(registry, tmp_path / "out", check=1)
    result, _ = linking_of(tmp_path / "out")
    assert "no mention of linked has a concept" in told["failures"][0]["message"]
    assert result["linking"] is None and result["scores"]["test"]["gold_mentions"]
    assert "not linked: no mention of linked has a concept: nothing can be learned or scored" in result["notes"]
