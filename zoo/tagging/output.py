"""What was found, written as JSON lines, CSV or BRAT, and where a run that was broken off goes on."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal
from urllib.parse import quote

from zoo.errors import ZooError
from zoo.files import write_whole
from zoo.tagging.stream import Tagged

Format = Literal["jsonl", "csv", "brat"]
SUFFIXES: dict[str, Format] = {".jsonl": "jsonl", ".csv": "csv", "": "brat"}
"""By the name of the output; BRAT is a folder with ID.txt and ID.ann."""
_COLUMNS = ("id", "start", "end", "type", "text", "score")


def entity_records(tagged: Tagged, models: Sequence[str]) -> list[dict[str, Any]]:
    """What was found in a document, model by model: start, end, type, text, score, and of several models which."""
    return [
        {
            "start": entity.start,
            "end": entity.end,
            "type": entity.type,
            "text": tagged.text.text[entity.start : entity.end],
            "score": round(entity.score, 4),
            **({"model": model} if len(models) > 1 else {}),
        }
        for model, entities in zip(models, tagged.entities, strict=True)
        for entity in entities
    ]


def json_line(tagged: Tagged, models: Sequence[str]) -> str:
    """A document's id and entities, as one line."""
    record = {"id": tagged.text.id, "entities": entity_records(tagged, models)}
    return json.dumps(record, ensure_ascii=False) + "\n"


class Output:
    """A file (or, for BRAT, a folder) that documents are appended to; begun again, it goes on after the last of them.

    The entities are written to `NAME.partial`, and how far they are known to be whole to `NAME.progress`; at the end
    `NAME.partial` becomes `NAME`. BRAT's files are each written whole, in their place.

    Args:
        path: The output.
        models: Names of the models, in the order of their answers; where there are several, each entity says which.
        given: What determines the answers (models, input, options): a run with others does not go on from this one.
    """

    def __init__(self, path: Path, models: Sequence[str], given: str) -> None:
        if (format := SUFFIXES.get(path.suffix)) is None:
            raise ZooError(
                f"no format is called {path.suffix!r}",
                where="--out",
                fix="name a .jsonl or .csv file, or a folder for BRAT",
            )
        if format != "brat" and path.exists():
            raise ZooError("the file is there already", where=path, fix="remove it, or name another with --out")
        self.path, self.format, self.models = path, format, models
        self._names: set[str] = set()
        self._progress = path.with_name(f"{path.name}.progress")
        self._partial = path if format == "brat" else path.with_name(f"{path.name}.partial")
        self._given = hashlib.sha256(given.encode()).hexdigest()
        self.documents, self._bytes = self._resume()

    def _resume(self) -> tuple[int, int]:
        try:
            state = json.loads(self._progress.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            state = {}
        if not state:
            if self.format == "brat" and self.path.is_dir() and any(self.path.iterdir()):
                raise ZooError("the folder is not empty", where=self.path, fix="name another with --out")
            return 0, 0
        if state.get("given") != self._given:
            raise ZooError(
                "an unfinished run with another model, input or option left its output here",
                where=self._progress,
                fix=f"give the same command to finish it, or remove it and {self._partial.name}",
            )
        return int(state["documents"]), int(state["bytes"])

    @contextmanager
    def writing(self) -> Generator[Output]:
        """Open for `add`; left without an error, the output is complete."""
        if self.format == "brat":
            self.path.mkdir(parents=True, exist_ok=True)
            yield self
        else:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._partial.open("r+b" if self._partial.exists() else "w+b") as file:
                self._file: BinaryIO = file
                file.truncate(self._bytes)
                file.seek(self._bytes)
                if self.format == "csv" and not self._bytes:
                    columns = _COLUMNS if len(self.models) == 1 else (*_COLUMNS, "model")
                    file.write(_csv_lines([columns]))
                yield self
            self._partial.replace(self.path)
        self._progress.unlink(missing_ok=True)

    def add(self, tagged: Tagged) -> None:
        """Write one document."""
        if self.format == "jsonl":
            self._file.write(json_line(tagged, self.models).encode())
        elif self.format == "csv":
            records = entity_records(tagged, self.models)
            self._file.write(_csv_lines([(tagged.text.id, *record.values()) for record in records]))
        else:
            self._write_brat(tagged)
        self.documents += 1

    def keep(self) -> None:
        """Note how far the output is whole: what comes after may be lost with the process, and is tagged again."""
        written = 0
        if self.format != "brat":
            self._file.flush()
            os.fsync(self._file.fileno())
            written = self._file.tell()
        state = {"documents": self.documents, "bytes": written, "given": self._given}
        write_whole(self._progress, json.dumps(state))

    def _write_brat(self, tagged: Tagged) -> None:
        name = quote(tagged.text.id, safe=" ()+,@") or "_"
        name = f"_{name[1:]}" if name.startswith(".") else name
        if name in self._names:
            raise ZooError(
                f"the id {tagged.text.id!r} came before: its files would be replaced",
                where=self.path,
                fix="give documents ids of their own, or write JSON lines",
            )
        self._names.add(name)
        lines, number = [], 0
        for model, entities in zip(self.models, tagged.entities, strict=True):
            for entity in entities:
                number += 1
                parts = _lines(tagged.text.text, entity.start, entity.end)
                places = ";".join(f"{start} {end}" for start, end in parts)
                mention = " ".join(tagged.text.text[start:end] for start, end in parts)
                lines.append(f"T{number}\t{'_'.join(entity.type.split())} {places}\t{mention}\n")
                if len(self.models) > 1:
                    lines.append(f"#{number}\tAnnotatorNotes T{number}\t{model}\n")
        write_whole(self.path / f"{name}.txt", tagged.text.text)
        write_whole(self.path / f"{name}.ann", "".join(lines))


def _lines(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The parts of a mention between line ends: BRAT has no mention over several lines."""
    return [(start + m.start(), start + m.end()) for m in re.finditer(r"[^\r\n]+", text[start:end])] or [(start, end)]


def _csv_lines(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
