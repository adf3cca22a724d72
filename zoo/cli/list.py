"""`zoo list`: the checkpoints that can be built."""

from __future__ import annotations

from typing import Any

from zoo.cli.opening import open_registry
from zoo.cli.options import AsJson, RegistryOption, SuiteOption
from zoo.cli.output import print_json, print_line, print_table, type_names


def list_(suite: SuiteOption = None, registry: RegistryOption = None, as_json: AsJson = False) -> None:
    """List checkpoints: of a suite, or every backbone x corpus."""
    found = open_registry(registry)[0]
    if suite:
        checkpoints = found.suite_checkpoints(suite)
    else:
        checkpoints = [
            found.checkpoint(f"{b}/{c}")
            for b in found.backbones
            for c, entry in found.corpora.items()
            if not entry.for_evaluation_only
        ]
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


def _list_row(row: dict[str, Any]) -> list[str]:
    licenses = f"{row['backbone_license']}, {row['corpus_license']}"
    return [row["id"], row["family"], type_names(row["entity_types"], 5), licenses]
