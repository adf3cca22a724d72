"""Where a build's files lie, and how they get there whole."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import ZooError
from zoo.evaluation.result import Result
from zoo.modeling.backbones import read_base_info


@dataclass(frozen=True)
class Layout:
    """Folders below an output folder."""

    out: Path

    def base(self, backbone: str) -> Path:
        """A backbone's base: a complete model."""
        return self.out / "bases" / backbone

    def base_of(self, result: Result) -> Path:
        """The folder of the base that a checkpoint stands on: the one with its fingerprint."""
        fingerprint = result.fingerprints.get("base", "")
        places = (self.base(result.base_folder), self.base(f"{result.backbone}-{fingerprint[:8]}"))
        return next((place for place in places if read_base_info(place).get("fingerprint") == fingerprint), places[0])

    def checkpoint(self, backbone: str, corpus: str) -> Path:
        """A checkpoint: `adapter/`, `README.md`, `result.json`, `predictions.jsonl`."""
        return self.out / "checkpoints" / backbone / corpus

    @property
    def failures(self) -> Path:
        """What failed in the last run."""
        return self.out / "failures.json"

    def check_writable(self) -> None:
        """Make the output folder.

        Raises:
            ZooError: It cannot be made or written to.
        """
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.out):
                pass
        except OSError as error:
            raise ZooError(
                f"cannot write to the output folder: {error.strerror}",
                where=self.out,
                fix="choose another with --out or ZOO_OUT",
            ) from None
