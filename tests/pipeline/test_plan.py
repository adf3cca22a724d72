"""Plans: a fingerprint changes with what its stage depends on, and with nothing else; reasons say which field."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.builds import environment, write_empty_models, write_registry
from zoo.cli import app
from zoo.energy import grams_per_wh
from zoo.hub.push import PushOptions
from zoo.pipeline.context import Context
from zoo.pipeline.gpus import GPUS
from zoo.pipeline.obstacles import obstacles
from zoo.pipeline.plan import Plan, chain, inspect, make_plan
from zoo.pipeline.publish import check_licenses
from zoo.pipeline.stage import Stage
from zoo.pipeline.stages import dapt, stage_kind
from zoo.pipeline.store import RESUME
from zoo.registry.loader import load_registry
from zoo.registry.recipes import DaptRecipe
from zoo.settings import Settings

IDS = ("tiny-bert/tiny", "tiny-bert/other", "tiny-electra/other")
ALL = {
    "dapt tiny-bert",
    "base tiny-bert",
    "base tiny-electra",
    "tune tiny-bert/tiny",
    *(f"{kind} {name}" for kind in ("train", "evaluate") for name in IDS),
}
BERT = {name for name in ALL if "tiny-bert" in name}
TUNED = {"tune tiny-bert/tiny", "train tiny-bert/tiny", "evaluate tiny-bert/tiny"}
TRAINED = {name for name in ALL if name.startswith(("tune", "train", "evaluate"))}
SCORED = {name for name in ALL if name.startswith("evaluate")}
OTHER = {name for name in TRAINED if name.endswith("/other")}


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    write_empty_models(tmp_path / "models")
    return write_registry(tmp_path / "registry", tmp_path / "models")


def planned(registry: Path, settings: dict[str, Any] | None = None, **changes: Any) -> tuple[Plan, Context]:
    context = Context(load_registry(registry), Settings(out=registry.parent / "out", offline=True))
    context = replace(context, settings=replace(context.settings, **changes))
    plan = make_plan([context.registry.checkpoint(name, settings) for name in IDS], context)
    assert not plan.unreadable
    return plan, context


def fingerprints(plan: Plan) -> dict[str, str]:
    return {f"{stage.kind} {stage.name}": stage.fingerprint for stage in plan.stages}


def test_inputs_come_first_and_no_stage_twice(registry: Path) -> None:
    plan, _ = planned(registry)
    names = [f"{stage.kind} {stage.name}" for stage in plan.stages]
    assert sorted(names) == sorted(ALL)
    place = {stage.fingerprint: number for number, stage in enumerate(plan.stages)}
    assert all(place[need.fingerprint] < place[stage.fingerprint] for stage in plan.stages for need in stage.needs)
    kinds = {name: list(chain(plan.last[name])) for name in IDS}
    assert kinds["tiny-bert/tiny"] == ["dapt", "base", "tune", "train", "evaluate"]
    assert kinds["tiny-electra/other"] == ["base", "train", "evaluate"]
    shared = {chain(plan.last[name])["base"].fingerprint for name in IDS[:2]}
    assert len(shared) == 1


@pytest.mark.parametrize(
    ("setting", "changed"),
    [
        ({"seed": 14}, TRAINED),
        ({"lora.rank": 3}, TRAINED),
        ({"lora.targets": ["query"]}, TRAINED),
        ({"finetune.epochs": 2}, TRAINED),
        ({"finetune.label_smoothing": 0.1}, TRAINED),
        ({"finetune.noise": 0.5}, TRAINED),
        ({"evaluation.bootstrap_samples": 300}, SCORED),
        ({"tune.prune_after_epochs": 3}, TUNED),
        ({"dapt.learning_rate": 1e-3}, BERT),
        ({"dapt.test_sets": ["tiny"]}, BERT),
        ({"dapt.seed": 1}, BERT),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_setting_reaches_what_depends_on_it(registry: Path, setting: dict[str, Any], changed: set[str]) -> None:
    before, after = fingerprints(planned(registry)[0]), fingerprints(planned(registry, setting)[0])
    assert {name for name in before if before[name] != after[name]} == changed


def test_noise_that_is_not_asked_for_changes_no_key_and_its_language_does(registry: Path) -> None:
    entry = registry / "corpora" / "other.yaml"
    plain, noisy = (fingerprints(planned(registry, {"finetune.noise": share})[0]) for share in (0.0, 0.5))
    assert all("noise" not in json.dumps(stage.key) for stage in planned(registry)[0].stages)
    entry.write_text(entry.read_text() + "language: es\n")
    clean, other = (fingerprints(planned(registry, {"finetune.noise": share})[0]) for share in (0.0, 0.5))
    scored = {name for name in OTHER if name.startswith("evaluate")}  # in the spellings of the language
    assert {name for name in plain if plain[name] != clean[name]} == scored
    assert {name for name in noisy if noisy[name] != other[name]} == OTHER


def drop_last_line(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def other_words(path: Path) -> None:
    path.write_text(path.read_text().replace("fever", "rash"))


def new_title(path: Path) -> None:
    path.write_text(path.read_text().replace("title: Tiny", "title: Another"))


@pytest.mark.parametrize(
    ("file", "change", "changed"),
    [
        ("data-other/train.jsonl", drop_last_line, OTHER),
        ("data-other/dev.jsonl", drop_last_line, OTHER),
        ("data-other/test.jsonl", drop_last_line, BERT | {n for n in SCORED if n.endswith("/other")}),
        ("texts/passages.jsonl", other_words, BERT),
        ("models/bert/model.safetensors", lambda path: path.write_bytes(b"other weights"), BERT),
        ("models/roberta/config.json", lambda path: path.write_text('{"a": 1}'), set()),
        ("corpora/other.yaml", new_title, set()),
        ("backbones/tiny-bert.yaml", new_title, set()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_reaches_what_depends_on_it(
    registry: Path, file: str, change: Callable[[Path], object], changed: set[str]
) -> None:
    before = fingerprints(planned(registry)[0])
    change(registry / file)
    after = fingerprints(planned(registry)[0])
    assert {name for name in before if before[name] != after[name]} == changed


@pytest.mark.parametrize("name", ["org", "country"])
def test_who_publishes_from_where_changes_no_stage(registry: Path, name: str) -> None:
    assert fingerprints(planned(registry)[0]) == fingerprints(planned(registry, **{name: "DEU"})[0])


def test_where_files_lie_changes_no_stage(registry: Path, tmp_path: Path) -> None:
    before = fingerprints(planned(registry)[0])
    moved = registry.rename(tmp_path / "elsewhere")
    assert fingerprints(planned(moved)[0]) == before


@pytest.mark.parametrize(
    ("kind", "changed"),
    [("dapt", BERT), ("base", ALL - {"dapt tiny-bert"}), ("tune", TUNED), ("train", TRAINED), ("evaluate", SCORED)],
)
def test_new_code_of_a_stage_runs_it_again(
    registry: Path, kind: Any, changed: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fingerprints(planned(registry)[0])
    monkeypatch.setattr(type(stage_kind(kind)), "code", 99)
    after = fingerprints(planned(registry)[0])
    expected = changed - {"tune tiny-bert/tiny"} if kind == "train" else changed
    assert {name for name in before if before[name] != after[name]} == expected


def test_other_versions_of_libraries_run_all_again(registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprints(planned(registry)[0])
    monkeypatch.setattr("zoo.pipeline.stage.version", lambda name: "99")
    after = fingerprints(planned(registry)[0])
    assert {name for name in before if before[name] != after[name]} == ALL


def do(context: Context, stage: Stage) -> None:
    """An artefact of a stage, without its work."""
    work = context.store.work_folder(stage.kind, stage.fingerprint)
    context.store.finish(work, stage.kind, stage.name, stage.fingerprint, stage.key)


def test_states_and_reasons(registry: Path) -> None:
    plan, context = planned(registry)

    def states(plan: Plan) -> dict[str, tuple[str, str]]:
        found = inspect(plan, context)
        return {f"{s.stage.kind} {s.stage.name}": (s.state, s.reason) for s in found}

    assert set(states(plan).values()) == {("new", "never made here")}
    for stage in plan.stages:
        if stage.name != "tiny-electra/other":
            do(context, stage)
    train = chain(plan.last["tiny-electra/other"])["train"]
    work = context.store.work_folder(train.kind, train.fingerprint)
    assert states(plan)["train tiny-electra/other"][0] == "new", "begun, but nothing to go on from"
    (work / RESUME / "snapshot.safetensors").write_bytes(b"")
    now = states(plan)
    assert now.pop("train tiny-electra/other") == ("resume", "begun before, goes on where it stopped")
    assert now.pop("evaluate tiny-electra/other") == ("new", "never made here")
    assert set(now.values()) == {("cached", "done")}

    other, _ = planned(registry, {"finetune.epochs": 2, "finetune.patience": 1})
    now = states(other)
    assert now["base tiny-bert"] == ("cached", "done")
    assert now["train tiny-bert/other"] == ("changed", "changed: finetune.epochs, finetune.patience")
    assert now["evaluate tiny-bert/other"] == ("changed", "changed: train")
    drop_last_line(registry / "data-tiny" / "dev.jsonl")
    now = states(planned(registry)[0])
    assert now["tune tiny-bert/tiny"] == ("changed", "changed: splits.dev")
    assert now["train tiny-bert/tiny"] == ("changed", "changed: tune")
    assert now["train tiny-bert/other"] == ("cached", "done")


def test_an_unreadable_input_is_that_checkpoints_alone(registry: Path) -> None:
    (registry / "data-tiny" / "train.jsonl").write_text("no JSON\n")
    context = Context(load_registry(registry), Settings(out=registry.parent / "out", offline=True))
    settings = {"dapt.passages": []}
    plan = make_plan([context.registry.checkpoint(name, settings) for name in IDS], context)
    assert set(plan.unreadable) == {"tiny-bert/tiny"}
    assert set(plan.last) == set(IDS[1:])
    assert all(stage.name != "tiny-bert/tiny" for stage in plan.stages)


def plan_of_the_paper(tmp_path: Path, *more: str) -> tuple[dict[str, Any], str]:
    """`zoo plan` of the suite openmed where nothing was ever fetched: as JSON, and as it is shown."""
    order = ["plan", "--all", "--suite", "openmed", "--out", str(tmp_path / "out"), *more]
    shown = []
    for form in ([], ["--json"]):
        env = {"COLUMNS": "1000", "ZOO_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1", "ZOO_COUNTRY": "FRA"}
        done = CliRunner().invoke(app, [*order, *form], env=env)
        assert done.exit_code == 0, done.output
        shown.append(done.output)
    return json.loads(shown[1]), shown[0]


def test_the_plan_of_the_paper_is_complete_where_nothing_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found, text = plan_of_the_paper(tmp_path)
    suite = load_registry().suite("openmed")
    stages = Counter((stage["kind"], stage["name"]) for stage in found["stages"])
    for backbone in suite.backbones:
        assert stages["dapt", backbone] == stages["base", backbone] == 1
        for corpus in suite.corpora:
            name = f"{backbone}/{corpus}"
            assert [stages[kind, name] for kind in ("tune", "train", "evaluate")] == [1, 3, 3], name
    assert sum(stages.values()) == 3 * 2 + 36 * 7
    assert {stage["state"] for stage in found["stages"]} == {"new"} and not any(s["known"] for s in found["stages"])
    assert len({stage["fingerprint"] for stage in found["stages"]}) == len(found["stages"])
    assert "everything is done" not in text
    assert f"{sum(stages.values())} of {sum(stages.values())} stages would run" in text
    assert "36 of 36 checkpoints wait for what is not here" in text


def test_each_obstacle_is_said_once_with_all_that_it_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found, text = plan_of_the_paper(tmp_path)
    suite, recipe = load_registry().suite("openmed"), load_registry().checkpoint("deberta-v3-large/cll").recipe
    stops = {what: len(names) for what, names in found["obstacles"].items()}
    wanted = {f"the backbone {name} ": 12 for name in suite.backbones}
    wanted |= {f"the passages {name} ": 36 for name in recipe.dapt.passages}
    wanted |= {f"the corpus {name} ": 36 for name in suite.corpora}  # their test sentences are kept out of pre-training
    for start, number in wanted.items():
        assert [count for what, count in stops.items() if what.startswith(start)] == [number], start
        assert text.count(start) == 1
    without, _ = plan_of_the_paper(tmp_path, "--set", "dapt.passages=[]")
    assert {len(names) for what, names in without["obstacles"].items() if what.startswith("the corpus")} == {3}


def test_a_fast_plan_has_no_pre_training_no_search_and_one_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found, _ = plan_of_the_paper(tmp_path, "--fast")
    assert Counter(stage["kind"] for stage in found["stages"]) == {"base": 3, "train": 36, "evaluate": 36}
    some, _ = plan_of_the_paper(tmp_path, "--fast", "--set", "seeds=2")
    assert Counter(stage["kind"] for stage in some["stages"]) == {"base": 3, "train": 72, "evaluate": 72}


def test_totals_are_the_sum_of_the_stages_and_stand_beside_the_papers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found, text = plan_of_the_paper(tmp_path)
    grams = found["electricity"]["g_per_kwh"] / 1000
    assert found["electricity"]["of"] == "FRA" and grams == pytest.approx(grams_per_wh("FRA"))
    assert [total["backbone"] for total in found["totals"]] == list(load_registry().suite("openmed").backbones)
    total = found["totals"][0]
    own = [s["estimate"] for s in found["stages"] if s["name"].partition("/")[0] == total["backbone"]]
    assert (total["checkpoints"], total["stages"]) == (12, len(own))
    assert total["disk_bytes"] == pytest.approx(sum(each["disk_bytes"] for each in own))
    assert list(total["machines"]) == ["this machine", *(gpu.name for gpu in GPUS)]
    here = total["machines"]["this machine"]
    assert here["hours"] == pytest.approx(sum(each["seconds"] for each in own) / 3600)
    assert here["energy_wh"] == pytest.approx(sum(each["energy_wh"] for each in own))
    for gpu in GPUS:
        on = total["machines"][gpu.name]
        assert on["hours"] == pytest.approx(sum(each["gpu_seconds"][gpu.name] for each in own) / 3600)
        assert on["energy_wh"] == pytest.approx(on["hours"] * gpu.board_w)
        assert on["emissions_g"] == pytest.approx(on["energy_wh"] * grams)
        assert ("12 h" in on["over"], "1.2 kg" in on["over"]) == (on["hours"] > 12, on["emissions_g"] > 1200)
    assert "over 12 h, over 1.2 kg" in text and "within" in text
    fast, _ = plan_of_the_paper(tmp_path, "--fast")
    assert fast["totals"][0]["machines"]["A100 80GB SXM"]["hours"] < total["machines"]["A100 80GB SXM"]["hours"]


def test_planning_loads_nothing_that_computes(tmp_path: Path) -> None:
    """Versions of the libraries, which stand in the keys, are read without importing them."""
    heavy = "{'torch', 'transformers', 'peft', 'optuna', 'datasets', 'pandas', 'codecarbon'}"
    code = (
        "import sys; from zoo.cli import app\n"
        "app(['plan', '--all', '--suite', 'openmed', '--out', 'out'], standalone_mode=False)\n"
        f"sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(ZOO_CACHE=str(tmp_path), ZOO_COUNTRY="FRA"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_seeds_have_stages_of_their_own_that_differ_in_the_seed_alone(registry: Path) -> None:
    one, three = planned(registry)[0], planned(registry, {"seeds": 3})[0]
    fourteen = planned(registry, {"seed": 14})[0]
    assert {s.fingerprint for s in one.stages} < {s.fingerprint for s in three.stages}
    for name in IDS:
        assert three.last[name].fingerprint == one.last[name].fingerprint
        seeds = [last.seed for last in three.lasts(name)]
        assert seeds == [13, 14, 15] and one.last[name].seed is None
        kinds = Counter(kind for last in three.lasts(name) for kind in chain(last))
        assert kinds["train"] == 3
    for name in IDS[1:]:  # without a search, the second seed is what --set seed=14 builds
        assert three.others[name][0].fingerprint == fourteen.last[name].fingerprint
    assert len({chain(last)["tune"].fingerprint for last in three.lasts(IDS[0])}) == 1, "the search runs once"
    assert len({chain(last)["train"].fingerprint for last in three.lasts(IDS[0])}) == 3


def test_another_seed_was_never_made_and_is_no_changed_one(registry: Path) -> None:
    plan, context = planned(registry)
    for stage in plan.stages:
        do(context, stage)
    three, _ = planned(registry, {"seeds": 3})
    states = Counter((status.stage.kind, status.state) for status in inspect(three, context))
    assert states["train", "new"] == states["evaluate", "new"] == 6
    assert not any(state == "changed" for _, state in states)


def test_text_that_may_not_be_published_is_in_no_recipe_and_is_refused_where_it_is_set(registry: Path) -> None:
    found, mimic = load_registry(), "mimic-iii-notes"
    context = Context(found, Settings(offline=True))
    checkpoints = found.suite_checkpoints("openmed") + found.suite_checkpoints("openmed-base")
    mixtures = {checkpoint.recipe.dapt.passages for checkpoint in checkpoints}
    (mixture,) = mixtures
    assert mimic not in mixture
    usual, own = (
        found.checkpoint("pubmedbert-base/ncbi-disease", values)
        for values in (None, {"dapt.passages": [*mixture, mimic]})
    )
    assert not check_licenses([usual], context, PushOptions())
    (error,) = check_licenses([own], context, PushOptions()).values()
    assert mimic in str(error)
    assert check_licenses([own], context, PushOptions(private=True))


def test_a_corpus_that_is_not_here_is_an_obstacle(registry: Path) -> None:
    """A corpus whose splits are registered is planned without being read; here it is not on this machine."""
    plan, context = planned(registry)
    corpus = context.registry.corpora["other"]
    far = corpus.model_copy(update={"sources": ()})
    last = {name: replace(s, checkpoint=replace(s.checkpoint, corpus=far)) for name, s in plan.last.items()}
    found = obstacles(replace(plan, last=last), inspect(replace(plan, stages=tuple(last.values())), context), context)
    assert list(found.values()) == [["tiny-bert/tiny", "tiny-bert/other", "tiny-electra/other"]]
    assert "not on this machine (no source, and this machine is offline)" in next(iter(found))
    assert obstacles(plan, inspect(plan, context), context) == {}


def test_corpora_that_nobody_can_fetch_keep_no_pretraining_from_running(tmp_path: Path) -> None:
    packaged, recipe = load_registry(), DaptRecipe(passages=("sample-passages",))
    without_home = packaged.corpora["craft"].model_copy(update={"sources": ()})
    registry = replace(packaged, corpora={**packaged.corpora, "craft": without_home})
    without = Context(registry, Settings(out=tmp_path))
    names = [entry.id for entry in dapt.test_corpora(recipe, without)]
    assert "craft" not in names and {"ncbi-disease", "bc5cdr-abstracts"} <= set(names)
    (tmp_path / "corpora" / "craft").mkdir(parents=True)
    with_copy = Context(registry, Settings(out=tmp_path, corpora=tmp_path / "corpora"))
    assert "craft" in [entry.id for entry in dapt.test_corpora(recipe, with_copy)]
    named = DaptRecipe(passages=("sample-passages",), test_sets=("craft",))
    assert [entry.id for entry in dapt.test_corpora(named, without)] == ["craft"]
