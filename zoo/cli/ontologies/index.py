"""`zoo ontologies index`: build the index that mentions are linked with."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.opening import open_registry
from zoo.cli.options import AsJson, RegistryOption
from zoo.cli.output import download_bars, print_json, print_line, print_step
from zoo.errors import ZooError


def index(
    name: Annotated[str, typer.Argument(metavar="ID_OR_FILE", help="An ontology, or a file of your own.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write it here rather than into the cache.")
    ] = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Build the index of an ontology, once; zoo tag --link and zoo link do it by themselves."""
    from zoo.linking.indexes import open_index

    if out and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ZooError("the folder is not empty", where=out, fix="name another with --out")
    found, settings = open_registry(registry)
    start = time.monotonic()
    with download_bars() as progress:
        opened = open_index(name, found, settings, say=print_step, progress=progress)
    folder, info = opened.index.folder, opened.index.info
    if out:
        folder = copy_index(folder, out)
    size = sum(path.stat().st_size for path in folder.iterdir())
    if as_json:
        record = {"folder": str(folder), "fingerprint": opened.fingerprint, "bytes": size}
        print_json({**info.model_dump(include={"ontology", "version", "concepts", "names"}), **record})
        return
    print_line(
        f"{info.ontology} {info.version}: {info.concepts:,} concepts, {info.names:,} names, {size / 1e6:.1f} MB, "
        f"{time.monotonic() - start:.1f} s: {folder}",
        wrap=False,
    )


def copy_index(folder: Path, out: Path) -> Path:
    """Copy an index, whole or not at all.

    Raises:
        ZooError: It cannot be written.
    """
    import shutil

    from zoo.files import new_folder

    try:
        with new_folder(out) as made:
            shutil.copytree(folder, made, dirs_exist_ok=True)
    except OSError as error:
        raise ZooError(f"cannot write the index: {error.strerror or error}", where=out) from None
    return out
