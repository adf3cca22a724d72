"""A user who adds a corpus of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.corpora.notes import Add, note, write_jsonl
from zoo.corpora.add import Added, Request, add_corpus


@pytest.fixture
def add(tmp_path: Path) -> Add:
    """Add under tmp_path/registry; what is not said is a folder of 20 notes in JSON lines."""

    def run(**changes: Any) -> Added:
        request = Request(
            name="my-notes",
            path=tmp_path / "notes.jsonl",
            format="jsonl",
            types={"Disorder": "Disease", "Drug": "Chemical"},
            registry=tmp_path / "registry",
        )
        if not request.path.exists():
            write_jsonl(request.path, [note(i) for i in range(20)])
        return add_corpus(replace(request, **changes))

    return run
