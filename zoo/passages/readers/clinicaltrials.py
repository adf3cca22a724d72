"""Study records of ClinicalTrials.gov, API version 2, as JSON: what a study says about itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.corpora.json_stream import stream_json
from zoo.errors import ZooError
from zoo.passages.passage import Passage

_FIX = "give studies of ClinicalTrials.gov's API version 2 as JSON: one a file, a list, or a page with 'studies'"
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
"""The descriptions are Markdown: a backslash before punctuation (`\\<`, `\\*`) is none of the text."""


def read_clinical_trials(path: Path, *, skipped: Counter[str] | None = None) -> Iterator[Passage]:
    """Stream the studies of a file, plain or gzip: a study, a list of studies, a page `{"studies": [...]}`, JSON lines.

    The text is the brief summary and the detailed description, with a blank line between them; the id is the NCT id. A
    list is streamed, a page read whole.

    Args:
        path: The file.
        skipped: Counts studies without a description and those whose NCT id came before in the file.

    Raises:
        ZooError: The file is not JSON or an object is not such a study, with file and line; or it cannot be read.
    """
    skipped = Counter() if skipped is None else skipped
    seen: set[str] = set()
    for line, value in stream_json(path, fix=_FIX):
        page = value.get("studies") if isinstance(value, dict) else None
        for study in page if isinstance(page, list) else [value]:
            name, text = _study(study, f"{path}:{line}")
            if name in seen:
                skipped["repeated NCT id"] += 1
            elif not text:
                skipped["study without a description"] += 1
            else:
                seen.add(name)
                yield Passage(name, text, "ClinicalTrials.gov")


def _study(study: Any, where: str) -> tuple[str, str]:  # noqa: ANN401 - parsed JSON
    protocol = _object(study, "protocolSection", where)
    name = _object(protocol, "identificationModule", where).get("nctId")
    if not isinstance(name, str) or not name.strip():
        raise ZooError("not a study: it has no protocolSection.identificationModule.nctId", where=where, fix=_FIX)
    description = _object(protocol, "descriptionModule", where)
    parts = [description.get(key) or "" for key in ("briefSummary", "detailedDescription")]
    if not all(isinstance(part, str) for part in parts):
        raise ZooError(f"the description of {name} is not text", where=where, fix=_FIX)
    return name.strip(), "\n\n".join(_ESCAPE.sub(r"\1", part.strip()) for part in parts if part.strip())


def _object(data: Any, key: str, where: str) -> dict[str, Any]:  # noqa: ANN401 - parsed JSON
    value = data.get(key, {}) if isinstance(data, dict) else None
    if not isinstance(value, dict):
        raise ZooError(f"not a study: there is no object {key!r}", where=where, fix=_FIX)
    return value
