"""Boards written by hand: two corpora, three backbones, one of them on one corpus only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def row(backbone: str, corpus: str, f1: float, rank: int, **changes: Any) -> dict[str, Any]:
    """A row as `zoo board` writes it."""
    return {
        "corpus": corpus,
        "rank": rank,
        "rank_shared_by": 1,
        "checkpoint_id": f"{backbone}/{corpus}",
        "repo_id": f"openmed/{backbone}-{corpus}",
        "backbone": backbone,
        "entity_types": "Disease Chemical" if corpus == "mixed" else "Disease",
        "languages": "en es" if corpus == "mixed" else "en",
        "test_micro_f1": f1,
        "test_micro_f1_std": None,
        "n_seeds": 1,
        "seeds": "13",
        "test_ci95_low": f1 - 0.02,
        "test_ci95_high": f1 + 0.02,
        "test_precision": f1 + 0.01,
        "test_recall": f1 - 0.01,
        "dev_micro_f1": f1,
        "trained_parameters": 300_000,
        "trained_share": {"small": 0.013, "large": 0.001, "odd": 0.013}.get(backbone, 0.01),
        "adapter_bytes": 1_200_000,
        "train_seconds": 60.0,
        "energy_wh": 10 * f1,
        "emissions_g": 4 * f1,
        "country": "DEU",
        "license": "MIT" if backbone == "odd" else "Apache-2.0",
        "publishable": True,
        "verified": True if backbone == "large" else None,
        "created": "2026-11-05T12:00:00+00:00",
        "recipe": "abcdefabcdef",
        "test_fingerprint": corpus[0] * 64,
        **changes,
    }


def result(line: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A `result.json` for a row, with what the Space reads of it."""
    types, f1 = line["entity_types"].split(), line["test_micro_f1"]
    score = {"f1": f1, "precision": f1, "recall": f1, "gold_mentions": 50}
    split = {
        "micro_f1": f1,
        "precision": line["test_precision"],
        "recall": line["test_recall"],
        "ci95": [line["test_ci95_low"], line["test_ci95_high"]],
        "per_type": {name: {**score, "f1": f1 - 0.1 * index, "ci95": [0.5, 0.6]} for index, name in enumerate(types)},
        "gold_mentions": 50 * len(types),
    }
    energy = {
        "energy_wh": line["energy_wh"],
        "emissions_g": line["emissions_g"],
        "seconds": 60.0,
        "country": "DEU",
        "hardware": "2 x CPU",
        "method": "estimated",
    }
    return {
        **{name: line[name] for name in ("checkpoint_id", "repo_id", "backbone", "corpus", "license", "created")},
        "base_repo_id": f"openmed/{line['backbone']}-ner",
        "rebuild_command": f"zoo build {line['checkpoint_id']} --set finetune.epochs=3",
        "entity_types": types,
        "decoding": {"aggregation_strategy": "max", "window_tokens": 512, "stride_tokens": 64},
        "scores": {"dev": split, "test": split},
        "memorisation": {"seen": {**score, "f1": 0.9}, "unseen": {**score, "f1": 0.5}},
        "without_leaked": {"micro_f1": f1, "precision": f1, "recall": f1, "leaked_documents": 3, "gold_mentions": 40},
        "raw_text": {"score": split},
        "robustness": {
            "original": {"micro_f1": f1, "loss": 0.0, "documents": 50, "changed_documents": 0},
            "lower case": {"micro_f1": f1 - 0.02, "loss": 0.02, "documents": 50, "changed_documents": 9},
            "typos": {"micro_f1": f1 - 0.04, "loss": 0.04, "documents": 50, "changed_documents": 9},
        },
        "errors": {
            "classes": {"boundary": {"false_positives": 3, "false_negatives": 2}},
            "examples": [
                {
                    "kind": "boundary",
                    "before": "had ",
                    "text": "<b>severe</b> asthma",
                    "after": ".",
                    "gold": "asthma (Disease)",
                    "predicted": None,
                }
            ],
        },
        "trained_parameters": line["trained_parameters"],
        "trained_share": line["trained_share"],
        "adapter_bytes": line["adapter_bytes"],
        "best_epoch": 2,
        "training": [{"epoch": n, "loss": 1 / n, "dev_micro_f1": 0.4 * n} for n in (1, 2)],
        "energy": energy,
        "energy_stages": {"base": energy, "train": energy},
        "base_sharers": 2,
        "dapt": None,
        "tune": {"best_dev_micro_f1": 0.84, "recipe_dev_micro_f1": 0.83},
        "lora": {"rank": 8, "alpha": 16.0},
        "corpus_record": {
            "title": "Notes",
            "languages": line["languages"].split(),
            "unit": "sentence",
            "license": "CC-BY-4.0",
            "documents": {"train": 10, "dev": 2, "test": 5},
            "mentions": {"train": 20, "dev": 4, "test": 50},
            "dropped_mentions": {"test": 5},
            "examples": {"Disease": ["asthma", "<i>gout</i>"]},
        },
        "notes": ["latency not measured"],
        "fingerprints": {"split_test": line["test_fingerprint"], "adapter": "a" * 64},
        **changes,
    }


ROWS = [
    row("large", "mixed", 0.90, 1, rank_shared_by=2),
    row("small", "mixed", 0.89, 1, rank_shared_by=2),
    row("large", "notes", 0.80, 1),
    row("small", "notes", 0.70, 2),
    row("odd", "notes", 0.60, 3),
]


def save(folder: Path, rows: list[dict[str, Any]] | None = None, **more: Any) -> Path:
    """Write `board.json`, with details."""
    lines = ROWS if rows is None else rows
    details = [
        {
            **{name: line[name] for name in ("checkpoint_id", "recipe", "test_fingerprint")},
            "result": result(line),
        }
        for line in lines
    ]
    data = {"schema_version": 2, "ranking": "RANKS", "rows": lines, "details": details, **more}
    (folder / "board.json").write_text(json.dumps(data))
    return folder
