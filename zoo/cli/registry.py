"""The commands that show what can be built: `zoo list`, `zoo show`, `zoo lock`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.options import AsJson, RegistryOption, SuiteOption, open_registry
from zoo.cli.output import print_json, print_line, print_table, type_names
from zoo.errors import ZooError, did_you_mean

if TYPE_CHECKING:
    from zoo.registry.loader import Checkpoint, Registry


def list_checkpoints(suite: SuiteOption = None, registry: RegistryOption = None, as_json: AsJson = False) -> None:
    """List checkpoints: of a suite, or every backbone x corpus."""
    found = open_registry(registry)[0]
    if suite:
        checkpoints = found.suite_checkpoints(suite)
    else:
        checkpoints = [found.checkpoint(f"{b}/{c}") for b in found.backbones for c in found.corpora]
    rows = [
        {
            "id": c.id,
            "family": c.backbone.family,
            "entity_types": list(c.corpus.entity_types),
            "backbone_license": c.backbone.license.spdx,
            "corpus_license": c.corpus.license.spdx,
        }
        for c in checkpoints
    ]
    if as_json:
        print_json(rows)
        return
    print_table(["id", "family", "entity types", "licences (backbone, corpus)"], [_list_row(row) for row in rows])
    print_line(f"{len(rows)} checkpoints; suites: {', '.join(found.suites)}")


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


def lock(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[BACKBONE]...", help="Backbones to resolve; none means all on the Hub."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", metavar="FILE")] = Path("zoo.lock.yaml"),
    registry: RegistryOption = None,
) -> None:
    """Resolve Hub ids without a revision to commits and file hashes, written to zoo.lock.yaml."""
    from zoo.registry.lock import resolve

    found = open_registry(registry)[0]
    chosen = [found.backbone(name) for name in ids] if ids else [b for b in found.backbones.values() if b.hub_id]
    locked = resolve(chosen, output)
    print_table(
        ["backbone", "Hub id", "commit", "files"],
        [[name, item.hub_id, item.revision, str(len(item.files))] for name, item in locked.items()],
    )


def _size(registry: Registry, checkpoint: Checkpoint) -> dict[str, Any] | None:
    from zoo.modeling.labels import LabelSpace
    from zoo.modeling.sizes import expected_size

    backbone, labels = checkpoint.backbone, LabelSpace.from_entry(registry.labels)
    size = expected_size(backbone, registry.families[backbone.family], checkpoint.recipe.lora, labels)
    return vars(size) if size else None


def _list_row(row: dict[str, Any]) -> list[str]:
    licenses = f"{row['backbone_license']}, {row['corpus_license']}"
    return [row["id"], row["family"], type_names(row["entity_types"], 5), licenses]
