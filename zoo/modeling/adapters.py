"""Which base an adapter stands on, also after the folder that holds both was moved or copied.

A build writes the absolute path of the base into `adapter_config.json`, so that plain transformers and PEFT load the
adapter at once. Where that path is gone, the base is looked for beside the adapter, known by its fingerprint.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.files import write_whole

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
BASE_INFO = "zoo_base.json"
_PLACES = ("bases/*", "artefacts/base/*/model", "base/*/model")
"""Where bases lie below an output folder, and below a folder of artefacts."""
_LEVELS = 5
"""Folders above an adapter that may be the output folder."""


def named_base(adapter: Path) -> str:
    """The base that an adapter names: a folder or a Hub id.

    Raises:
        ZooError: `adapter_config.json` is missing or damaged, or names none.
    """
    return str(_read_config(adapter)["base_model_name_or_path"])


def point_at_base(adapter: Path, base_name: str) -> None:
    """Rewrite which base an adapter names; PEFT writes sets in any order, we in one.

    Raises:
        ZooError: `adapter_config.json` is missing or damaged, or names no base.
        OSError: It cannot be written.
    """
    config = _read_config(adapter) | {"base_model_name_or_path": base_name}
    config |= {key: sorted(config[key]) for key in ("target_modules", "modules_to_save") if config.get(key)}
    write_whole(adapter / ADAPTER_CONFIG, json.dumps(config, indent=2, sort_keys=True) + "\n")


def find_base(adapter: Path, *, repair: bool = True) -> str:
    """The base of an adapter on this disk, as a folder that exists or a Hub id.

    Args:
        adapter: Folder of the adapter.
        repair: Where the named folder is gone and the base was found elsewhere, write that into
            `adapter_config.json`, so that plain transformers loads the adapter too; where the file cannot be written,
            it stays as it is.

    Raises:
        ZooError: `adapter_config.json` cannot be read, or names a folder that is gone while the base is not beside it.
    """
    name = named_base(adapter)
    if not _is_gone(name):
        return name
    found = _beside(adapter.resolve(), name)
    if found is None:
        raise ZooError(
            f"the base of this adapter is gone: {name}",
            where=adapter / ADAPTER_CONFIG,
            fix="move or copy the whole output folder, bases/ and checkpoints/ together, or build again",
        )
    if repair:
        with suppress(OSError):  # a read-only copy: found again each time
            point_at_base(adapter, str(found))
    return str(found)


def _read_config(adapter: Path) -> dict[str, Any]:
    path = adapter / ADAPTER_CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(config, dict) or not isinstance(config.get("base_model_name_or_path"), str):
            raise ValueError("it names no base")
    except (OSError, ValueError) as error:
        raise ZooError(f"cannot read the adapter's configuration: {error}", where=path, fix="build it again") from None
    return config


def _is_gone(name: str) -> bool:
    """Whether a name is that of a folder that is no model any more; a Hub id has one slash, and not in front."""
    if (Path(name) / "config.json").is_file():
        return False
    return Path(name).is_absolute() or name.count("/") > 1 or name.startswith((".", "~")) or "\\" in name


def _beside(adapter: Path, name: str) -> Path | None:
    """The base with the fingerprint that the adapter was trained on, in the folders above the adapter."""
    fingerprint = _recorded(adapter.parent / "result.json") or Path(name).parent.name
    if len(fingerprint) < 32:  # of no artefact: a name alone does not tell one base from another
        return None
    for base in _bases(adapter):
        try:
            info = json.loads((base / BASE_INFO).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if str(info.get("fingerprint", "")).startswith(fingerprint) and (base / "config.json").is_file():
            return base
    return None


def _recorded(result: Path) -> str:
    """Fingerprint of the base in a checkpoint's record; empty where there is none."""
    try:
        return str(json.loads(result.read_text(encoding="utf-8"))["fingerprints"]["base"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _bases(adapter: Path) -> Iterator[Path]:
    for folder in list(adapter.parents)[:_LEVELS]:
        for place in _PLACES:
            yield from sorted(folder.glob(place))
