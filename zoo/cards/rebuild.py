"""The command that builds a checkpoint again, from its `result.json` and the registry."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from zoo.registry.loader import PACKAGED
from zoo.registry.names import Names

if TYPE_CHECKING:
    from zoo.evaluation.result import Result
    from zoo.registry.loader import Registry


def rebuild_command(result: Result, registry: Registry) -> str:
    """`zoo build ID` with a `--set` for each value that differs from the registry's recipe, on one line.

    Values that its search found are left out.
    """
    settings = [
        f"--set {shlex.quote(f'{path}={_yaml(value)}')}" for path, value in sorted(_differences(result, registry))
    ]
    own = [] if is_packaged(result, registry) else ["--registry", "registry"]
    usual, own_names = Names(), result.names
    variables = {
        "ZOO_ORG": (own_names.org, usual.org),
        "ZOO_CHECKPOINT_NAME": (own_names.checkpoint, usual.checkpoint),
        "ZOO_BASE_NAME": (own_names.base, usual.base),
    }
    environment = [f"{name}={shlex.quote(value)}" for name, (value, default) in variables.items() if value != default]
    return " ".join([*environment, "zoo", "build", result.checkpoint_id, *settings, *own])


def is_packaged(result: Result, registry: Registry) -> bool:
    """Whether everybody who has the toolkit has backbone and corpus of a checkpoint in their registry."""
    entries = (f"backbones/{result.backbone}", f"corpora/{result.corpus}")
    return all(registry.folders.get(entry) == PACKAGED for entry in entries)


def _differences(result: Result, registry: Registry) -> Iterator[tuple[str, Any]]:
    usual = registry.checkpoint(result.checkpoint_id).recipe.model_dump(mode="json")
    decided = set(result.tune.best_values) if result.tune else set()
    for section, values in {"seeds": 1, **result.recipe}.items():  # there was one before there could be several
        if not isinstance(values, dict):
            if values != usual.get(section, values):
                yield section, values
            continue
        for name, value in values.items():
            path = f"{section}.{name}"
            if path not in decided and name in usual.get(section, {}) and value != usual[section][name]:
                yield path, value


def _yaml(value: Any) -> str:  # noqa: ANN401 - any JSON value; JSON is YAML
    return value if isinstance(value, str) and value.isalnum() else json.dumps(value)
