"""`zoo lock`: commits and file hashes of backbones on the Hub."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.opening import open_registry
from zoo.cli.options import RegistryOption
from zoo.cli.output import print_table


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
    locked, refused = resolve(chosen, output)
    print_table(
        ["backbone", "Hub id", "commit", "files"],
        [[name, item.hub_id, item.revision, str(len(item.files))] for name, item in locked.items()],
    )
    for name, error in refused.items():
        sys.stderr.write(f"not locked: {name}: {error}\n")
    if refused:
        raise typer.Exit(1)
