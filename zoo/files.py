"""Writing files so that a reader never sees half of one, and others may read what they may read."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all; text as UTF-8.

    Raises:
        OSError: It cannot be written; a file that was there before is as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def share_weights(folder: Path, like: Path) -> None:
    """Give the weights in a folder the permissions of another file: safetensors lets their owner alone read them."""
    mode = like.stat().st_mode
    for path in folder.rglob("*.safetensors"):
        path.chmod(mode)
