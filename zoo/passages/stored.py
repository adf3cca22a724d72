"""Passages in a file on disk (Arrow), written one after another and read one at a time: none stays in memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, overload

import numpy as np
import numpy.typing as npt
from typing_extensions import Self, override

from zoo.passages.passage import COLUMNS, Passage

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 1000
"""Of a batch of the file, but for the last."""


class PassageWriter:
    """Writes passages to a new file, which can be read once the block is left.

    Args:
        path: The file; one that is there is replaced.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._waiting, self._written = path, list[Passage](), 0

    def __enter__(self) -> Self:
        import pyarrow as pa

        self._schema = pa.schema([(name, pa.large_string()) for name in COLUMNS])
        self._file = self._path.open("wb")
        self._writer = pa.ipc.new_file(self._file, self._schema)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._file:
            if kind is None:
                self._flush()
                self._writer.close()

    def __len__(self) -> int:
        return self._written + len(self._waiting)

    def add(self, passage: Passage) -> None:
        """Write the next passage.

        Raises:
            OSError: The disk is full.
        """
        self._waiting.append(passage)
        if len(self._waiting) == _ROWS:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            columns = [[getattr(passage, name) for passage in self._waiting] for name in COLUMNS]
            self._writer.write_batch(pa.record_batch(columns, schema=self._schema))
            self._written += len(self._waiting)
            self._waiting = []


class StoredPassages(Sequence[Passage]):
    """Some passages of a file; another process that gets this opens the file anew.

    Args:
        path: What a `PassageWriter` wrote.
        rows: Numbers of the passages, by the order in which they were added; None: all.
    """

    def __init__(self, path: Path, rows: npt.NDArray[np.int64] | None = None) -> None:
        self._path = path
        self._rows = np.arange(sum(batch.num_rows for batch in self._batches)) if rows is None else rows

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self._path, self._rows)

    @override
    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Passage: ...
    @overload
    def __getitem__(self, index: slice) -> StoredPassages: ...
    @override
    def __getitem__(self, index: int | slice) -> Passage | StoredPassages:
        if isinstance(index, slice):
            return type(self)(self._path, self._rows[index])
        batch, row = divmod(int(self._rows[index]), _ROWS)
        return Passage(*(column[row].as_py() for column in self._batches[batch].columns))

    def chosen(self, rows: npt.NDArray[np.int64]) -> StoredPassages:
        """Passages of these by number."""
        return type(self)(self._path, self._rows[rows])

    @cached_property
    def _batches(self) -> list[pa.RecordBatch]:
        import pyarrow as pa

        reader = pa.ipc.open_file(pa.memory_map(str(self._path)))
        return [reader.get_batch(number) for number in range(reader.num_record_batches)]


class Texts(Sequence[str]):
    """The texts of passages.

    Args:
        passages: The passages.
    """

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = passages

    @override
    def __len__(self) -> int:
        return len(self._passages)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Texts: ...
    @override
    def __getitem__(self, index: int | slice) -> str | Texts:
        return Texts(self._passages[index]) if isinstance(index, slice) else self._passages[index].text
