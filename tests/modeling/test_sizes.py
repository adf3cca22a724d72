"""Trained share and adapter size of every checkpoint that the registry defines, from shapes alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zoo.modeling.labels import LabelSpace
from zoo.modeling.sizes import expected_size
from zoo.registry.loader import load_registry
from zoo.registry.recipes import LoraRecipe, Recipe

REGISTRY = load_registry()


LABELS = LabelSpace.from_entry(REGISTRY.labels)


@pytest.mark.parametrize("name", sorted(REGISTRY.backbones))
def test_every_recipe_trains_under_one_and_a_half_percent_in_adapters_under_5_mb(name: str) -> None:
    family = REGISTRY.families[REGISTRY.backbone(name).family]
    corpora = {c for suite in REGISTRY.suites.values() if name in suite.backbones for c in suite.corpora}
    checkpoints = [REGISTRY.checkpoint(f"{name}/{corpus}") for corpus in corpora or {"ncbi-disease"}]
    for checkpoint in {repr((c.recipe.lora, c.recipe.heads)): c for c in checkpoints}.values():
        size = expected_size(checkpoint, family, LABELS)
        assert size is not None, f"{name} has no config"
        assert 0 < size.trained_share < 0.015
        assert size.adapter_bytes < 4.95e6  # adapter_config.json and the header of the weights come to some 40 kB


@pytest.mark.parametrize("name", sorted(REGISTRY.backbones))
def test_the_config_has_the_registered_number_of_parameters(name: str) -> None:
    checkpoint = REGISTRY.checkpoint(f"{name}/ncbi-disease")
    backbone = checkpoint.backbone
    checkpoint = replace(checkpoint, recipe=Recipe(lora=LoraRecipe(rank=1)))
    size = expected_size(checkpoint, REGISTRY.families[backbone.family], LABELS)
    assert size is not None
    assert size.trained_parameters / size.trained_share == pytest.approx(1e6 * backbone.parameters_million, rel=0.03)


@pytest.mark.parametrize(("corpus", "parameters"), [("ncbi-disease", 298_497), ("genia", 340_246)])
def test_the_count_of_minilm_is_that_of_a_real_build(corpus: str, parameters: int) -> None:
    """Of 22,9 million: what `zoo build minilm-l6/...` trains and reports, with one head and with two of GENIA."""
    checkpoint = REGISTRY.checkpoint(f"minilm-l6/{corpus}")
    size = expected_size(checkpoint, REGISTRY.families[checkpoint.backbone.family], LABELS)
    assert size is not None
    assert size.trained_parameters == parameters
    assert size.trained_share == pytest.approx(parameters / 22.9e6, abs=1e-4)
