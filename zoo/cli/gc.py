"""`zoo gc`: remove what no checkpoint refers to."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo.cli.opening import open_context
from zoo.cli.options import AsJson, OutOption
from zoo.cli.output import print_json, print_line, print_table


def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and stop.")] = False,
    out: OutOption = None,
    as_json: AsJson = False,
) -> None:
    """Remove artefacts that no checkpoint refers to, and what killed builds left."""
    from zoo.pipeline.collect import find_garbage, remove

    context = open_context(None, out)
    garbage = find_garbage(context)
    if not dry_run:
        for item in garbage:
            remove(item, context)
    if as_json:
        print_json([{"path": str(g.path), "what": g.what, "size_bytes": g.size_bytes} for g in garbage])
        return
    if garbage:
        print_table(["what", "MB", "folder"], [[g.what, f"{g.size_bytes / 1e6:.1f}", g.path.name] for g in garbage])
    verb = "would be removed" if dry_run else "removed"
    print_line(f"{len(garbage)} folders {verb}, {sum(g.size_bytes for g in garbage) / 1e6:,.1f} MB")
