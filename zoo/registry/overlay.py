"""Writing into a user's registry folder: all of an entry or nothing."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import yaml

from zoo.errors import ZooError
from zoo.files import write_whole
from zoo.registry.loader import Registry
from zoo.registry.ontology_entry import OntologyEntry
from zoo.registry.reading import check, read_yaml
from zoo.registry.schema import CorpusEntry, EntityType, Entry, LabelsEntry


def check_new_id(name: str, kind: Literal["corpora", "ontologies"], registry: Registry, local: Path | None) -> None:
    """Refuse the id of a new entry that is none, or is taken by an entry or by a copy that would be read instead.

    Args:
        name: The id.
        kind: What it is to be an id of.
        registry: What exists.
        local: The user's folder of local copies (`ZOO_CORPORA`, `ZOO_ONTOLOGIES`).

    Raises:
        ZooError: It is malformed or taken.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,59}", name):
        raise ZooError(
            f"{name!r} is not an id",
            where="NAME",
            fix="up to 60 lower-case letters, digits, dots and hyphens, for example my-notes",
        )
    if f"{kind}/{name}" in registry.folders:
        raise ZooError(
            f"the id {name!r} is taken",
            where=registry.folders[f"{kind}/{name}"] / kind / f"{name}.yaml",
            fix="choose another name, or remove that entry",
        )
    if local is not None and (local / name).is_dir():
        raise ZooError(
            f"ZOO_{kind.upper()} has a folder {name}, which would be read instead of the new entry",
            where=local / name,
            fix="choose another name",
        )


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A temporary folder inside a registry folder, so that what is checked there never leaves it.

    The registry folder is made if it does not exist, and removed again if nothing was put into it.

    Raises:
        ZooError: The folder cannot be written to.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".adding-", dir=folder) as temporary:
            yield Path(temporary)
    except OSError as error:
        raise ZooError(
            f"cannot write to the registry folder: {error.strerror or error}", where=folder, fix="choose another folder"
        ) from None
    finally:
        for path in made:
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()


def publish_corpus(
    entry: CorpusEntry,
    data: Path,
    folder: Path,
    new_types: Sequence[EntityType],
    capacity: int | None = None,
    *,
    replace: bool = False,
) -> Path:
    """Move a corpus into a registry folder; the entry comes last, so that it never names what is not there.

    Args:
        entry: The entry, whose bundled source is `splits/<id>`.
        data: Folder with the splits, on the same disk; moved.
        folder: The registry folder.
        new_types: Types that the label space lacks.
        capacity: What its capacity is raised to; None: it stays.
        replace: Put it in the place of an entry of that id; a kill in between leaves splits that builds refuse.

    Returns:
        Path of the written entry.

    Raises:
        ZooError: There are splits of that id already.
    """
    splits = folder / "splits" / entry.id
    if splits.exists() and not replace:
        raise ZooError("there are splits of that id, without an entry", where=splits, fix="move that folder away")
    target = folder / "corpora" / f"{entry.id}.yaml"
    target.parent.mkdir(exist_ok=True)
    splits.parent.mkdir(exist_ok=True)
    old = data.with_name(f"{entry.id}.old")  # in the temporary folder: it goes with that
    if splits.exists():
        splits.rename(old)
    data.rename(splits)
    try:
        if new_types:
            _extend_labels(folder / "labels.yaml", new_types, capacity)
        write_whole(target, _text(entry))
    except (OSError, ZooError):
        shutil.rmtree(splits)
        if old.exists():
            old.rename(splits)
        raise
    return target


def publish_ontology(entry: OntologyEntry, data: Path | None, folder: Path) -> Path:
    """Move an ontology into a registry folder; the entry comes last.

    Args:
        entry: The entry; its bundled source, if it has one, is `vocabularies/<id>`.
        data: Folder with the files, on the same disk; moved. None: they stay where they are.
        folder: The registry folder.

    Returns:
        Path of the written entry.

    Raises:
        ZooError: There are files of that id already.
    """
    files, target = folder / "vocabularies" / entry.id, folder / "ontologies" / f"{entry.id}.yaml"
    target.parent.mkdir(exist_ok=True)
    if data is None:
        write_whole(target, _text(entry))
        return target
    if files.exists():
        raise ZooError("there are files of that id, without an entry", where=files, fix="move that folder away")
    files.parent.mkdir(exist_ok=True)
    data.rename(files)
    try:
        write_whole(target, _text(entry))
    except OSError:
        shutil.rmtree(files)
        raise
    return target


def _text(entry: Entry) -> str:
    data = entry.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)


def _extend_labels(path: Path, new_types: Sequence[EntityType], capacity: int | None) -> None:
    """Append to the file as text, so that its comments stay; write it anew where its style does not allow that."""
    old = path.read_text(encoding="utf-8") if path.exists() else "types:\n"
    before = check(LabelsEntry, read_yaml(path), where=path) if path.exists() else LabelsEntry(types=())
    wanted = LabelsEntry(capacity=capacity or before.capacity, types=(*before.types, *new_types))
    items = [item.model_dump() for item in new_types]
    found = re.findall(r"^( *)- ", old, re.MULTILINE)
    lines = [yaml.safe_dump(item, default_flow_style=True, sort_keys=False, width=10_000).strip() for item in items]
    text = old.rstrip("\n") + "\n" + "".join(f"{found[-1] if found else '  '}- {line}\n" for line in lines)
    if capacity:
        text, replaced = re.subn(r"^capacity:.*$", f"capacity: {capacity}", text, flags=re.MULTILINE)
        text = text if replaced else re.sub(r"^types:", f"capacity: {capacity}\ntypes:", text, flags=re.MULTILINE)
    if _labels_in(text) != wanted:
        text = yaml.safe_dump(wanted.model_dump(exclude_none=True), sort_keys=False, allow_unicode=True, width=120)
    write_whole(path, text)


def _labels_in(text: str) -> LabelsEntry | None:
    try:
        return LabelsEntry.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValueError):
        return None
