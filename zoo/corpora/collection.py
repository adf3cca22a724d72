"""The files of a user's own data: which of them are splits, and which documents must stay together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from zoo.corpora.document import Document
from zoo.corpora.files import find_split, numbered_lines
from zoo.corpora.load import SUFFIXES, read_split
from zoo.errors import ZooError
from zoo.registry.schema import CorpusEntry, SplitName

_NAMES: Mapping[SplitName, tuple[str, ...]] = {
    "train": ("train", "training"),
    "dev": ("dev", "devel", "development", "valid", "validation", "val"),
    "test": ("test", "testing"),
}


@dataclass
class Collection:
    """Documents as they were read.

    Attributes:
        splits: The splits that the data has; where it has none, everything stands under train.
        groups: What must stay together of each document: its own id, or the report that a sentence stands in; empty
            where the files do not tell.
        repairs: What readers repaired or ignored, counted.
    """

    splits: dict[SplitName, list[Document]] = field(default_factory=dict)
    groups: dict[SplitName, list[str]] = field(default_factory=dict)
    repairs: Counter[str] = field(default_factory=Counter)


def gather(path: Path, draft: CorpusEntry) -> Collection:
    """Read all files of a user's data.

    Args:
        path: A file, a folder of files, or a folder with files (BRAT: folders) named train, dev and test.
        draft: Says how to read: format, unit, default type.

    Raises:
        ZooError: There is nothing to read, a file is malformed, two documents have one id, or dev or test stand there
            without train.
    """
    data = Collection()
    given = _given_splits(path, draft.format)
    for split, file in given.items():
        data.splits[split] = list(read_split(file, draft, data.repairs))
        data.groups[split] = _groups(file, data.splits[split], draft, alone=True)
    if not given:
        _gather_unsplit(path, draft, data)
    for split, documents in data.splits.items():
        if not documents:
            raise ZooError(f"no document for the {split} split", where=path)
    return data


def natural_unit(path: Path, format: str) -> Literal["sentence", "document"]:
    """What one document of the data is: a sentence in CoNLL files without `-DOCSTART-` lines."""
    if format != "conll":
        return "document"
    files = list(_given_splits(path, format).values()) or _files(path, format)
    return "document" if _has_document_lines(files[0]) else "sentence"


def _given_splits(path: Path, format: str) -> dict[SplitName, Path]:
    """Files or folders that are named after splits."""
    if not path.is_dir():
        return {}
    found: dict[SplitName, Path] = {}
    for split, names in _NAMES.items():
        files = [file for name in names if (file := find_split(path, name, SUFFIXES[format]))]
        if len(files) > 1:
            raise ZooError(
                f"two files could be the {split} split: {' and '.join(file.name for file in files)}",
                where=path,
                fix="keep one",
            )
        if files:
            found[split] = files[0]
    if found and "train" not in found:
        raise ZooError(f"there is a {next(iter(found))} split, but no train split", where=path, fix="add it")
    return found


def _gather_unsplit(path: Path, draft: CorpusEntry, data: Collection) -> None:
    files = _files(path, draft.format)
    documents, groups = data.splits.setdefault("train", []), data.groups.setdefault("train", [])
    origin: dict[str, Path] = {}
    for file in files:
        found = list(read_split(file, draft, data.repairs))
        for document in found:
            if origin.setdefault(document.id, file) != file:
                raise ZooError(
                    f"the id {document.id!r} stands in {origin[document.id].name} too",
                    where=file,
                    fix="make the ids unique",
                )
        documents += found
        groups += _groups(file, found, draft, alone=len(files) == 1)


def _files(path: Path, format: str) -> list[Path]:
    """The files of data without splits; for BRAT the folder itself."""
    if not path.exists():
        raise ZooError("there is no such file or folder", where=path, fix="correct --path")
    if format == "brat" or not path.is_dir():
        return [path]
    endings = tuple(f"{suffix}{gz}" for suffix in SUFFIXES[format] for gz in ("", ".gz"))
    files = sorted(p for p in path.iterdir() if p.name.endswith(endings) and not p.name.startswith(".") and p.is_file())
    if not files:
        raise ZooError(f"the folder has no {format} file", where=path, fix=f"files end in {', '.join(endings)}")
    return files


def _groups(file: Path, documents: Sequence[Document], draft: CorpusEntry, *, alone: bool) -> list[str]:
    if draft.unit == "document":
        return [document.id for document in documents]
    if draft.format == "conll" and _has_document_lines(file):
        whole = read_split(file, draft.model_copy(update={"unit": "document"}), Counter())
        return [report.id for report in whole for _ in report.text.split("\n")]
    return [""] * len(documents) if alone else [file.name] * len(documents)


def _has_document_lines(path: Path) -> bool:
    return any(line.startswith("-DOCSTART-") for _, line in numbered_lines(path))
