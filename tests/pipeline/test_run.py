"""Builds in this process: what a changed registry, a moved folder, and a second registry make of what is there."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import write_tiny_corpus
from tests.training.conftest import save_bert
from zoo.doctor.project import check_builds
from zoo.modeling.adapters import named_base
from zoo.modeling.backbones import read_base_info
from zoo.pipeline.context import Context
from zoo.pipeline.layout import Layout
from zoo.pipeline.plan import inspect, make_plan
from zoo.pipeline.progress import Reporter, StageProgress
from zoo.pipeline.run import Outcome, run
from zoo.pipeline.schedule import Failure, Schedule
from zoo.pipeline.worker import try_stage
from zoo.registry.loader import load_registry
from zoo.settings import Settings

ID = "tiny-bert/tiny"
_LICENSE = "license: {spdx: CC-BY-4.0, source: made in the tests, publishable: true}\n"


class InProcess:
    """An engine without processes that remembers what it ran."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    def run(self, schedule: Schedule, context: Context, reporter: Reporter) -> None:
        while stage := schedule.take():
            self.kinds.append(stage.kind)
            progress = StageProgress(lambda said: getattr(reporter, said[0])(stage.id, *said[1]))
            outcome = try_stage(stage, context, progress)
            if isinstance(outcome, Failure):
                schedule.failed(stage, outcome)
            else:
                schedule.done(stage)


class Warned(Reporter):
    """Keeps warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, stage: str, text: str) -> None:
        self.warnings.append(text)


@dataclass
class Build:
    """A registry and what is built from it."""

    registry: Path
    out: Path

    def __call__(self, settings: dict[str, Any] | None = None) -> tuple[Outcome, list[str], list[str]]:
        """Build; outcome, kinds of the stages that ran, and warnings."""
        context, engine, reporter = self.context(), InProcess(), Warned()
        checkpoints = [context.registry.checkpoint(ID, settings)]
        outcome = run(checkpoints, context, engine, keep_going=True, reporter=reporter)
        assert not outcome.failures, outcome.failures
        return outcome, engine.kinds, reporter.warnings

    def context(self) -> Context:
        return Context(load_registry(self.registry), Settings(out=self.out, offline=True))

    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.out / "checkpoints" / ID / "result.json").read_text())
        return found

    def card(self) -> str:
        return (self.out / "checkpoints" / ID / "README.md").read_text()

    def states(self, settings: dict[str, Any] | None = None) -> dict[str, tuple[str, str]]:
        context = self.context()
        plan = make_plan([context.registry.checkpoint(ID, settings)], context)
        return {status.stage.kind: (status.state, status.reason) for status in inspect(plan, context)}

    def change(self, old: str, new: str) -> None:
        path = self.registry / "corpora" / "tiny.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


def write_registry(folder: Path) -> None:
    for name in ("backbones", "corpora"):
        (folder / name).mkdir(parents=True)
    save_bert(folder / "bert")
    (folder / "backbones" / "tiny-bert.yaml").write_text(
        "id: tiny-bert\ntitle: Tiny\nfamily: bert\npath: bert\nparameters_million: 0.1\nwindow_tokens: 32\n"
        f"stride_tokens: 8\n{_LICENSE}"
    )
    write_tiny_corpus(folder / "data", repeats=3)
    (folder / "corpora" / "tiny.yaml").write_text(
        "id: tiny\ntitle: Six sentences\ndescription: Six sentences.\nformat: jsonl\nunit: sentence\n"
        f"types: {{Disease: Disease, Chemical: Chemical}}\n{_LICENSE}sources: [{{kind: bundled, path: data}}]\n"
    )
    (folder / "recipes.yaml").write_text(
        'overrides:\n  - match: "tiny-bert/*"\n    set: {lora.rank: 4, finetune.epochs: 14, finetune.batch_size: 4,'
        " finetune.learning_rate: 1.0e-2, finetune.patience: 14, finetune.precision: float32,"
        " evaluation.bootstrap_samples: 200, evaluation.robustness_documents: 0}\n"
    )


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Build:
    folder = tmp_path_factory.mktemp("run")
    write_registry(folder / "registry")
    build = Build(folder / "registry", folder / "out")
    _, kinds, warnings = build()
    assert kinds == ["base", "train", "evaluate"]
    assert warnings == []
    return build


@pytest.fixture
def build(first: Build, tmp_path: Path) -> Build:
    """A copy of a build, moved to another place."""
    shutil.copytree(first.registry, tmp_path / "registry")
    shutil.copytree(first.out, tmp_path / "out")
    return Build(tmp_path / "registry", tmp_path / "out")


def test_a_tightened_licence_takes_the_quotes_out_and_runs_no_stage(build: Build) -> None:
    before = build.result()
    assert before["errors"]["examples"] or before["scores"]["test"]["micro_f1"] == 1
    assert before["corpus_record"]["examples"]["Disease"]
    assert "asthma" in build.card()
    build.change("spdx: CC-BY-4.0", "spdx: CC-BY-NC-ND-4.0")
    assert {state for state, _ in build.states().values()} == {"cached"}
    outcome, kinds, _ = build()
    assert kinds == []
    assert [result.checkpoint_id for result in outcome.built] == [ID]
    after = build.result()
    assert after["errors"]["examples"] == [] and not any(after["corpus_record"]["examples"].values())
    assert "asthma" not in json.dumps(after) and "asthma" not in build.card()
    assert after["corpus_record"]["license"] == "CC-BY-NC-ND-4.0" and not after["publishable"]
    assert after["scores"] == before["scores"]
    build.change("spdx: CC-BY-NC-ND-4.0", "spdx: CC-BY-4.0")
    assert build()[1] == []
    assert build.result()["corpus_record"]["examples"] == before["corpus_record"]["examples"], "they were kept aside"


def test_a_changed_title_is_rendered_anew_and_runs_no_stage(build: Build) -> None:
    build.change("title: Six sentences", "title: Half a dozen")
    assert {state for state, _ in build.states().values()} == {"cached"}
    assert build()[1] == []
    assert build.result()["corpus_record"]["title"] == "Half a dozen"
    assert "Half a dozen" in build.card()


def test_a_changed_unit_trains_again(build: Build) -> None:
    build.change("unit: sentence", "unit: document")
    states = build.states()
    assert states["base"] == ("cached", "done")
    assert states["train"] == ("changed", "changed: finetune.join_sentences")
    assert states["evaluate"] == ("changed", "changed: train, unit")


def test_a_value_that_a_corpus_of_documents_overrides_changes_nothing(build: Build) -> None:
    build.change("unit: sentence", "unit: document")
    context = build.context()
    plans = [
        make_plan([context.registry.checkpoint(ID, {"finetune.join_sentences": share})], context)
        for share in (0.0, 0.7)
    ]
    assert plans[0].last[ID].fingerprint == plans[1].last[ID].fingerprint


def test_a_moved_folder_is_up_to_date_and_its_adapter_names_the_base_that_is_there(build: Build, first: Build) -> None:
    adapter = build.out / "checkpoints" / ID / "adapter"
    assert Path(named_base(adapter)).is_relative_to(first.out.resolve())
    gone = first.out.rename(first.out.with_name("gone"))
    try:
        assert [check.state for check in check_builds(build.out)] == ["warning"]
    finally:
        gone.rename(first.out)
    outcome, kinds, _ = build()
    assert kinds == [] and outcome.unchanged == (ID,)
    assert Path(named_base(adapter)).is_relative_to(build.out.resolve())
    assert (Path(named_base(adapter)) / "config.json").is_file()
    assert [check.state for check in check_builds(build.out)] == ["ok"]
    for folder in ("bases", "artefacts"):
        shutil.rmtree(build.out / folder)
    (lost,) = check_builds(build.out)
    assert (lost.state, lost.finding) == ("problem", f"1 of 1 adapters lack their base: {ID}")


def test_registries_with_other_types_build_into_one_folder(build: Build, tmp_path: Path) -> None:
    """Each model keeps its own labels, and the plain name is that of the label space everybody has."""
    from transformers import pipeline

    outs = {}
    for name, other in (("a", "NO"), ("b", "Variant")):
        registry = tmp_path / name
        shutil.copytree(build.registry, registry)
        (registry / "labels.yaml").write_text(f"types: [{{name: {other}X, description: made in the tests}}]\n")
        path = registry / "corpora" / "tiny.yaml"
        text = (
            path.read_text().replace("Disease: Disease", f"Disease: {other}X").replace("id: tiny", f"id: tiny-{name}")
        )
        path.unlink()
        (registry / "corpora" / f"tiny-{name}.yaml").write_text(text.replace("Disease: Disease", f"Disease: {other}X"))
        context = Context(load_registry(registry), Settings(out=build.out, offline=True))
        made = run(
            [context.registry.checkpoint(f"tiny-bert/tiny-{name}")],
            context,
            InProcess(),
            keep_going=True,
            reporter=Reporter(),
        )
        assert not made.failures
        outs[name] = made.built[0]
    bases = {folder.name: read_base_info(folder)["fingerprint"] for folder in (build.out / "bases").iterdir()}
    assert len(bases) == 3
    assert bases["tiny-bert"] == build.result()["fingerprints"]["base"], "the first is where it was"
    for name, other in (("a", "NOX"), ("b", "VariantX")):
        result = outs[name]
        assert result.base_repo_id == f"openmed/tiny-bert-ner-{result.fingerprints['base'][:8]}"
        assert bases[Layout(build.out).base_of(result).name] == result.fingerprints["base"]
        tagger = pipeline("token-classification", str(build.out / "checkpoints" / "tiny-bert" / f"tiny-{name}/adapter"))
        assert f"B-{other}" in tagger.model.config.label2id


def test_a_base_that_another_adapter_stands_on_is_not_replaced(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the libraries are newer than those that an earlier checkpoint was made with."""
    from zoo.pipeline.assemble import assemble_base
    from zoo.pipeline.plan import chain

    old = read_base_info(build.out / "bases" / "tiny-bert")["fingerprint"]
    monkeypatch.setattr("zoo.pipeline.stage._LIBRARIES", ("torch",))
    context = build.context()
    stage = chain(make_plan([context.registry.checkpoint(ID)], context).last[ID])["base"]
    assert stage.fingerprint != old
    assert not isinstance(try_stage(stage, context, StageProgress()), Failure)
    assert assemble_base(stage, context).name == f"tiny-bert-{stage.fingerprint[:8]}"
    assert read_base_info(build.out / "bases" / "tiny-bert")["fingerprint"] == old
    shutil.rmtree(build.out / "checkpoints")
    assert assemble_base(stage, context).name == "tiny-bert", "nothing stands on the old one any more"


def test_a_build_without_pre_training_needs_no_passages_of_the_usual_recipe(build: Build) -> None:
    """As `--fast` does: its base is not the canonical one, and nobody looks for what that is made of."""
    (build.registry / "passages").mkdir()
    (build.registry / "passages" / "far.yaml").write_text(f"id: far\ntitle: Far away\n{_LICENSE}")
    recipes = build.registry / "recipes.yaml"
    recipes.write_text(recipes.read_text() + '  - match: "tiny-bert/*"\n    set: {dapt.passages: [far]}\n')
    shutil.rmtree(build.out / "checkpoints")
    (result,) = build({"dapt.passages": []})[0].built
    assert result.base_repo_id == f"openmed/tiny-bert-ner-{result.fingerprints['base'][:8]}"
    assert "--set 'dapt.passages=[]'" in result.rebuild_command


def test_few_steps_and_nothing_found_are_warned_of(build: Build) -> None:
    settings = {"finetune.epochs": 2, "finetune.batch_size": 18}
    outcome, kinds, warnings = build(settings)
    assert kinds == ["train", "evaluate"]
    assert len(warnings) == 3
    assert warnings[0].startswith("only 2 training steps (18 documents, 2 epochs): the model may find nothing")
    assert "no mention of the dev split was found" in warnings[1]
    assert "nothing was found in the test documents" in warnings[2]
    assert list(outcome.built[0].notes) == warnings
    assert build.result()["notes"] == warnings
    assert all(warning[1:20] in build.card() for warning in warnings)
