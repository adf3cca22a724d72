"""onnxruntime for browsers: one pinned package of npm, of which the page holds two files."""

from __future__ import annotations

import tarfile
from pathlib import Path

from zoo.corpora.download import cached_path, fetch
from zoo.corpora.retry import FetchOptions
from zoo.errors import ZooError
from zoo.files import file_sha256
from zoo.registry.schema import RemoteFile

RUNTIME = "onnxruntime-web 1.30.0"
PACKAGE = RemoteFile(
    url="https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-1.30.0.tgz",
    sha256="d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71",
    size_bytes=33_106_585,
)
RUNTIME_FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
"""The smallest build: it runs on the processor alone, here in one thread."""
_INSTEAD = "give the package by --runtime FILE"


def find_runtime(file: Path | None, cache: Path, options: FetchOptions) -> Path:
    """The package: a file at hand, that of the cache, or fetched now.

    Args:
        file: As `npm pack onnxruntime-web@VERSION` leaves it; None: it is fetched.
        cache: Root of the cache.
        options: Of the download.

    Raises:
        ZooError: It is another file, or it cannot be had.
    """
    if file is None:
        if options.is_offline and not cached_path(PACKAGE, cache).is_file():
            raise ZooError(
                f"{RUNTIME} is not in the cache, and this is offline",
                where=PACKAGE.url,
                fix=f"{_INSTEAD}, or unset HF_HUB_OFFLINE and ZOO_OFFLINE",
            )
        return fetch(PACKAGE, cache, options=options)
    try:
        found = file_sha256(file)
    except OSError as error:
        raise ZooError(f"cannot read the runtime: {error.strerror or error}", where=file) from None
    if found != PACKAGE.sha256:
        raise ZooError(
            f"this is not the package of {RUNTIME}: its sha256 is {found[:12]}, not {str(PACKAGE.sha256)[:12]}",
            where=file,
            fix=f"npm pack {RUNTIME.replace(' ', '@')}, on a machine that reaches npm",
        )
    return file


def write_runtime(package: Path, folder: Path) -> None:
    """Put the files that the page needs into a folder, which must be there."""
    with tarfile.open(package) as archive:
        for name in RUNTIME_FILES:
            if member := archive.extractfile(f"package/dist/{name}"):
                (folder / name).write_bytes(member.read())
