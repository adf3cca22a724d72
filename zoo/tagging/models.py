"""Models in memory: a base with its adapters, found by folder or Hub id, and safe to use from many threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from zoo.errors import HubError, ZooError
from zoo.modeling.adapters import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    HEADS_FILE,
    HEADS_FOLDER,
    encoder_digest,
    find_base,
    head_folders,
)
from zoo.modeling.device import best_device
from zoo.modeling.windows import parse_label

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_UNLOADABLE = (OSError, ValueError, RuntimeError, KeyError, AttributeError, TypeError, SafetensorError)
"""What transformers and PEFT raise where files are missing, damaged, or of another shape."""
_LOADING = threading.Lock()
"""transformers and PEFT change functions of PyTorch while they load: one load at a time."""
_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
_PICKLES = ("*.bin",)
_BELOW = ("*/*",)


@dataclass(frozen=True)
class Source:
    """Where a model's files are on this disk.

    Attributes:
        base: Folder of the whole model, or of the base that the adapter names.
        adapters: Folders of its adapters, one for each head; empty: it is a whole model.
    """

    base: Path
    adapters: tuple[Path, ...]

    @property
    def key(self) -> tuple[Path, bool]:
        """What models on one base have in common; adapters change it, so that a whole model has one of its own."""
        return self.base, not self.adapters


def resolve_model(model: str | Path) -> str:
    """The string that transformers loads: `adapter/` inside a checkpoint folder, else the folder itself, else a Hub id.

    Raises:
        ZooError: It looks like a folder but is none, or the base that an adapter names is gone.
    """
    folder = Path(model).expanduser()
    if (folder / "adapter" / ADAPTER_CONFIG).is_file():
        folder = folder / "adapter"
    if folder.is_dir():
        if not any((folder / name).is_file() for name in (ADAPTER_CONFIG, "config.json")):
            raise ZooError(
                "the folder holds neither adapter_config.json nor config.json",
                where=folder,
                fix="give a folder written by zoo build or save_pretrained",
            )
        if (folder / ADAPTER_CONFIG).is_file():
            find_base(folder)
        return str(folder)
    if str(model).count("/") != 1 or str(model).startswith((".", "/", "~")):
        raise ZooError(
            f"there is no model folder {str(model)!r}",
            fix="give a folder that zoo build wrote, or a Hub id such as openmed/minilm-l6-bc5cdr-disease",
        )
    return str(model)


def locate(model: str | Path, *, pickles: bool = True) -> Source:
    """Find a model's files and those of the base that its adapter names, from the Hub or its cache where need be.

    Args:
        model: Folder, checkpoint folder of a build (its `adapter/` is taken), or Hub id.
        pickles: Take `.bin` files where a repository has no safetensors.

    Raises:
        ZooError: There is no such model, or its base is gone.
        HubError: The Hub refuses, or cannot be reached.
    """
    folder = _on_disk(resolve_model(model), pickles)
    if not (folder / ADAPTER_CONFIG).is_file():
        return Source(folder.resolve(), ())
    return Source(_on_disk(find_base(folder), pickles).resolve(), tuple(head_folders(folder.resolve())))


def _on_disk(name: str, pickles: bool) -> Path:
    folder = Path(name)
    return folder if folder.is_dir() else _download(name, pickles)


def _download(repo_id: str, pickles: bool) -> Path:
    folder = download(repo_id, _FILES, ignored=_BELOW)
    if (folder / HEADS_FILE).is_file():
        download(repo_id, [f"{HEADS_FOLDER}/*/{name}" for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS)])
    if not pickles or any(folder.glob("*.safetensors")):
        return folder
    return download(repo_id, (*_FILES, *_PICKLES), ignored=_BELOW)


def download(repo_id: str, patterns: Sequence[str], *, ignored: Sequence[str] = ()) -> Path:
    """Files of a model's repository; where the Hub cannot be reached, those of the cache, at once.

    Args:
        repo_id: `owner/name` on the Hub.
        patterns: Which files.
        ignored: Which of these not.

    Raises:
        ZooError: There is no such repository.
        HubError: The Hub refuses, or cannot be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        return Path(snapshot_download(repo_id, allow_patterns=list(patterns), ignore_patterns=list(ignored)))
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ZooError(
            f"the Hub has no model {repo_id!r}, or it is private: {str(error).splitlines()[0]}",
            fix="give a folder with an adapter or a model, or a Hub id; for a private one set HF_TOKEN",
        ) from None
    except LocalEntryNotFoundError:
        raise HubError(
            f"{repo_id!r} is not in the local cache, and the Hub cannot be reached",
            fix="check the network, HF_ENDPOINT and HF_HUB_OFFLINE, or give a folder",
        ) from None
    except (HfHubHTTPError, OSError) as error:
        raise HubError(f"the Hub did not give {repo_id!r}: {str(error).splitlines()[0]}") from None


class Base:
    """A whole model, or a base with adapters, in memory.

    Attributes:
        model: As transformers loads it; PEFT puts adapters into it.
        tokenizer: Its fast tokenizer; used by one thread at a time, `tokenizing`.
        tokenizing: Held while the tokenizer works.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        folder: Path | None = None,
        most_adapters: int | None = None,
    ) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.tokenizing = threading.Lock()
        self._folder, self._most_adapters = folder, most_adapters
        self._running = threading.RLock()
        self._tuned: Any = model if hasattr(model, "get_base_model") else None
        self._adapters: OrderedDict[str, str] = OrderedDict()
        self._encoders: dict[str | None, str] = {}
        if self._tuned is not None:
            self._adapters.update({name: name for name in self._tuned.peft_config})
        self._loaded = len(self._adapters)

    @classmethod
    def load(cls, folder: Path, *, most_adapters: int | None = None, pickles: bool = True) -> Base:
        """Load a model on the best device, in float32.

        Args:
            folder: Its files.
            most_adapters: Adapters to keep; the one that was not used for longest is dropped. None: all.
            pickles: Load `.bin` files too (without their code).

        Raises:
            ZooError: It is not a token-classification model with a fast tokenizer.
        """
        from transformers import AutoTokenizer

        try:
            with _LOADING:
                model, tokenizer = _load_model(folder, pickles), AutoTokenizer.from_pretrained(folder)
        except _UNLOADABLE as error:
            raise _unloadable(folder, error) from None
        if not tokenizer.is_fast:
            raise ZooError("its tokenizer gives no character offsets", where=folder, fix="use a fast tokenizer")
        return cls(model, tokenizer, folder=folder, most_adapters=most_adapters)

    @contextmanager
    def using(self, *adapters: str | None) -> Iterator[tuple[Any, list[str | None]]]:
        """Have the model to oneself, the first of some adapters active and the others at hand.

        Args:
            adapters: Folders of adapters, loaded where they are not yet, or None: the model as it is.

        Yields:
            The model, with `set_adapter` where it has adapters, and PEFT's names of the adapters.

        Raises:
            ZooError: An adapter cannot be loaded; base and other adapters stay as they were.
        """
        with self._running:
            names = [None if adapter is None else self._name_of(adapter, adapters) for adapter in adapters]
            if names[0] is not None and self._tuned.active_adapter != names[0]:
                self._tuned.set_adapter(names[0])
            yield (self.model if self._tuned is None else self._tuned), names

    def encoder(self, adapter: str | None) -> str:
        """What the encoder is with an adapter, as a digest: adapters of one digest differ in their heads alone."""
        if adapter not in self._encoders:
            try:
                self._encoders[adapter] = encoder_digest(Path(adapter)) if adapter else ""
            except (ZooError, OSError, SafetensorError):  # of other files than ours: it shares its encoder with none
                self._encoders[adapter] = str(adapter)
        return self._encoders[adapter]

    def _name_of(self, adapter: str, wanted: tuple[str | None, ...]) -> str:
        if adapter not in self._adapters:
            with _LOADING:
                self._load_adapter(adapter)
        self._adapters.move_to_end(adapter)
        while self._most_adapters and len(self._adapters) > max(self._most_adapters, len(wanted)):
            _, oldest = self._adapters.popitem(last=False)
            if self._tuned.active_adapter == oldest:  # PEFT warns when the active one goes
                self._tuned.set_adapter(self._adapters[adapter])
            self._tuned.delete_adapter(oldest)
        return self._adapters[adapter]

    def _load_adapter(self, adapter: str) -> None:
        from peft import PeftModel

        # never `default`: files have the head under that name too, and each load would replace the first one's
        name = f"adapter{self._loaded}"
        first, device = self._tuned is None, str(self.model.device)
        try:
            if first:
                self._tuned = PeftModel.from_pretrained(self.model, adapter, adapter_name=name, torch_device=device)
            else:
                self._tuned.load_adapter(adapter, adapter_name=name, torch_device=device)
        except _UNLOADABLE as error:
            if first and self._folder is not None:  # PEFT has changed the model already
                self.model = _load_model(self._folder, pickles=True)
            elif not first and name in self._tuned.peft_config:
                self._tuned.delete_adapter(name)
            raise _unloadable(Path(adapter), error) from None
        self._tuned.eval()
        self._loaded += 1
        self._adapters[adapter] = name


@dataclass(frozen=True)
class Block:
    """One of several heads that stand side by side in a model in training.

    Attributes:
        start: First column of its logits.
        labels: Names of its labels.
    """

    start: int
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Member:
    """One of the models on a base.

    Attributes:
        base: Where its weights are.
        adapter: Folder of its adapter; None: the base as it is.
        block: In training, where several heads stand side by side: its columns.
    """

    base: Base
    adapter: str | None
    block: Block | None = None

    @property
    def labels(self) -> list[str]:
        """Label names by id."""
        if self.block:
            return list(self.block.labels)
        names: dict[int, str] = self.base.model.config.id2label
        return [names[index] for index in range(len(names))]

    @property
    def columns(self) -> slice:
        """Columns of the logits that are its own."""
        return slice(self.block.start, self.block.start + len(self.block.labels)) if self.block else slice(None)

    @property
    def types(self) -> list[str]:
        """Entity types of the labels, in their order."""
        return [name for name in dict.fromkeys(parse_label(label)[1] for label in self.labels) if name]


def _load_model(folder: Path, pickles: bool) -> PreTrainedModel:
    import torch
    from transformers import AutoModelForTokenClassification

    safe = None if pickles else True
    model = AutoModelForTokenClassification.from_pretrained(folder, dtype=torch.float32, use_safetensors=safe)
    return model.eval().to(best_device())


def _unloadable(folder: Path, error: Exception) -> ZooError:
    reason = (str(error) or type(error).__name__).strip().splitlines()[0]
    return ZooError(
        f"cannot load it as a token-classification model: {reason}",
        where=folder,
        fix="give a folder with an adapter or a model, or a Hub id",
    )
