"""The board: one row a checkpoint, ranked within each corpus."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.publishing.results import Result, write_text

BOARD_SCHEMA_VERSION = 1


def board_rows(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Rows by corpus, then test micro-F1; `rank` counts within a corpus: scores on different corpora do not compare."""
    rows: list[dict[str, Any]] = []
    for corpus in sorted({result.corpus for result in results}):
        ranked = sorted(
            (r for r in results if r.corpus == corpus), key=lambda r: (-r.scores.test.micro_f1, r.checkpoint_id)
        )
        rows += [_row(rank, result) for rank, result in enumerate(ranked, start=1)]
    return rows


def _row(rank: int, result: Result) -> dict[str, Any]:
    test = result.scores.test
    return {
        "corpus": result.corpus,
        "rank": rank,
        "checkpoint_id": result.checkpoint_id,
        "repo_id": result.repo_id,
        "backbone": result.backbone,
        "entity_types": " ".join(result.entity_types),
        "test_micro_f1": test.micro_f1,
        "test_ci95_low": test.ci95[0],
        "test_ci95_high": test.ci95[1],
        "test_precision": test.precision,
        "test_recall": test.recall,
        "dev_micro_f1": result.scores.dev.micro_f1,
        "trained_parameters": result.trained_parameters,
        "trained_share": result.trained_share,
        "adapter_bytes": result.adapter_bytes,
        "train_seconds": result.train_seconds,
        "energy_wh": result.energy.energy_wh,
        "emissions_g": result.energy.emissions_g,
        "country": result.energy.country,
        "license": result.license,
        "publishable": result.publishable,
        "created": result.created,
    }


def write_board(rows: Sequence[dict[str, Any]], out: Path) -> None:
    """Write `board.json` and `board.csv`."""
    write_text(
        out / "board.json", json.dumps({"schema_version": BOARD_SCHEMA_VERSION, "rows": list(rows)}, indent=2) + "\n"
    )
    text = io.StringIO()
    writer = csv.DictWriter(
        text, fieldnames=list(rows[0]) if rows else ["corpus", "rank", "checkpoint_id"], lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(rows)
    write_text(out / "board.csv", text.getvalue())
