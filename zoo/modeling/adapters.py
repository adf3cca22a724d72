"""Which base an adapter stands on, also after the folder that holds both was moved or copied.

A build writes the absolute path of the base into `adapter_config.json`, so that plain transformers and PEFT load the
adapter at once. Where that path is gone, the base is looked for beside the adapter, known by its fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.files import file_sha256, write_whole
from zoo.modeling.classifier import HEADS

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
HEADS_FILE = "heads.json"
"""Beside an adapter that is one head of several: what they are and where the others lie, `HEADS_FOLDER/<name>`."""
HEADS_FOLDER = "heads"
DISCONTINUOUS_FILE = "discontinuous.json"
"""Beside an adapter that was trained on discontinuous mentions: how these are found in what its heads find."""
BASE_INFO = "zoo_base.json"
_PLACES = ("bases/*", "artefacts/base/*/model", "base/*/model")
"""Where bases lie below an output folder, and below a folder of artefacts."""
_HEAD_NAME = re.compile(r"\w[\w.-]*")
_NOT_OF_ENCODER = frozenset({"base_model_name_or_path", "revision", "inference_mode"})
_LEVELS = 5
"""Folders above an adapter that may be the output folder."""


def named_base(adapter: Path) -> str:
    """The base that an adapter names: a folder or a Hub id.

    Raises:
        ZooError: `adapter_config.json` is missing or damaged, or names none.
    """
    return str(_read_config(adapter)["base_model_name_or_path"])


def write_heads(adapter: Path, heads: Sequence[Mapping[str, Any]]) -> None:
    """Write what the heads of a training are, the one in the folder itself first: name, types, level of each."""
    places = [".", *(f"{HEADS_FOLDER}/{head['name']}" for head in heads[1:])]
    described = [{**head, "folder": place} for head, place in zip(heads, places, strict=True)]
    write_whole(adapter / HEADS_FILE, json.dumps({"heads": described}, indent=2) + "\n")


def read_heads(adapter: Path) -> list[dict[str, Any]]:
    """What the heads of an adapter are, with their folders; empty where it is the only one.

    Raises:
        ZooError: The file is damaged, or names a folder that is not below the adapter's.
    """
    path = adapter / HEADS_FILE
    if not path.is_file():
        return []
    try:
        heads: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["heads"]
        for number, head in enumerate(heads):
            expected = f"{HEADS_FOLDER}/{head['name']}" if number else "."
            if head["folder"] != expected or not _HEAD_NAME.fullmatch(head["name"]):
                raise ValueError(f"head {number + 1} lies in {head['folder']!r}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ZooError(f"cannot read the adapter's heads: {error}", where=path, fix="build it again") from None
    return heads


def head_folders(adapter: Path) -> list[Path]:
    """The adapters that are one model: that of a folder, and those of its further heads.

    Raises:
        ZooError: The file that names them is damaged.
    """
    return [adapter / head["folder"] for head in read_heads(adapter)] or [adapter]


def adapter_files(adapter: Path) -> list[Path]:
    """The files that an adapter is, of all its heads.

    Raises:
        ZooError: One is missing, or the file that names the heads is damaged.
    """
    folders = head_folders(adapter)
    files = [folder / name for folder in folders for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS)]
    files += [adapter / HEADS_FILE] if len(folders) > 1 else []
    files += [adapter / DISCONTINUOUS_FILE] if (adapter / DISCONTINUOUS_FILE).is_file() else []
    for path in files:
        if not path.is_file():
            raise ZooError(f"the adapter has no {path.name}", where=path.parent, fix="build it again")
    return files


def weight_digests(adapter: Path) -> dict[str, str]:
    """Sha256 of what an adapter has learned.

    Its weights are called `adapter`, those of each further head `adapter/heads/<name>`, and what it knows of
    discontinuous mentions `adapter/discontinuous.json`.

    Raises:
        ZooError: The file that names the heads is damaged.
        OSError: The weights cannot be read.
    """
    splitter = adapter / DISCONTINUOUS_FILE
    return {
        (Path("adapter") / folder.relative_to(adapter)).as_posix(): file_sha256(folder / ADAPTER_WEIGHTS)
        for folder in head_folders(adapter)
    } | ({f"adapter/{DISCONTINUOUS_FILE}": file_sha256(splitter)} if splitter.is_file() else {})


def encoder_digest(adapter: Path) -> str:
    """Sha256 of all that an adapter does to the encoder: two adapters of one base and digest differ in the head alone.

    Raises:
        ZooError: `adapter_config.json` is missing or damaged.
        OSError: The weights cannot be read.
    """
    import torch
    from safetensors import safe_open

    config = _read_config(adapter)
    settings = {key: value for key, value in config.items() if key not in _NOT_OF_ENCODER}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    with safe_open(adapter / ADAPTER_WEIGHTS, framework="pt") as weights:  # numpy has no bfloat16
        for name in sorted(weights.keys()):
            if not set(HEADS) & set(name.split(".")):
                tensor = weights.get_tensor(name)
                digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
                digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def point_at_base(adapter: Path, base_name: str) -> None:
    """Rewrite which base an adapter, and each further head of it, names; PEFT writes sets in any order, we in one.

    Raises:
        ZooError: `adapter_config.json` is missing or damaged, or names no base.
        OSError: It cannot be written.
    """
    for folder in head_folders(adapter):
        config = _read_config(folder) | {"base_model_name_or_path": base_name}
        config |= {key: sorted(config[key]) for key in ("target_modules", "modules_to_save") if config.get(key)}
        write_whole(folder / ADAPTER_CONFIG, json.dumps(config, indent=2, sort_keys=True) + "\n")


def find_base(adapter: Path, *, repair: bool = True) -> str:
    """The base of an adapter on this disk, as a folder that exists or a Hub id.

    Args:
        adapter: Folder of the adapter; of one of several heads, too.
        repair: Where the named folder is gone and the base was found elsewhere, write that into
            `adapter_config.json`, of all heads, so that plain transformers loads the adapter too; where the file
            cannot be written, it stays as it is.

    Raises:
        ZooError: `adapter_config.json` cannot be read, or names a folder that is gone while the base is not beside it.
    """
    name = named_base(adapter)
    if not _is_gone(name):
        return name
    whole = _whole(adapter.resolve())
    found = _beside(whole, name)
    if found is None:
        raise ZooError(
            f"the base of this adapter is gone: {name}",
            where=adapter / ADAPTER_CONFIG,
            fix="move or copy the whole output folder, bases/ and checkpoints/ together, or build again",
        )
    if repair:
        with suppress(OSError):  # a read-only copy: found again each time
            point_at_base(whole, str(found))
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


def _whole(adapter: Path) -> Path:
    """The adapter that a further head is one of; itself where it is none."""
    inside = adapter.parent.name == HEADS_FOLDER and (adapter.parent.parent / HEADS_FILE).is_file()
    return adapter.parent.parent if inside else adapter


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
