"""What of a trained linker goes to the Hub, and what has to be made again where it came from there."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from zoo.errors import ZooError
from zoo.files import file_sha256, new_folder
from zoo.linking.candidates import embed_names
from zoo.linking.encoder import NameEncoder
from zoo.linking.index import Index
from zoo.linking.linker import ADAPTER, VECTORS, read_linker
from zoo.modeling.adapters import ADAPTER_CONFIG, ADAPTER_WEIGHTS

INDEXES = "index"
"""Folder in a linker's of the indexes that may be shared: `index/<ontology>/`."""


def linker_adapters(linker: Path) -> list[Path]:
    """The adapter of a linker's encoder; empty where it has none."""
    return [path.parent for path in linker.glob(f"{ADAPTER}/{ADAPTER_CONFIG}")]


def with_vectors(
    linker: Path, indexes: Mapping[str, Index], cache: Path, say: Callable[[str], None] = lambda _: None
) -> Path:
    """A linker with the vectors of names that its repository may not have, as its training made them.

    Args:
        linker: Its folder.
        indexes: Ontology -> its index.
        cache: Folder that a copy goes into, once for each linker and version of the ontologies; not made where the
            linker itself has them all.
        say: Told that names are being encoded, which takes minutes for a large ontology.

    Returns:
        Folder of the linker that has them.

    Raises:
        ZooError: It is no linker, its base is gone, or the copy cannot be written.
        HubError: Its base is on the Hub, which refuses or cannot be reached.
    """
    from zoo.tagging.models import Base, locate

    used, adapters = set(read_linker(linker).ontologies.values()), linker_adapters(linker)
    missing = sorted(name for name in used & indexes.keys() if not (linker / VECTORS / name).is_dir())
    if not missing or not adapters:
        return linker
    parts = [file_sha256(adapters[0] / ADAPTER_WEIGHTS), *(indexes[name].folder.name for name in missing)]
    folder = cache / hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]
    if folder.is_dir():
        return folder
    try:
        with new_folder(folder) as copy:
            shutil.copytree(linker, copy, dirs_exist_ok=True)
            encoder = NameEncoder(Base.load(locate(adapters[0]).base), copy / ADAPTER)
            for name in missing:
                say(f"encoding the {indexes[name].info.names:,} names of {name}, once")
                embed_names(indexes[name], encoder, copy / VECTORS / name)
    except OSError as error:
        raise ZooError(
            f"cannot write the vectors of names: {error.strerror or error}",
            where=folder,
            fix="free some space, or set ZOO_CACHE to another folder",
        ) from None
    return folder
