"""Files: written whole, readable for those who may read their neighbours, known by their hashes."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BLOCK_BYTES = 1 << 20
_LARGEST_HASHED_BYTES = 64 << 20


def is_url(place: str) -> bool:
    """Whether fsspec reads it: as that tells URLs from paths."""
    return "://" in place or "::" in place


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


@contextmanager
def new_folder(destination: Path) -> Iterator[Path]:
    """A temporary folder beside `destination` that replaces it if the block succeeds and vanishes if it fails.

    Raises:
        OSError: It cannot be written, or put in the place; what was there before is as it was.
    """
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


def file_sha256(path: Path) -> str:
    """Hash of a file's content."""
    return _fed(hashlib.sha256(), path)


def git_blob_sha1(path: Path) -> str:
    """Hash that git gives a file: sha1 of `blob <size in bytes>`, a NUL byte and the content (git-hash-object(1))."""
    return _fed(hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False), path)


def git_tree_sha1(path: Path, folder: str) -> str:
    """Hash that git gives a folder, computed from a zip archive of a commit as git hosts make them.

    Args:
        path: The archive; all that it holds lies in one top folder.
        folder: Folder of plain files, below the top folder.

    Raises:
        zipfile.BadZipFile: It is no zip archive, is damaged, or has a file of more than 64 MiB there.
    """
    with zipfile.ZipFile(path) as packed:
        inside = {name.partition("/")[2]: name for name in packed.namelist()}
        names = sorted(name for name in inside if name.rpartition("/")[0] == folder and not name.endswith("/"))
        if any(packed.getinfo(inside[name]).file_size > _LARGEST_HASHED_BYTES for name in names):
            raise zipfile.BadZipFile("a file is too large")
        entries = b""
        for name in names:
            content = packed.read(inside[name])
            blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False)
            entries += f"100644 {name.rpartition('/')[2]}\0".encode() + blob.digest()
    return hashlib.sha1(f"tree {len(entries)}\0".encode() + entries, usedforsecurity=False).hexdigest()


def file_md5(path: Path) -> str:
    """Hash of a file's content where its home publishes no better one: it tells damage, not forgery."""
    return _fed(hashlib.md5(usedforsecurity=False), path)


def _fed(digest: hashlib._Hash, path: Path) -> str:
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
