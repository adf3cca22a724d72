"""`zoo lock`: commits and file hashes of backbones on the Hub; and what else the lock file holds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.opening import open_registry
from zoo.cli.options import RegistryOption
from zoo.cli.output import print_line, print_table


def lock(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[BACKBONE]...", help="Backbones to resolve; none means all on the Hub."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", metavar="FILE")] = Path("zoo.lock.yaml"),
    registry: RegistryOption = None,
) -> None:
    """Resolve Hub ids without a revision to commits and file hashes, written to zoo.lock.yaml; show all of it."""
    from zoo.registry.lock import read_lock, resolve

    found = open_registry(registry)[0]
    chosen = [found.backbone(name) for name in ids] if ids else [b for b in found.backbones.values() if b.hub_id]
    locked, refused = resolve(chosen, output)
    print_table(
        ["backbone", "Hub id", "commit", "files"],
        [[name, item.hub_id, item.revision, str(len(item.files))] for name, item in locked.items()],
    )
    locked_data = read_lock(output)
    if corpora := locked_data.corpora:
        print_line()
        counts = ("documents", "tokens", "mentions")
        rows = [
            [
                name,
                split,
                *(_shown(getattr(info, count)) for count in counts),
                (info.fingerprint or "")[:12],
                item.source,
            ]
            for name, item in corpora.items()
            for split, info in item.splits.items()
        ]
        print_table(["corpus", "split", *counts, "fingerprint", "source"], rows)
    if ontologies := locked_data.ontologies:
        print_line()
        print_table(
            ["ontology", "version", "concepts", "names", "fingerprint", "source"],
            [
                [name, item.version, str(item.concepts), str(item.names), item.fingerprint[:12], item.source]
                for name, item in ontologies.items()
            ],
        )
    for name, error in refused.items():
        sys.stderr.write(f"not locked: {name}: {error}\n")
    if refused:
        raise typer.Exit(1)


def _shown(count: int | None) -> str:
    return "" if count is None else str(count)
