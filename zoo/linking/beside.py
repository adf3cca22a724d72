"""The trained linker beside a model's adapter, and the indexes that it goes with."""

from __future__ import annotations

from pathlib import Path

from zoo.linking.index import INDEX_FILE
from zoo.linking.linker import LINKER_FILE, read_linker
from zoo.modeling.adapters import ADAPTER_CONFIG
from zoo.tagging.models import download, resolve_model

LINKER_FOLDER = "linker"
_FILES = (f"{LINKER_FOLDER}/*", ADAPTER_CONFIG, "config.json")
"""With a file that every model has: the cache then knows those without a linker too."""


def find_linker(model: str | Path) -> Path | None:
    """The folder of a model's trained linker, from the Hub where the model is there; None: it has none.

    Args:
        model: Checkpoint folder, adapter, model folder or Hub id.

    Raises:
        ZooError: There is no such model.
        HubError: The Hub refuses, or cannot be reached.
    """
    name = resolve_model(model)
    folder = Path(name) if Path(name).is_dir() else download(name, _FILES)
    places = [folder / LINKER_FOLDER, *([folder.parent / LINKER_FOLDER] if folder.name == "adapter" else [])]
    return next((place.resolve() for place in places if (place / LINKER_FILE).is_file()), None)


def find_indexes(folder: Path, cache: Path | None) -> dict[str, Path]:
    """Ontology id -> folder of its index, of those that a trained linker needs and that are here.

    Args:
        folder: The linker; indexes that may be published lie in its `index/`.
        cache: Folder of this machine's indexes.
    """
    info = read_linker(folder)
    found: dict[str, Path] = {}
    for name in dict.fromkeys(info.ontologies.values()):
        places = [folder / "index" / name]
        if cache and name in info.fingerprints:
            places.append(index_folder(name, info.fingerprints[name], cache))
        if here := next((place for place in places if (place / INDEX_FILE).is_file()), None):
            found[name] = here
    return found


def index_folder(ontology: str, fingerprint: str, cache: Path) -> Path:
    """Where the index of an ontology with this fingerprint lies in a folder of indexes, whether it is there or not."""
    return cache / f"{ontology}-{fingerprint[:12]}"
