"""Removing artefacts that nothing refers to any more."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import ZooError
from zoo.evaluation.result import find_results
from zoo.modeling.backbones import read_base_info
from zoo.pipeline.context import Context
from zoo.pipeline.stages import KINDS
from zoo.pipeline.store import is_free


@dataclass(frozen=True)
class Garbage:
    """Something that can be removed.

    Attributes:
        path: Folder, or a file.
        what: In words.
        size_bytes: Of its files; links of a base count in full.
    """

    path: Path
    what: str
    size_bytes: int


def find_garbage(context: Context, keep: Collection[str] = ()) -> list[Garbage]:
    """Artefacts and bases that no checkpoint folder refers to, what killed stages left, and half-written folders.

    Args:
        context: Where to look.
        keep: Fingerprints to keep beside those of the checkpoints.

    Raises:
        ZooError: A build is running: what it has finished belongs to no checkpoint yet.
    """
    store = context.store
    if store.is_in_use():
        raise ZooError("a build is running here", where=context.settings.out, fix="run zoo gc when it has ended")
    used = set(keep)
    for result in find_results(context.settings.out):
        for each in result.each_seed():
            used |= {value for name, value in each.fingerprints.items() if name.partition("/")[0] in KINDS}
    found = [
        Garbage(folder, f"{artefact.kind} of {artefact.name}, {artefact.created}", _size(folder))
        for folder, artefact in store.artefacts()
        if artefact.fingerprint not in used
    ]
    for folder in sorted((store.root / ".work").glob("*")):
        if is_free(store.root / ".locks" / f"{folder.name}.lock"):
            found.append(Garbage(folder, "begun and not finished", _size(folder)))
    for folder in sorted(context.settings.out.glob("bases/[!.]*")):
        fingerprint = read_base_info(folder).get("fingerprint")
        if fingerprint and fingerprint not in used:
            found.append(Garbage(folder, "base that no checkpoint stands on", _size(folder)))
    for folder in (*context.settings.out.glob("checkpoints/*/.*"), *context.settings.out.glob("bases/.*")):
        found.append(Garbage(folder, "half-written by a killed build", _size(folder)))
    for file in context.settings.out.glob(".*.tmp"):
        found.append(Garbage(file, "half-written by a killed build", file.stat().st_size))
    return found


def remove(garbage: Garbage, context: Context) -> None:
    """Delete it; an artefact disappears at once."""
    store = context.store
    if store.root in garbage.path.parents and not garbage.path.parent.name.startswith("."):
        store.remove(garbage.path)
    elif garbage.path.is_file():
        garbage.path.unlink(missing_ok=True)
    else:
        shutil.rmtree(garbage.path, ignore_errors=True)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
