"""The files of a user's own data: which of them are splits, and which documents must stay together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from zoo.corpora.document import Document
from zoo.corpora.files import numbered_lines
from zoo.corpora.readers import read_split, recognise
from zoo.errors import ZooError
from zoo.registry.formats import CORPUS_FORMATS
from zoo.registry.schema import SPLITS, CorpusEntry, SplitName

_WORDS: Mapping[str, SplitName] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("dev", "devel", "develop", "development", "val", "valid", "validation"), "dev"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_WORD = re.compile(
    # where no letter stands before, or upper case changes to lower case or back: NCBItrainset, CDR_TestSet, TrainDev
    r"(?:(?<![A-Za-z])|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[a-z]))"
    rf"(?i:({'|'.join(sorted(_WORDS, key=len, reverse=True))}))(?=(?i:set)|[^a-z]|$)"
)
_CALLED = "whose name holds train, dev or test"


@dataclass
class Collection:
    """Documents as they were read.

    Attributes:
        splits: The splits that the data has; where it has none, everything stands under train.
        groups: What must stay together of each document: its own id, or the report that a sentence stands in; empty
            where the files do not tell.
        repairs: What readers repaired or ignored, counted.
        notes: What the user should know of files whose names hold train, dev or test.
    """

    splits: dict[SplitName, list[Document]] = field(default_factory=dict)
    groups: dict[SplitName, list[str]] = field(default_factory=dict)
    repairs: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def gather(path: Path, draft: CorpusEntry) -> Collection:
    """Read all files of a user's data.

    Args:
        path: A file, a folder of files, or a folder with files or folders named after train, dev and test.
        draft: Says how to read: format, unit, default type.

    Raises:
        ZooError: There is nothing to read, a file is malformed or of another format, two documents have one id, or dev
            or test stand there without train.
    """
    data = Collection()
    given, data.notes = _given_splits(path, draft.format)
    for split, place in (given or {"train": path}).items():
        _read(_files(place, draft.format, below=bool(given)), split, draft, data)
        if not data.splits[split]:
            raise ZooError(f"no document for the {split} split", where=path)
    return data


def natural_unit(path: Path, format: str) -> Literal["sentence", "document"]:
    """What one document of the data is: a sentence in CoNLL files without `-DOCSTART-` lines."""
    if format != "conll":
        return "document"
    given = list(_given_splits(path, format)[0].values())
    files = _files(given[0] if given else path, format, below=bool(given))
    return "document" if _has_document_lines(files[0]) else "sentence"


def _given_splits(path: Path, format: str) -> tuple[dict[SplitName, Path], list[str]]:
    """Files or folders that are named after splits, and notes on others whose names hold such words."""
    if not path.is_dir():
        note = f"{path.name}, {_CALLED}, is taken as one set; give the folder to use its splits"
        return {}, [note] if path.exists() and _held(path) else []
    here = [place for place in sorted(path.iterdir()) if _has_data(place, format)]
    held = {place: splits for place in here if (splits := _held(place))}
    found: dict[SplitName, Path] = {}
    for split in SPLITS:
        places = [place for place in held if _WORDS.get(place.name.partition(".")[0].lower()) == split]
        places = places or [place for place, splits in held.items() if splits == {split}]
        if len(places) > 1:
            raise ZooError(
                f"{len(places)} files could be the {split} split: {' and '.join(place.name for place in places)}",
                where=path,
                fix="keep one, or put them into a folder of that name",
            )
        if places:
            found[split] = places[0]
    both = [place for place, splits in held.items() if splits == {"train", "dev"}]
    if len(both) == 1 and not found.keys() & {"train", "dev"}:
        found["train"] = both[0]
    beside = any(_is_data(file, format) for file in path.iterdir() if file not in here)  # BRAT's, in no folder
    if found and "train" not in found and (list(found) != ["test"] or len(here) > 1 or beside):
        if any(place.name.partition(".")[0].lower() in _WORDS for place in found.values()):
            raise ZooError(f"there is a {next(iter(found))} split, but no train split", where=path, fix="add it")
        found = {}
    notes = [f"{place.name}, {_CALLED}, is no split" for place in held if place not in found.values()]
    return found, [f"{note}: {'left out' if found else 'its documents are split anew'}" for note in notes]


def _held(place: Path) -> set[SplitName]:
    """The splits that a name speaks of."""
    return {_WORDS[word.lower()] for word in _WORD.findall(place.name)}


def _has_data(place: Path, format: str) -> bool:
    """Whether a file, or a folder, holds data of a format."""
    if place.name.startswith("."):
        return False
    if place.is_dir():
        return any(_is_data(file, format) for file in place.rglob("*"))
    return format != "brat" and _is_data(place, format)


def _is_data(file: Path, format: str) -> bool:
    if format == "brat":
        return file.name.removesuffix(".gz").endswith((".ann", ".txt"))
    return CORPUS_FORMATS[format].matches(file.name) and not file.name.startswith(".") and file.is_file()


def _read(files: Sequence[Path], split: SplitName, draft: CorpusEntry, data: Collection) -> None:
    documents, groups = data.splits.setdefault(split, []), data.groups.setdefault(split, [])
    origin: dict[str, Path] = {}
    for file in files:
        try:
            found = list(read_split(file, draft, data.repairs))
        except ZooError as error:
            raise recognise(file, draft.format) or error from None
        for document in found:
            if origin.setdefault(document.id, file) != file:
                raise ZooError(
                    f"the id {document.id!r} stands in {origin[document.id].name} too",
                    where=file,
                    fix="make the ids unique",
                )
        documents += found
        groups += _groups(file, found, draft, alone=len(files) == 1)


def _files(path: Path, format: str, *, below: bool) -> list[Path]:
    """The files of a split, or of data without splits; of BRAT the folder itself.

    Args:
        path: File or folder.
        format: How they are written.
        below: Whether those in folders of the folder count.
    """
    if not path.exists():
        raise ZooError("there is no such file or folder", where=path, fix="correct --path")
    if format == "brat" or not path.is_dir():
        return [path]
    files = sorted(file for file in (path.rglob("*") if below else path.iterdir()) if _is_data(file, format))
    if not files:
        endings = ", ".join(f"{suffix}[.gz]" for suffix in CORPUS_FORMATS[format].suffixes)
        raise ZooError(f"the folder has no {format} file", where=path, fix=f"files end in {endings}")
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
