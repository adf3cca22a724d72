"""The table of formats, and an output that goes on where a run was broken off."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

from zoo.errors import ZooError
from zoo.files import write_whole
from zoo.tagging.outputs.format import FileFormat, FolderFormat, Run
from zoo.tagging.texts import Tagged

FORMATS = {
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".pubtator": "pubtator",
    ".bioc.xml": "bioc_xml",
    ".bioc.json": "bioc_json",
    "": "brat",
}
"""By what the output's name ends with (a folder has no suffix): the module beside this one that has the `FORMAT`."""


def load_format(suffix: str) -> FileFormat | FolderFormat:
    """The format of outputs whose name ends so.

    Raises:
        ZooError: There is none.
    """
    if suffix not in FORMATS:
        names = ", ".join(name for name in FORMATS if name)
        raise ZooError(
            f"no format is called {suffix!r}", where="--out", fix=f"name a file {names}, or a folder for BRAT"
        )
    module = import_module(f"{__package__}.{FORMATS[suffix]}")
    return module.FORMAT  # type: ignore[no-any-return]


def _suffix(path: Path) -> str:
    return next((suffix for suffix in FORMATS if suffix and path.name.endswith(suffix)), path.suffix)


class Output:
    """A file (or, for BRAT, a folder) that documents are appended to; begun again, it goes on after the last of them.

    The entities are written to `NAME.partial`, and how far they are known to be whole to `NAME.progress`; at the end
    `NAME.partial` becomes `NAME`. Files in a folder are each written whole, in their place.

    Args:
        path: The output.
        run: Its models, and whether they are linked.
        given: What determines the answers (models, linker, input, options): a run with others does not go on from
            this one.
    """

    def __init__(self, path: Path, run: Run, given: str) -> None:
        self._format = load_format(_suffix(path))
        if isinstance(self._format, FileFormat) and path.exists():
            raise ZooError("the file is there already", where=path, fix="remove it, or name another with --out")
        self.path, self.run = path, run
        self._names: set[str] = set()
        self.made_whole = 0
        """Discontinuous mentions that the format could not hold as such."""
        self._progress = path.with_name(f"{path.name}.progress")
        self._partial = path.with_name(f"{path.name}.partial") if isinstance(self._format, FileFormat) else path
        self._given = hashlib.sha256(given.encode()).hexdigest()
        self.documents, self._bytes = self._resume()

    def _resume(self) -> tuple[int, int]:
        try:
            state = json.loads(self._progress.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            state = {}
        if not state:
            if self.path.is_dir() and any(self.path.iterdir()):
                raise ZooError("the folder is not empty", where=self.path, fix="name another with --out")
            return 0, 0
        if state.get("given") != self._given:
            raise ZooError(
                "an unfinished run with another model, input or option left its output here",
                where=self._progress,
                fix=f"give the same command to finish it, or remove it and {self._partial.name}",
            )
        return int(state["documents"]), int(state["bytes"])

    @property
    def leaves_out_assertions(self) -> bool:
        """Whether entities have assertions that the format cannot hold."""
        return self.run.asserted and isinstance(self._format, FileFormat) and not self._format.assertions

    @contextmanager
    def writing(self) -> Generator[Output]:
        """Open for `add`; left without an error, the output is complete."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(self._format, FolderFormat):
            self.path.mkdir(exist_ok=True)
            yield self
        else:
            with self._partial.open("r+b" if self._partial.exists() else "w+b") as file:
                self._file: BinaryIO = file
                file.truncate(self._bytes)
                file.seek(self._bytes)
                header = self._format.header(self.run).encode()
                if not self._bytes:
                    file.write(header)
                self._filled = self._bytes > len(header)
                yield self
                file.write(self._format.footer.encode())
            self._partial.replace(self.path)
        self._progress.unlink(missing_ok=True)

    def add(self, tagged: Tagged) -> None:
        """Write one document.

        Raises:
            ZooError: Its id came before, and its files would replace others.
        """
        if isinstance(self._format, FileFormat):
            content = self._format.document(tagged, self.run)
            between = self._format.between if content and self._filled else ""
            self._filled |= bool(content)
            if not self._format.fragments:
                self.made_whole += sum(bool(entity.fragments) for found in tagged.entities for entity in found)
            self._file.write((between + content).encode())
        else:
            files = self._format.files(tagged, self.run)
            if self._names & files.keys():
                raise ZooError(
                    f"the id {tagged.text.id!r} came before: its files would be replaced",
                    where=self.path,
                    fix="give documents ids of their own, or write JSON lines",
                )
            self._names |= files.keys()
            for name, content in files.items():
                write_whole(self.path / name, content)
        self.documents += 1

    def keep(self) -> None:
        """Note how far the output is whole: what comes after may be lost with the process, and is tagged again."""
        written = 0
        if isinstance(self._format, FileFormat):
            self._file.flush()
            os.fsync(self._file.fileno())
            written = self._file.tell()
        state = {"documents": self.documents, "bytes": written, "given": self._given}
        write_whole(self._progress, json.dumps(state))
