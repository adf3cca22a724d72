"""What the leaderboard Space shows of a checkpoint beyond its row: the record, and what was measured beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.evaluation.latency import Latency
from zoo.evaluation.result import Result

CROSS_FILE = "cross.json"
"""Written by `zoo cross --out`."""
ABLATION_FILE = "ablation.json"
"""Written by `benchmarks/ablation.py`."""
_LEFT_OUT = ("recipe", "protocol", "versions", "trained_share", "train_seconds")


def checkpoint_details(result: Result, folder: Path, *, recipe: str) -> dict[str, Any]:
    """The record of one row.

    Args:
        result: The `result.json` of the checkpoint, of several seeds the first.
        folder: Folder of the checkpoint.
        recipe: Digest of the recipe, as in the row.

    Returns:
        `checkpoint_id`, `recipe` and `test_fingerprint` of the row, `result` without what a page does not show, and
        `latency` where it was measured.

    Raises:
        ZooError: `latency.json` cannot be read.
    """
    record = result.model_dump(mode="json", exclude=set(_LEFT_OUT))
    record["lora"] = result.recipe.get("lora", {})
    details: dict[str, Any] = {
        "checkpoint_id": result.checkpoint_id,
        "recipe": recipe,
        "test_fingerprint": result.fingerprints["split_test"],
        "result": record,
    }
    if (latency := Latency.of_folder(folder)) is not None:
        details["latency"] = latency.model_dump(mode="json")
    return details


def matrices(folders: Iterable[Path]) -> dict[str, Any]:
    """`cross` and `ablation` of the first folder that has them, for the plots.

    Raises:
        ZooError: A file cannot be read, or lacks what a plot shows.
    """
    found: dict[str, Any] = {}
    for folder in folders:
        for name, file, check in (("cross", CROSS_FILE, _cross), ("ablation", ABLATION_FILE, _ablation)):
            path = folder / file
            if name in found or not path.is_file():
                continue
            data = read_json(path)
            try:
                found[name] = check(data)
            except (KeyError, TypeError, AttributeError) as error:
                raise ZooError(
                    f"not as it was written: {type(error).__name__} {error}",
                    where=path,
                    fix=f"remove it, or {_FIX[name]}",
                ) from None
    return found


_FIX = {"cross": "run zoo cross --out again", "ablation": "copy the one that benchmarks/ablation.py wrote"}
_RUN = ("checkpoint_id", "arm", "method", "seed", "test_micro_f1")


def _cross(data: Mapping[str, Any]) -> dict[str, Any]:
    """What the plot shows of `Matrix.to_json`."""
    cells = [
        {
            **{name: cell[name] for name in ("model", "corpus", "status", "in_domain", "note")},
            "score": cell["score"] and {"micro_f1": float(cell["score"]["micro_f1"])},
        }
        for cell in data["cells"]
    ]
    models, corpora = list(data["models"]), list(data["corpora"])
    titles = {"rows": list(data.get("rows", models)), "columns": list(data.get("columns", corpora))}
    return {"models": models, "corpora": corpora, **titles, "cells": cells}


def _ablation(data: Mapping[str, Any]) -> dict[str, Any]:
    """What the plot shows of an ablation's runs."""
    return {"runs": {name: {field: run[field] for field in _RUN} for name, run in data["runs"].items()}}


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        ZooError: The file cannot be read or holds something else.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ZooError(f"cannot read the file: {error.strerror}", where=path) from None
    except ValueError as error:
        raise ZooError(f"not JSON: {error}", where=path, fix="write the file again, or remove it") from None
    if not isinstance(data, dict):
        raise ZooError("not a JSON object", where=path, fix="write the file again, or remove it")
    return data
