"""Passages on disk as Arrow files, written and read with constant memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import ZooError
from zoo.passages.passage import COLUMNS, Passage

_BATCH = 1000


@dataclass(frozen=True)
class Summary:
    """What passages are: their number, a hash of their ids, a hash of all their columns."""

    records: int
    ids_sha256: str
    records_sha256: str


class _Tally:
    def __init__(self) -> None:
        self._ids, self._rows, self._number = hashlib.sha256(), hashlib.sha256(), 0

    def add(self, row: dict[str, str]) -> None:
        self._number += 1
        self._ids.update(f"{row['id']}\n".encode())
        self._rows.update(json.dumps(row, sort_keys=True).encode())

    @property
    def summary(self) -> Summary:
        return Summary(self._number, self._ids.hexdigest(), self._rows.hexdigest())


def summarise(passages: Iterable[Passage]) -> Summary:
    """Number and hashes of passages."""
    tally = _Tally()
    for passage in passages:
        tally.add(_row(passage))
    return tally.summary


def write_shard(path: Path, passages: Iterable[Passage]) -> Summary:
    """Write passages to a file with columns id, text, source, document, whole or not at all; none write no file.

    Raises:
        OSError: It cannot be written; nothing is left of it.
    """
    from datasets import Features, Value
    from datasets.arrow_writer import ArrowWriter

    tally, temporary = _Tally(), path.with_name(f".{path.name}.tmp")
    features = Features({name: Value("string") for name in COLUMNS})
    try:
        with (
            temporary.open("wb") as file,
            closing(ArrowWriter(stream=file, features=features, writer_batch_size=_BATCH)) as writer,
        ):
            for passage in passages:
                tally.add(row := _row(passage))
                writer.write(row)
            writer.finalize(close_stream=False)
        if tally.summary.records:
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return tally.summary


def read_shard(path: Path) -> Iterator[Passage]:
    """Stream the passages of a file.

    Raises:
        ZooError: It is missing or damaged.
    """
    from datasets import Dataset

    try:
        for batch in Dataset.from_file(str(path)).iter(_BATCH):
            yield from map(Passage, *(batch[name] for name in COLUMNS))
    except (OSError, ValueError) as error:  # pyarrow's own are kinds of the two
        raise ZooError(
            f"the passages cannot be read: {error}", where=path, fix="remove the folder: they are fetched again"
        ) from None


def _row(passage: Passage) -> dict[str, str]:
    return {name: getattr(passage, name) for name in COLUMNS}
