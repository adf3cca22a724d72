"""`zoo show`: one entry of the registry."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.opening import open_registry
from zoo.cli.options import AsJson, RegistryOption
from zoo.cli.output import print_json
from zoo.errors import ZooError, did_you_mean

if TYPE_CHECKING:
    from zoo.registry.loader import Checkpoint, Registry


def show(
    name: Annotated[
        str, typer.Argument(metavar="ID", help="A checkpoint (backbone/corpus), backbone, corpus or suite.")
    ],
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Show one entry of the registry; for a checkpoint, with the recipe that would build it."""
    found = open_registry(registry)[0]
    if "/" in name:
        checkpoint = found.checkpoint(name)
        data: dict[str, Any] = {
            "id": checkpoint.id,
            "backbone": checkpoint.backbone.model_dump(),
            "corpus": checkpoint.corpus.model_dump(),
            "recipe": checkpoint.recipe.model_dump(),
            "family": found.families[checkpoint.backbone.family].model_dump(),
            "expected_size": _size(found, checkpoint),
        }
    else:
        known: dict[str, Any] = {**found.suites, **found.passages, **found.corpora, **found.backbones}
        if name not in known:
            raise ZooError(f"unknown id {name!r}", fix=f"{did_you_mean(name, known)} `zoo list` shows all checkpoints")
        data = known[name].model_dump()
    if as_json:
        print_json(data)
    else:
        import yaml

        sys.stdout.write(yaml.safe_dump(json.loads(json.dumps(data)), sort_keys=False, allow_unicode=True, width=120))


def _size(registry: Registry, checkpoint: Checkpoint) -> dict[str, Any] | None:
    from zoo.modeling.labels import LabelSpace
    from zoo.modeling.sizes import expected_size

    family, labels = registry.families[checkpoint.backbone.family], LabelSpace.from_entry(registry.labels)
    size = expected_size(checkpoint, family, labels)
    return vars(size) if size else None
