"""Trained share and adapter size of every checkpoint that the registry defines, from shapes alone."""

from __future__ import annotations

import pytest

from zoo.modeling.labels import LabelSpace
from zoo.modeling.sizes import expected_size
from zoo.registry.loader import load_registry
from zoo.registry.recipes import LoraRecipe

REGISTRY = load_registry()


@pytest.mark.parametrize("name", sorted(REGISTRY.backbones))
def test_every_recipe_trains_under_one_and_a_half_percent_in_adapters_under_5_mb(name: str) -> None:
    backbone = REGISTRY.backbone(name)
    family, labels = REGISTRY.families[backbone.family], LabelSpace.from_entry(REGISTRY.labels)
    corpora = {c for suite in REGISTRY.suites.values() if name in suite.backbones for c in suite.corpora}
    recipes = {repr(r): r for c in corpora or {"ncbi-disease"} if (r := REGISTRY.checkpoint(f"{name}/{c}").recipe.lora)}
    for recipe in recipes.values():
        size = expected_size(backbone, family, recipe, labels)
        assert size is not None, f"{name} has no config"
        assert 0 < size.trained_share < 0.015
        assert size.adapter_bytes < 4.95e6  # adapter_config.json and the header of the weights come to some 40 kB


@pytest.mark.parametrize("name", sorted(REGISTRY.backbones))
def test_the_config_has_the_registered_number_of_parameters(name: str) -> None:
    backbone = REGISTRY.backbone(name)
    family, labels = REGISTRY.families[backbone.family], LabelSpace.from_entry(REGISTRY.labels)
    size = expected_size(backbone, family, LoraRecipe(rank=1), labels)
    assert size is not None
    assert size.trained_parameters / size.trained_share == pytest.approx(1e6 * backbone.parameters_million, rel=0.03)


def test_the_count_of_minilm_is_that_of_a_real_build() -> None:
    """298,497 of 22,9 million: what `zoo build minilm-l6/...` trains and reports."""
    checkpoint = REGISTRY.checkpoint("minilm-l6/ncbi-disease")
    family, labels = REGISTRY.families[checkpoint.backbone.family], LabelSpace.from_entry(REGISTRY.labels)
    size = expected_size(checkpoint.backbone, family, checkpoint.recipe.lora, labels)
    assert size is not None
    assert size.trained_parameters == 298_497
    assert size.trained_share == pytest.approx(0.0130, abs=1e-4)
