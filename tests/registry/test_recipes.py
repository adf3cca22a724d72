"""Recipes: defaults, overrides by pattern, `--set`."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.errors import ZooError
from zoo.registry.loader import load_registry
from zoo.registry.recipes import (
    FAST,
    HeadsRecipe,
    LoraRecipe,
    Recipe,
    RecipeOverride,
    RecipesEntry,
    parse_settings,
    with_values,
)


def test_without_overrides_the_default_holds() -> None:
    assert RecipesEntry().for_checkpoint("any/thing") == Recipe()


def test_matching_overrides_apply_in_order_and_settings_last() -> None:
    entry = RecipesEntry(
        overrides=(
            RecipeOverride(match="big-*/*", set={"finetune.epochs": 3, "lora.rank": 4}),
            RecipeOverride(match="*/notes", set={"finetune.epochs": 5}),
            RecipeOverride(match="*/other", set={"finetune.epochs": 9}),
        )
    )
    found = entry.for_checkpoint("big-one/notes", {"seed": 3})
    assert (found.finetune.epochs, found.lora.rank, found.seed) == (5, 4, 3)
    assert entry.for_checkpoint("big-one/notes", {"finetune.epochs": 7}).finetune.epochs == 7
    assert entry.for_checkpoint("small/notes").lora.rank == Recipe().lora.rank


def test_patterns_tell_capitals_apart() -> None:
    entry = RecipesEntry(overrides=(RecipeOverride(match="*/Notes", set={"seed": 1}),))
    assert entry.for_checkpoint("a/notes") == Recipe()


def test_an_overlay_comes_after_the_packaged_overrides_and_keeps_its_defaults(tmp_path: Path) -> None:
    (tmp_path / "recipes.yaml").write_text('overrides: [{match: "*/sample-gene", set: {finetune.epochs: 2}}]\n')
    above = load_registry(tmp_path).checkpoint("minilm-l6/sample-gene").recipe
    packaged = load_registry().checkpoint("minilm-l6/sample-gene").recipe
    assert above.finetune.epochs == 2 != packaged.finetune.epochs
    assert above.lora == packaged.lora and above.finetune.batch_size == packaged.finetune.batch_size


def test_an_overlay_may_replace_the_default(tmp_path: Path) -> None:
    (tmp_path / "recipes.yaml").write_text("default: {seed: 99}\n")
    found = load_registry(tmp_path).checkpoint("minilm-l6/sample-gene").recipe
    assert found.seed == 99
    assert found.finetune == load_registry().checkpoint("minilm-l6/sample-gene").recipe.finetune


@pytest.mark.parametrize(
    ("assignment", "path", "value"),
    [
        ("finetune.epochs=3", "finetune.epochs", 3),
        ("finetune.learning_rate=1e-3", "finetune.learning_rate", 0.001),
        ("finetune.learning_rate=1.5e-4", "finetune.learning_rate", 0.00015),
        ("finetune.precision=float32", "finetune.precision", "float32"),
        ("lora.targets=[query, value]", "lora.targets", ["query", "value"]),
        ("lora.targets=null", "lora.targets", None),
        (" seed = 5", "seed", 5),
        ("a.b=x=y", "a.b", "x=y"),
    ],
)
def test_settings_are_read_as_yaml(assignment: str, path: str, value: object) -> None:
    assert parse_settings([assignment]) == {path: value}


def test_the_last_of_repeated_settings_holds() -> None:
    assert parse_settings(["seed=1", "seed=2"]) == {"seed": 2}


@pytest.mark.parametrize("assignment", ["seed", "=3", "", "seed=[1", "seed={a: b"])
def test_a_setting_without_path_or_value(assignment: str) -> None:
    with pytest.raises(ZooError) as caught:
        parse_settings([assignment])
    assert caught.value.where == "--set"


def test_values_are_checked_and_the_recipe_stays_as_it_was() -> None:
    before = Recipe()
    changed = with_values(before, {"lora.targets": ["query"], "finetune.learning_rate": 1e-4}, where="--set")
    assert changed.lora.targets == ("query",) and changed.finetune.learning_rate == 1e-4
    assert before == Recipe()


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("finetune.epoch", 3, ("no setting 'finetune.epoch'", "did you mean finetune.epochs")),
        ("epochs", 3, ("no setting 'epochs'", "finetune.epochs")),
        ("finetune", 3, ("no setting 'finetune'",)),
        ("seed.x", 3, ("no setting 'seed.x'",)),
        ("finetune.epochs.x", 3, ("no setting",)),
        ("", 3, ("no setting",)),
        ("finetune.epochs", 0, ("finetune.epochs", "greater than or equal to 1", "found 0")),
        ("finetune.epochs", 1.5, ("finetune.epochs", "found 1.5")),
        ("finetune.epochs", "many", ("finetune.epochs", "'many'")),
        ("finetune.warmup_share", 1, ("less than 1",)),
        ("finetune.precision", "float16", ("'float32' or 'bfloat16'",)),
        ("lora.rank", 1000, ("lora.rank", "256")),
        ("lora.dropout", 1.0, ("lora.dropout",)),
        ("evaluation.bootstrap_samples", 10, ("100",)),
        ("seed", None, ("seed", "None")),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(path: str, value: object, words: tuple[str, ...]) -> None:
    with pytest.raises(ZooError) as caught:
        with_values(Recipe(), {path: value}, where="--set")
    for word in ("--set", *words):
        assert word in str(caught.value), f"{word!r} not in:\n{caught.value}"


def test_every_packaged_override_matches_something() -> None:
    """An override that no checkpoint meets is a misspelt pattern."""
    registry = load_registry()
    ids = [f"{backbone}/{corpus}" for backbone in registry.backbones for corpus in registry.corpora]
    for override in registry.recipes.overrides:
        other = Recipe(lora=LoraRecipe(rank=1), heads=HeadsRecipe(layout="flat"))  # an override may be of the defaults
        alone = RecipesEntry(default=other, overrides=(override,))
        assert any(alone.for_checkpoint(item) != other for item in ids), override.match


def test_packaged_ranks_differ_where_the_trained_share_asks_for_it() -> None:
    registry = load_registry()
    assert registry.checkpoint("minilm-l6/ncbi-disease").recipe.lora.rank == 6
    assert registry.checkpoint("pubmedbert-base/ncbi-disease").recipe.lora.rank == 8


def test_the_papers_backbones_have_all_stages_and_three_seeds_by_default() -> None:
    found = load_registry()
    for suite in ("openmed", "openmed-base"):
        for checkpoint in found.suite_checkpoints(suite):
            recipe = checkpoint.recipe
            assert len(recipe.dapt.passages) == 4 and recipe.dapt.test_sets is None, checkpoint.id
            assert (recipe.tune.trials, recipe.seeds) == (40, 3) and recipe.tune.minutes, checkpoint.id
            assert list(checkpoint.seeds) == [13, 14, 15]
    for name in ("deberta-v3-large/sample-gene", "minilm-l6/sample-gene"):
        recipe = found.checkpoint(name).recipe
        assert (recipe.dapt.passages, recipe.tune.trials, recipe.seeds) == (("sample-passages",), 2, 1)
        assert recipe.tune.minutes is None
    recipe = found.checkpoint("minilm-l6/bc2gm").recipe
    assert (recipe.dapt.passages, recipe.tune.trials, recipe.seeds) == ((), 0, 1)


def test_fast_leaves_out_what_takes_long() -> None:
    recipe = load_registry().checkpoint("deberta-v3-large/bc2gm", FAST).recipe
    assert (recipe.dapt.passages, recipe.tune.trials, recipe.seeds) == ((), 0, 1)
    assert recipe.finetune == load_registry().checkpoint("deberta-v3-large/bc2gm").recipe.finetune


@pytest.mark.parametrize("seeds", [0, 11])
def test_there_is_one_seed_and_at_most_ten(seeds: int) -> None:
    with pytest.raises(ZooError, match="seeds"):
        load_registry().checkpoint("minilm-l6/bc2gm", {"seeds": seeds})
