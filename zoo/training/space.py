"""The values that a search tries, and how Optuna stores them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.registry.recipes import Choice, Interval, Recipe

if TYPE_CHECKING:
    import optuna


def widened(recipe: Recipe) -> dict[str, Interval | Choice]:
    """The search space, made to hold the recipe's own values: trial 0 is the recipe."""
    space: dict[str, Interval | Choice] = {}
    for path, each in recipe.tune.space.items():
        own = own_value(recipe, path)
        if isinstance(each, Choice):
            known = [_encoded(choice) for choice in each.choices]
            space[path] = each if own in known else Choice(choices=(*each.choices, decoded(own)))
        else:
            space[path] = each.model_copy(update={"low": min(each.low, own), "high": max(each.high, own)})
    return space


def own_value(recipe: Recipe, path: str) -> Any:  # noqa: ANN401 - any YAML value
    """A recipe's own value of a dotted path, as Optuna stores it."""
    node: Any = recipe.model_dump()
    for name in path.split("."):
        if not isinstance(node, dict) or name not in node:
            raise ZooError(f"no setting {path!r} in a recipe", where="tune.space", fix="name values such as lora.rank")
        node = node[name]
    return _encoded(node)


def suggest(trial: optuna.Trial, recipe: Recipe) -> dict[str, Any]:
    """Values of a trial; of one that was asked before, the same as then."""
    values: dict[str, Any] = {}
    for path, space in widened(recipe).items():
        if isinstance(space, Choice):
            values[path] = decoded(trial.suggest_categorical(path, [_encoded(choice) for choice in space.choices]))
        elif space.integer:
            values[path] = trial.suggest_int(path, int(space.low), int(space.high), log=space.log)
        else:
            values[path] = trial.suggest_float(path, space.low, space.high, log=space.log)
    return values


def _encoded(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    """Optuna's categories are plain values: lists travel as JSON."""
    return json.dumps(list(value)) if isinstance(value, (list, tuple)) else value


def decoded(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    """A value of a recipe, from what Optuna stores."""
    return json.loads(value) if isinstance(value, str) and value.startswith("[") else value
