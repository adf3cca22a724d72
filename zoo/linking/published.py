"""What of a trained linker goes to the Hub, and what has to be made again where it came from there."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from zoo.linking.candidates import embed_names
from zoo.linking.encoder import NameEncoder
from zoo.linking.index import Index
from zoo.linking.linker import ADAPTER, VECTORS, read_linker
from zoo.modeling.adapters import ADAPTER_CONFIG

INDEXES = "index"
"""Folder in a linker's of the indexes that may be shared: `index/<ontology>/`."""


def linker_adapters(linker: Path) -> list[Path]:
    """The adapter of a linker's encoder; empty where it has none."""
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
    from zoo.tagging.models import Base, locate

    used, adapters = set(read_linker(linker).ontologies.values()), linker_adapters(linker)
    missing = sorted(name for name in used & indexes.keys() if not (linker / VECTORS / name).is_dir())
    if not missing or not adapters:
        return linker
    shutil.copytree(linker, folder, dirs_exist_ok=True)
    encoder = NameEncoder(Base.load(locate(adapters[0]).base), folder / ADAPTER)
    for name in missing:
        embed_names(indexes[name], encoder, folder / VECTORS / name)
    return folder
