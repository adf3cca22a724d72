"""Recipes: hyper-parameters of a build, with defaults, per-pattern overrides and `--set path=value`."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import yaml
from pydantic import Field

from zoo.errors import ZooError, did_you_mean
from zoo.registry.schema import Entry


class LoraRecipe(Entry):
    """Low-rank adapters (arXiv 2106.09685)."""

    rank: int = Field(default=8, ge=1, le=256)
    alpha: float = Field(default=16, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1, description="above 0 it halves the speed of training on CPUs")
    targets: tuple[str, ...] | None = Field(default=None, description="null: what the backbone's family says")


class FinetuneRecipe(Entry):
    """Token-classification training on one corpus."""

    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=16, ge=1, description="documents in one step; a run counts as many as it joins")
    learning_rate: float = Field(default=5e-4, gt=0)
    warmup_share: float = Field(default=0.1, ge=0, lt=1, description="share of all steps with rising learning rate")
    weight_decay: float = Field(default=0.01, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    max_grad_norm: float = Field(default=1.0, gt=0)
    join_sentences: float = Field(
        default=0.0, ge=0, le=0.9, description="sentence corpora: share of the sentences trained on in runs of 2 to 10"
    )
    patience: int = Field(default=3, ge=1, description="epochs without a better dev strict F1 before stopping")
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


class EvaluationRecipe(Entry):
    """How intervals are drawn."""

    bootstrap_samples: int = Field(default=10_000, ge=100)


class Recipe(Entry):
    """All hyper-parameters of one checkpoint."""

    seed: int = Field(default=13, ge=0)
    lora: LoraRecipe = LoraRecipe()
    finetune: FinetuneRecipe = FinetuneRecipe()
    evaluation: EvaluationRecipe = EvaluationRecipe()


class RecipeOverride(Entry):
    """Values that replace the defaults for the checkpoints whose id matches a shell pattern."""

    match: str
    set: dict[str, Any]


class RecipesEntry(Entry):
    """recipes.yaml."""

    default: Recipe = Recipe()
    overrides: tuple[RecipeOverride, ...] = ()

    def for_checkpoint(self, checkpoint_id: str, settings: Mapping[str, Any] | None = None) -> Recipe:
        """The recipe of one checkpoint: defaults, then matching overrides in order, then `settings`.

        Args:
            checkpoint_id: `backbone/corpus`.
            settings: Dotted path -> value, as given by `--set`.

        Raises:
            ZooError: A path does not exist or a value is not allowed there.
        """
        recipe = self.default
        for override in self.overrides:
            if fnmatch.fnmatchcase(checkpoint_id, override.match):
                recipe = with_values(recipe, override.set, where=f"recipes.yaml: overrides: {override.match}")
        return with_values(recipe, settings or {}, where="--set")


def with_values(recipe: Recipe, values: Mapping[str, Any], *, where: str) -> Recipe:
    """A copy of `recipe` with values at dotted paths replaced, checked again by the schema."""
    data = recipe.model_dump()
    for path, value in values.items():
        node: Any = data
        *parents, leaf = path.split(".")
        for name in parents:
            node = node.get(name) if isinstance(node, dict) else None
        if not isinstance(node, dict) or leaf not in node or isinstance(node[leaf], dict):
            raise ZooError(
                f"no setting {path!r} in a recipe", where=where, fix=did_you_mean(path, _paths(recipe.model_dump()))
            )
        node[leaf] = value
    from zoo.registry.loader import check

    return check(Recipe, data, where=where)


def parse_settings(assignments: Iterable[str]) -> dict[str, Any]:
    """Read `path=value` arguments; values are YAML scalars or lists."""
    settings: dict[str, Any] = {}
    for assignment in assignments:
        path, equals, value = assignment.partition("=")
        if not equals or not path:
            raise ZooError(
                f"--set takes path=value, not {assignment!r}", where="--set", fix="for example --set finetune.epochs=3"
            )
        try:
            settings[path.strip()] = _number(yaml.safe_load(value))
        except yaml.YAMLError:
            raise ZooError(f"the value of {path} is not valid YAML: {value!r}", where="--set") from None
    return settings


def _number(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    """YAML 1.1 reads `1e-3` as text; people mean a number."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _paths(data: Mapping[str, Any], prefix: str = "") -> list[str]:
    paths: list[str] = []
    for name, value in data.items():
        paths += _paths(value, f"{prefix}{name}.") if isinstance(value, dict) else [f"{prefix}{name}"]
    return paths
