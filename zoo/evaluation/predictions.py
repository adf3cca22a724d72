"""`predictions.jsonl`: gold and predicted spans of every test document, from which two models can be compared."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from zoo.errors import ZooError
from zoo.evaluation.spans import Counts, Key, count

PREDICTIONS_FILE = "predictions.jsonl"


class _Mention(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # predictions have a score too

    start: int
    end: int
    type: str

    @property
    def key(self) -> Key:
        return (self.start, self.end, self.type)


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    gold: tuple[_Mention, ...]
    predicted: tuple[_Mention, ...]


def prediction_counts(folder: Path) -> list[Counts]:
    """Strict counts of each test document of a checkpoint, in the order of the test split.

    Args:
        folder: The checkpoint's folder.

    Raises:
        ZooError: The file is missing or a line is malformed; names file and line.
    """
    path = folder / PREDICTIONS_FILE
    counts = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ZooError(
            f"cannot read the predictions: {error.strerror}", where=path, fix="build the checkpoint again"
        ) from None
    for number, text in enumerate(lines, start=1):
        try:
            line = _Line.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise ZooError(
                f"not a line of predictions: {f'{field}: ' if field else ''}{first['msg']}",
                where=f"{path}:{number}",
                fix="build the checkpoint again",
            ) from None
        counts.append(count([m.key for m in line.gold], [m.key for m in line.predicted]))
    return counts
