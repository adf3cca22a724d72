"""Writing into a user's registry folder: all of an entry or nothing."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from zoo.errors import ZooError
from zoo.files import write_whole
from zoo.registry.reading import check, read_yaml
from zoo.registry.schema import CorpusEntry, EntityType, LabelsEntry


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
    entry: CorpusEntry, data: Path, folder: Path, new_types: Sequence[EntityType], capacity: int | None = None
) -> Path:
    """Move a corpus into a registry folder; the entry comes last, so that it never names what is not there.

    Args:
        entry: The entry, whose bundled source is `splits/<id>`.
        data: Folder with the splits, on the same disk; moved.
        folder: The registry folder.
        new_types: Types that the label space lacks.
        capacity: What its capacity is raised to; None: it stays.

    Returns:
        Path of the written entry.

    Raises:
        ZooError: There are splits of that id already.
    """
    splits = folder / "splits" / entry.id
    if splits.exists():
        raise ZooError("there are splits of that id, without an entry", where=splits, fix="move that folder away")
    text = yaml.safe_dump(
        entry.model_dump(mode="json", exclude_defaults=True), sort_keys=False, allow_unicode=True, width=120
    )
    target = folder / "corpora" / f"{entry.id}.yaml"
    target.parent.mkdir(exist_ok=True)
    splits.parent.mkdir(exist_ok=True)
    data.rename(splits)
    try:
        if new_types:
            _extend_labels(folder / "labels.yaml", new_types, capacity)
        write_whole(target, text)
    except (OSError, ZooError):
        shutil.rmtree(splits)
        raise
    return target


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
