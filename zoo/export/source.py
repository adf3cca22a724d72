"""What is exported: a model as it loads, and the same standing alone: LoRA merged, head pruned to its own labels."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cards.current import current_result
from zoo.cards.licenses import judge_result
from zoo.errors import ZooError
from zoo.evaluation.result import RESULT_FILE, Result, load_result
from zoo.hub.manifest import CARD_FILE
from zoo.modeling.adapters import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from zoo.modeling.classifier import classifier
from zoo.modeling.labels import NEVER
from zoo.tagging.models import Base, locate, resolve_model
from zoo.tagging.tagger import Tagger

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from zoo.registry.loader import Registry


@dataclass(frozen=True)
class ExportSource:
    """What is exported.

    Attributes:
        model: What transformers loads: a folder or a Hub id.
        result: Path of its `result.json`; None: it has none.
        card: Path of its card, where the licences allow that it is passed on; None: they do not, or there is none.
        no_card: Why there is no card; empty where there is one.
    """

    model: str
    result: Path | None
    card: Path | None
    no_card: str

    @property
    def name(self) -> str:
        """What it is called: on the Hub, or its folder."""
        result, folder = self.record(), Path(self.model)
        own = (folder.parent if folder.name == "adapter" else folder).name if folder.is_dir() else self.model
        return result.repo_id if result else own

    def record(self) -> Result | None:
        """Its `result.json`, read."""
        return load_result(self.result) if self.result else None


@dataclass(frozen=True)
class MergedModel:
    """A model as it loads, and the same standing alone.

    Attributes:
        source: Where it is from.
        original: As users load it, adapter and base.
        merged: With its own labels only.
        own: Ids of these labels in the original, in order.
    """

    source: ExportSource
    original: Tagger
    merged: Tagger
    own: tuple[int, ...]


def find_source(model: str, out: Path, registry: Registry) -> ExportSource:
    """Find a model: a checkpoint of the output folder, else a folder, else a repository of the Hub.

    Args:
        model: Checkpoint id, folder, or Hub id.
        out: Output folder of builds.
        registry: Says what the licences are now, and which checkpoints there could be.

    Raises:
        ZooError: There is no such folder, the checkpoint is not built, or its `result.json` is damaged.
    """
    backbone, _, corpus = model.partition("/")
    built = out / "checkpoints" / backbone / corpus
    if re.fullmatch(r"[^/~.][^/]*/[^/]+", model) and (built / "adapter" / ADAPTER_CONFIG).is_file():
        model = str(built)
    elif backbone in registry.backbones and corpus in registry.corpora and not Path(model).is_dir():
        raise ZooError(f"the checkpoint {model} is not built", where=out, fix=f"zoo build {model}, or give --out")
    found = resolve_model(model)
    if Path(found).is_dir():
        folder = Path(found).parent if Path(found).name == "adapter" else Path(found)
        result, card = (path if (path := folder / name).is_file() else None for name in (RESULT_FILE, CARD_FILE))
        record = load_result(result) if result else None
    else:
        result, card = (_hub_file(found, name) for name in (RESULT_FILE, CARD_FILE))
        try:
            record = load_result(result) if result else None
        except ZooError:  # another's file of the same name
            result = record = None
    reason = _card_obstacle(record, card, registry)
    return ExportSource(found, result, None if reason else card, reason)


def head_sources(source: ExportSource) -> list[tuple[str, ExportSource]]:
    """The models that an export of several heads consists of: place below its folder, and the head's adapter.

    A whole model has one head, so each head becomes one; there is no card, as scores are those of all together.

    Raises:
        ZooError: The model cannot be found, or what says its heads is damaged.
        HubError: The Hub refuses, or cannot be reached.
    """
    adapters = locate(source.model).adapters
    if len(adapters) < 2:
        return [(".", source)]
    sources = [ExportSource(str(adapter), None, None, "it is about all heads together") for adapter in adapters]
    sources[0] = replace(sources[0], result=source.result)
    return [(path.relative_to(adapters[0]).as_posix(), each) for path, each in zip(adapters, sources, strict=True)]


def open_model(source: ExportSource) -> MergedModel:
    """Load a model on the CPU, as it is and merged.

    Raises:
        ZooError: It cannot be loaded or merged, predicts nothing, or other types than its `result.json` says.
    """
    record = source.record()
    weights = Path(source.model) / ADAPTER_WEIGHTS
    if record and weights.is_file():
        record.check_adapter(Path(source.model))
    found = locate(source.model)
    original = replace(Tagger.on(Base.load(found.base), found.adapters[:1]), splitter=None)
    original.model.to("cpu")
    adapter = next(iter(getattr(original.model, "peft_config", {}).values()), None)
    model = _merge(source.model, adapter) if adapter else copy.deepcopy(original.model)
    own = _prune(model)
    merged = Tagger.of(model, original.tokenizer, stride_tokens=original.stride_tokens)
    types = {name[2:] for name in merged.labels if name != "O"}
    expected = (record.heads[0].types if record.heads else record.entity_types) if record else sorted(types)
    if types != set(expected):
        raise ZooError(
            f"the head predicts {', '.join(sorted(types))}, but result.json says {', '.join(expected)}",
            where=source.model,
            fix=f"zoo build {record.checkpoint_id} --overwrite" if record else "",
        )
    return MergedModel(source, original, merged, tuple(own))


def _merge(model: str, adapter: Any) -> PreTrainedModel:  # noqa: ANN401 - a PeftConfig
    import torch
    from peft import PeftModel
    from transformers import AutoModelForTokenClassification

    if adapter.is_prompt_learning:
        raise ZooError(f"an adapter of the kind {adapter.peft_type} cannot be merged", fix="give a LoRA adapter")
    base = AutoModelForTokenClassification.from_pretrained(
        adapter.base_model_name_or_path, revision=adapter.revision, dtype=torch.float32
    )
    merged = PeftModel.from_pretrained(base, model, torch_device="cpu").merge_and_unload()
    return merged.eval()


def _prune(model: PreTrainedModel) -> list[int]:
    """Drop the head's rows of types that it never predicts (zero, with bias -1e4); the ids that stay."""
    import torch

    head, config = classifier(model), model.config
    foreign = torch.zeros(head.out_features, dtype=torch.bool)
    if head.bias is not None:
        foreign = ~head.weight.detach().any(1) & (head.bias.detach() == NEVER)
    own = [index for index, never in enumerate(foreign.tolist()) if not never]
    names = [config.id2label[index] for index in own]
    if set(names) <= {"O"}:
        raise ZooError("the model can predict nothing but O: it is a base", fix="give a checkpoint that stands on it")
    if foreign.any():
        head.weight = torch.nn.Parameter(head.weight.detach()[own].clone())
        head.bias = torch.nn.Parameter(head.bias.detach()[own].clone())
        head.out_features = len(own)
        config.id2label = dict(enumerate(names))
        config.label2id = {name: index for index, name in enumerate(names)}
        model.num_labels = len(own)
    return own


def _hub_file(repo_id: str, name: str) -> Path | None:
    """A small file of a repository; None: it has none, or it cannot be had now."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return Path(hf_hub_download(repo_id, name))
    except (HfHubHTTPError, OSError, ValueError):  # whether the model itself can be had is said when it is loaded
        return None


def _card_obstacle(result: Result | None, card: Path | None, registry: Registry) -> str:
    """Why a card is not passed on; empty: it is."""
    if result is None or card is None:
        return f"there is no {RESULT_FILE if result is None else CARD_FILE} beside the model"
    return publication_obstacle(result, registry)


def publication_obstacle(result: Result, registry: Registry) -> str:
    """Why the licences forbid that a model is passed on to everybody; empty: they allow it."""
    if not result.publishable:
        return "its result.json says that it may not be published"
    if result.backbone in registry.backbones and result.corpus in registry.corpora:
        backbone, corpus = registry.backbones[result.backbone], registry.corpora[result.corpus]
        return "; ".join(judge_result(current_result(result, registry), backbone, corpus).reasons)
    return ""
