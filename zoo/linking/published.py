"""The folder of a trained linker: where it lies beside a model, on this disk and in a repository of the Hub."""

from __future__ import annotations

from pathlib import Path

from zoo.linking.index import INDEX_FILE
from zoo.linking.linker import ADAPTER, LINKER_FILE
from zoo.modeling.adapters import ADAPTER_CONFIG
from zoo.tagging.models import download

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
