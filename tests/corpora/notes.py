"""Notes as a user has them on disk, and what `add_corpus` makes of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo.corpora.add import Added

Add = Callable[..., Added]


def note(index: int) -> dict[str, Any]:
    text = f"Note {index}.\nPatient with asthma, given aspirin. 😀\n"
    start, drug = text.index("asthma"), text.index("aspirin")
    spans = [
        {"start": start, "end": start + 6, "type": "Disorder", "concept_ids": ["D001249"]},
        {"start": drug, "end": drug + 7, "type": "Drug"},
    ]
    return {"id": f"note-{index}", "text": text, "spans": spans}


def write_jsonl(path: Path, notes: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(item) + "\n" for item in notes))
    return path


def write_brat(folder: Path, notes: list[dict[str, Any]]) -> Path:
    folder.mkdir(parents=True)
    for item in notes:
        (folder / f"{item['id']}.txt").write_text(item["text"])
        lines = [
            f"T{i}\t{s['type']} {s['start']} {s['end']}\t{item['text'][s['start'] : s['end']]}\n"
            for i, s in enumerate(item["spans"], start=1)
        ]
        (folder / f"{item['id']}.ann").write_text("".join(lines))
    return folder


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
