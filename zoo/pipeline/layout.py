"""Where a build's files lie, and how they get there whole."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import ZooError


@dataclass(frozen=True)
class Layout:
    """Folders below an output folder."""

    out: Path

    def base(self, backbone: str) -> Path:
        """A backbone's base: a complete model."""
        return self.out / "bases" / backbone

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


@contextmanager
def new_folder(destination: Path) -> Iterator[Path]:
    """A temporary folder beside `destination` that replaces it if the block succeeds and vanishes if it fails."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{destination.name}-", dir=destination.parent))
    temporary.chmod(0o755)
    try:
        yield temporary
        old = destination.with_name(f".{destination.name}-old-{os.getpid()}")
        if destination.exists():
            destination.rename(old)
        try:
            temporary.rename(destination)
        except OSError:
            if old.exists():
                old.rename(destination)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
