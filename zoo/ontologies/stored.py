"""Parsed concepts in one file: gzipped JSON lines, a concept a line."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zoo.ontologies.concept import Concept, Synonym


def write_concepts(path: Path, concepts: Iterable[Concept]) -> None:
    """Write concepts; the same ones give the same bytes."""
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8") as lines,
    ):
        for concept in concepts:
            lines.write(json.dumps(asdict(concept), ensure_ascii=False) + "\n")


def read_concepts(path: Path) -> Iterator[Concept]:
    """The concepts of a file, one at a time."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            fields: dict[str, Any] = json.loads(line)
            fields["synonyms"] = [Synonym(**synonym) for synonym in fields["synonyms"]]
            for name, value in fields.items():
                fields[name] = tuple(value) if isinstance(value, list) else value
            yield Concept(**fields)
