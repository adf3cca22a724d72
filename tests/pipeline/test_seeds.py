"""One build of several seeds gives what as many builds of one seed give, and publishes the adapter of the first."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.test_run import ID, Build, InProcess, Warned, write_registry
from zoo.board.rows import refresh_board
from zoo.cards.check import check_card
from zoo.evaluation.predictions import PREDICTIONS_FILE
from zoo.evaluation.result import RESULT_FILE, load_result, seed_folder
from zoo.hub.bundle import evaluation_results
from zoo.pipeline.collect import find_garbage
from zoo.pipeline.plan import make_plan
from zoo.pipeline.run import run
from zoo.pipeline.schedule import Failure, Schedule
from zoo.pipeline.stages import stage_kind
from zoo.registry.loader import load_registry

SEEDS = (13, 14, 15)
MEASURED = ("train_seconds", "energy_wh", "emissions_g", "created")
"""Fields of a row that differ between two runs of the same work."""


@pytest.fixture(scope="module")
def singles(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Build]:
    """A build of each seed, in a folder of its own."""
    folder = tmp_path_factory.mktemp("seeds")
    write_registry(folder / "registry")
    builds = {seed: Build(folder / "registry", folder / f"out-{seed}") for seed in SEEDS}
    for seed, build in builds.items():
        build({"seed": seed})
    return builds


@pytest.fixture(scope="module")
def together(singles: dict[int, Build], tmp_path_factory: pytest.TempPathFactory) -> tuple[Build, list[str]]:
    """A build of three seeds over that of the first, and the kinds of stages that it ran."""
    out = tmp_path_factory.mktemp("together") / "out"
    shutil.copytree(singles[13].out, out)
    build = Build(singles[13].registry, out)
    outcome, kinds, _ = build({"seeds": 3})
    assert [result.checkpoint_id for result in outcome.built] == [ID]
    return build, kinds


def folder_of(build: Build) -> Path:
    return build.out / "checkpoints" / ID


def weights(build: Build) -> bytes:
    return (folder_of(build) / "adapter" / "adapter_model.safetensors").read_bytes()


def test_the_build_of_the_first_seed_is_used_and_its_adapter_published(
    singles: dict[int, Build], together: tuple[Build, list[str]]
) -> None:
    build, kinds = together
    assert kinds == ["train", "evaluate", "train", "evaluate"]
    assert weights(build) == weights(singles[13]) != weights(singles[14])
    result, single = load_result(folder_of(build) / RESULT_FILE), load_result(folder_of(singles[13]) / RESULT_FILE)
    assert (result.scores, result.seeds) == (single.scores, [13])
    assert single.seed_scores is None and single.recipe["seeds"] == 1 and result.recipe["seeds"] == 3
    assert result.energy.seconds > single.energy.seconds
    assert "--set seeds=3" in result.rebuild_command and "--set seeds" not in single.rebuild_command


def test_each_seed_has_the_scores_of_its_own_build(
    singles: dict[int, Build], together: tuple[Build, list[str]]
) -> None:
    folder = folder_of(together[0])
    found = load_result(folder / RESULT_FILE).each_seed()
    assert [result.seeds for result in found] == [[seed] for seed in SEEDS]
    for result, (seed, build) in zip(found, singles.items(), strict=True):
        alone = load_result(folder_of(build) / RESULT_FILE)
        assert result.scores == alone.scores, seed
        for name in ("train", "evaluate", "adapter"):
            assert result.fingerprints[name] == alone.fingerprints[name]
        own = folder if seed == 13 else seed_folder(folder, seed)
        assert (own / PREDICTIONS_FILE).read_bytes() == (folder_of(build) / PREDICTIONS_FILE).read_bytes()


def test_its_row_is_the_one_that_the_builds_are_joined_to(
    singles: dict[int, Build], together: tuple[Build, list[str]], tmp_path: Path
) -> None:
    registry = load_registry(singles[13].registry)
    first, *others = [shutil.copytree(build.out, tmp_path / str(seed)) for seed, build in singles.items()]

    def row(out: Path, *more: Path) -> dict[str, Any]:
        (found,) = refresh_board(out, registry, more)
        return {name: value for name, value in found.items() if name not in MEASURED}

    one = row(together[0].out)
    assert one == row(first, *others)
    assert (one["n_seeds"], one["seeds"]) == (3, "13 14 15")
    seeds = load_result(folder_of(together[0]) / RESULT_FILE).seed_scores
    assert seeds is not None and seeds.test_ci95 == (one["test_ci95_low"], one["test_ci95_high"])
    assert (seeds.test_micro_f1.mean, seeds.test_micro_f1.std) == (one["test_micro_f1"], one["test_micro_f1_std"])
    assert one == row(together[0].out, *others), "a seed that was built alone, too, counts once"


def test_the_card_names_mean_and_spread_beside_its_own_score(together: tuple[Build, list[str]]) -> None:
    card, result = together[0].card(), load_result(folder_of(together[0]) / RESULT_FILE)
    seeds = result.seed_scores
    assert seeds is not None
    both = f"{100 * seeds.test_micro_f1.mean:.2f} ± {100 * seeds.test_micro_f1.std:.2f}"
    assert f"**{both}**" in card and f"**{100 * result.scores.test.micro_f1:.2f}**" in card
    for run_ in seeds.runs:
        assert f"| {100 * run_.scores.dev.micro_f1:.2f} | {100 * run_.scores.test.micro_f1:.2f} |" in card
    check_card(card, result)
    entry = load_registry(together[0].registry).corpus(ID.partition("/")[2])
    assert "over 3 seeds" in evaluation_results(result, entry)


def test_a_second_build_runs_nothing_and_nothing_of_it_is_garbage(together: tuple[Build, list[str]]) -> None:
    build, _ = together
    outcome, kinds, _ = build({"seeds": 3})
    assert kinds == [] and outcome.unchanged == (ID,)
    assert find_garbage(build.context()) == []
    assert {state for state, _ in build.states({"seeds": 3}).values()} == {"cached"}


class OneBroken(InProcess):
    """Fails one kind of stage for one seed, or for all where it is none."""

    def __init__(self, kind: str, seed: int | None) -> None:
        super().__init__()
        self.broken = (kind, seed)

    def run(self, schedule: Schedule, context: Any, reporter: Any) -> None:
        while stage := schedule.take():
            if (stage.kind, stage.seed) == self.broken:
                schedule.failed(stage, Failure(stage.id, "out of luck"))
            else:
                schedule.done(stage)


@pytest.mark.parametrize(
    ("kind", "seed", "message"),
    [
        ("train", 14, "seed 14: out of luck"),
        ("evaluate", 13, "seed 13: out of luck"),
        ("base", None, "out of luck"),
    ],
)
def test_a_seed_that_fails_is_the_checkpoints_failure_and_is_named(
    singles: dict[int, Build], tmp_path: Path, kind: str, seed: int | None, message: str
) -> None:
    context = Build(singles[13].registry, tmp_path / "out").context()
    outcome = run(
        [context.registry.checkpoint(ID, {"seeds": 3})],
        context,
        OneBroken(kind, seed),
        keep_going=True,
        reporter=Warned(),
    )
    assert {name: failure.message for name, failure in outcome.failures.items()} == {ID: message}
    assert not outcome.built and not folder_of(Build(singles[13].registry, tmp_path / "out")).exists()


def test_what_a_search_found_is_trained_with_the_other_seeds(singles: dict[int, Build], tmp_path: Path) -> None:
    out = shutil.copytree(singles[13].out, tmp_path / "out")
    build = Build(singles[13].registry, out)
    space = {"finetune.learning_rate": {"low": 5e-3, "high": 2e-2, "log": True}}
    settings = {"seeds": 2, "tune.trials": 2, "tune.space": space, "finetune.epochs": 6}
    _, kinds, _ = build(settings)
    assert sorted(kinds) == ["evaluate", "evaluate", "train", "train", "tune"]
    context = build.context()
    plan = make_plan([context.registry.checkpoint(ID, settings)], context)
    trained = []
    for last in plan.lasts(ID):
        (train,) = (stage for stage in last.inputs_first() if stage.kind == "train")
        trained.append(stage_kind("train").read(context.store.get("train", train.fingerprint)).recipe)
    assert [recipe["seed"] for recipe in trained] == [13, 14]
    for part in ("lora", "finetune"):
        assert trained[0][part] == trained[1][part]
    result = json.loads((folder_of(build) / RESULT_FILE).read_text())
    assert result["tune"]["best_values"]["finetune.learning_rate"] == trained[1]["finetune"]["learning_rate"]
    first, second = load_result(folder_of(build) / RESULT_FILE).each_seed()
    search = first.energy_stages["tune"].seconds
    assert first.energy.seconds > search and second.energy.seconds > search, "each stands on the search"


def test_a_result_of_before_several_seeds_is_read(together: tuple[Build, list[str]]) -> None:
    result = load_result(folder_of(together[0]) / RESULT_FILE)
    data = result.model_dump(mode="json", exclude={"seed_scores"})
    del data["recipe"]["seeds"]
    old = type(result).from_json(json.dumps(data).encode(), what="no result", where="x")
    assert old.each_seed() == [old]
