"""Files: written whole, readable for those who may read their neighbours, known by their hashes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_BLOCK_BYTES = 1 << 20


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


def file_sha256(path: Path) -> str:
    """Hash of a file's content."""
    return _fed(hashlib.sha256(), path)


def git_blob_sha1(path: Path) -> str:
    """Hash that git gives a file: sha1 of `blob <size in bytes>`, a NUL byte and the content (git-hash-object(1))."""
    return _fed(hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False), path)


def _fed(digest: hashlib._Hash, path: Path) -> str:
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
