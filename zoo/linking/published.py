"""The folder of a trained linker: where it lies beside a model, on this disk and in a repository of the Hub."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from zoo.linking.encoder import NameEncoder
from zoo.linking.index import INDEX_FILE, Index
from zoo.linking.linker import ADAPTER, LINKER_FILE, VECTORS, read_linker
from zoo.linking.vectors import Vectors
from zoo.modeling.adapters import ADAPTER_CONFIG
from zoo.tagging.models import Base, download, locate

LINKER = "linker"
"""Its name beside the adapter of a checkpoint, and in a repository."""
INDEXES = "index"
"""Folder in it of indexes, where they may be shared: `index/<ontology>/`."""


def find_linker(model: str | Path) -> Path | None:
    """The linker of a model; None: it has none.

    Args:
        model: Checkpoint folder of a build, its `adapter/`, or a Hub id; what else the linker's folder has there is
            downloaded too.

    Raises:
        ZooError: There is no such repository.
        HubError: The Hub refuses, or cannot be reached.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        places = [folder / LINKER, folder.resolve().parent / LINKER]
    else:
        places = [download(str(model), (f"{LINKER}/*",)) / LINKER]
    return next((place for place in places if (place / LINKER_FILE).is_file()), None)


def published_indexes(linker: Path) -> dict[str, Path]:
    """Ontology -> folder of its index, of those that came with a linker."""
    return {path.parent.name: path.parent for path in sorted(linker.glob(f"{INDEXES}/*/{INDEX_FILE}"))}


def linker_adapters(linker: Path) -> list[Path]:
    """The adapter of a linker's reranker; empty where it has none."""
    return [path.parent for path in linker.glob(f"{ADAPTER}/{ADAPTER_CONFIG}")]


def with_vectors(linker: Path, indexes: Mapping[str, Index], folder: Path) -> Path:
    """A linker with the vectors of names that its repository may not have, as its training made them.

    Args:
        linker: Its folder.
        indexes: Ontology -> its index.
        folder: Where a copy goes that has them all; not made where the linker itself has.

    Returns:
        Folder of the linker that has them.

    Raises:
        ZooError: It is no linker, or its base is gone.
        HubError: Its base is on the Hub, which refuses or cannot be reached.
    """
    used, adapters = set(read_linker(linker).ontologies.values()), linker_adapters(linker)
    missing = sorted(name for name in used & indexes.keys() if not (linker / VECTORS / name).is_dir())
    if not missing or not adapters:
        return linker
    shutil.copytree(linker, folder, dirs_exist_ok=True)
    encoder = NameEncoder(Base.load(locate(adapters[0]).base), folder / ADAPTER)
    for name in missing:
        names = [text for _, text in indexes[name].all_names()]
        Vectors.of(encoder.encode(names)).save(folder / VECTORS / name)
    return folder
