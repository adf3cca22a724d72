"""LoRA by PEFT on a base, and the exactness of what is shipped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import ZooError
from zoo.modeling.adapters import ADAPTER_WEIGHTS, named_base, point_at_base
from zoo.modeling.batches import forward, longest_window
from zoo.modeling.classifier import classifier, replace_classifier
from zoo.modeling.device import best_device
from zoo.modeling.heads import Head, columns_of
from zoo.modeling.labels import NEVER, LabelSpace
from zoo.modeling.windows import encode

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel

    from zoo.registry.recipes import LoraRecipe
    from zoo.registry.schema import Family


@dataclass(frozen=True)
class TrainedShare:
    """How much of a model is trained, head included."""

    trained_parameters: int
    all_parameters: int

    @property
    def share(self) -> float:
        """Fraction of all parameters."""
        return self.trained_parameters / self.all_parameters


def attach_lora(
    base: Path, family: Family, recipe: LoraRecipe, labels: LabelSpace, heads: Sequence[Head], seed: int
) -> PeftModel:
    """Load a base and put a fresh adapter on it, its head open for its types alone.

    Of several heads, the rows stand side by side in one layer until they are written (`each_head`).

    The seed is set before the model exists and before PEFT wraps it, so that the same seed gives the same adapter.

    Args:
        base: Folder of the base.
        family: Names of target and head modules.
        recipe: Rank, alpha, dropout, targets.
        labels: Label space of the base.
        heads: What is labelled; the rows of types that a head does not predict stay zero with bias -1e4.
        seed: Seed.
    """
    import torch
    from transformers import AutoModelForTokenClassification, set_seed

    set_seed(seed)
    model = AutoModelForTokenClassification.from_pretrained(base, dtype=torch.float32)
    own = [column for columns in columns_of(heads, labels) for column in columns]
    head = classifier(model)
    if len(heads) > 1:
        head = torch.nn.Linear(head.in_features, len(own))
        replace_classifier(model, head)
    with torch.no_grad():
        head.weight[own] = torch.randn(len(own), head.in_features) * 0.02
        head.bias[own] = 0.0
    return with_lora(model, family, recipe).to(best_device())


def each_head(model: PeftModel, labels: LabelSpace, heads: Sequence[Head]) -> Iterator[Head]:
    """Make the model one of each head alone, of the whole label space, in turn; at the end it is what it was.

    Args:
        model: As `attach_lora` gives it.
        labels: Label space of the base.
        heads: Its heads.
    """
    import torch

    if len(heads) == 1:
        yield heads[0]
        return
    together = classifier(model)
    try:
        for head, columns in zip(heads, columns_of(heads, labels), strict=True):
            alone = torch.nn.Linear(together.in_features, len(labels.labels), device=together.weight.device)
            own = labels.own_ids(head.types)
            with torch.no_grad():
                alone.weight.zero_()
                alone.bias.fill_(NEVER)
                alone.weight[own], alone.bias[own] = together.weight[columns], together.bias[columns]
            replace_classifier(model, alone)
            yield head
    finally:
        replace_classifier(model, together)


def with_lora(model: PreTrainedModel, family: Family, recipe: LoraRecipe) -> PeftModel:
    """Wrap a token-classification model with LoRA.

    Raises:
        ZooError: It has no modules of the names that the recipe targets, or fewer layers than it adapts.
    """
    from peft import LoraConfig, TaskType, get_peft_model

    layers = int(model.config.num_hidden_layers)
    if recipe.upper_layers and recipe.upper_layers > layers:
        raise ZooError(f"the backbone has {layers} layers, not {recipe.upper_layers}", where="lora.upper_layers")
    config = LoraConfig(
        task_type=TaskType.TOKEN_CLS,
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=list(recipe.targets or family.lora_targets),
        modules_to_save=list(family.head_modules),
        layers_to_transform=list(range(layers - recipe.upper_layers, layers)) if recipe.upper_layers else None,
    )
    try:
        return get_peft_model(model, config)
    except ValueError as error:
        raise ZooError(
            f"PEFT cannot attach LoRA: {error}",
            where="lora.targets",
            fix=f"name Linear modules of {type(model).__name__}",
        ) from None


def open_dropout(model: torch.nn.Module, *, backbone: bool) -> None:
    """Put a model in training mode, or leave the backbone's own dropout closed and open that of LoRA alone."""
    model.train(backbone)
    for name, module in model.named_modules():
        if "lora_dropout" in name:
            module.train()


def trained_share(model: torch.nn.Module) -> TrainedShare:
    """Count what requires a gradient, and everything that a pipeline loads (base and adapter)."""
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return TrainedShare(trained, sum(p.numel() for p in model.parameters()))


def round_adapter(model: PeftModel) -> None:
    """Round what was trained to float16, in which adapters are stored: the model then computes what a loaded one does.

    Raises:
        ZooError: A weight is too large for it.
    """
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(parameter.to(torch.float16))
                if not bool(parameter.isfinite().all()):
                    raise ZooError(f"{name} has weights beyond 65,504", fix="lower finetune.learning_rate")


def save_adapter(model: PeftModel, destination: Path, base_name: str) -> None:
    """Write the PEFT files of an adapter, pointing at `base_name` (a folder beside it, or a Hub id).

    Weights are stored in float16, half the size; PEFT and transformers compute with them in the type of the base. Those
    of the head are there twice, for versions of transformers that know them by another name.

    Args:
        model: Rounded by `round_adapter`.
        destination: Folder to write to.
        base_name: What the adapter stands on.
    """
    import torch
    from safetensors.torch import load_file, save_file

    model.save_pretrained(destination, safe_serialization=True)
    path = destination / ADAPTER_WEIGHTS
    weights = {name: tensor.to(torch.float16) for name, tensor in load_file(path).items()}
    weights |= {name: weights[stored].clone() for stored, name in _names_in_the_model(model).items()}
    save_file(weights, path, metadata={"format": "pt"})
    (destination / "README.md").unlink(missing_ok=True)
    point_at_base(destination, base_name)


def _names_in_the_model(model: PeftModel) -> dict[str, str]:
    """Name of each of the head's tensors in PEFT's files -> its name in a model with the adapter `default`.

    Files have both: transformers 5.6 to 5.17 looks for the second alone, and without it leaves the head as the base has
    it, which finds nothing.
    """
    from peft.utils.other import ModulesToSaveWrapper

    return {
        f"{name}.{stored}": f"{name}.{own}"
        for name, module in model.named_modules()
        if isinstance(module, ModulesToSaveWrapper)
        for stored, own in module.adapter_state_dict_load_map("default").items()
    }


def check_foreign_rows(model: PeftModel, labels: LabelSpace, entity_types: tuple[str, ...]) -> None:
    """Assert that no training touched the rows of foreign types.

    Raises:
        ZooError: A foreign row changed: the adapter would predict types it has never seen.
    """
    import torch

    head = classifier(model.get_base_model())
    foreign = torch.ones(head.out_features, dtype=torch.bool)
    foreign[labels.own_ids(entity_types)] = False
    if bool(head.weight[foreign].any()) or bool((head.bias[foreign] != NEVER).any()):
        raise ZooError("the head rows of foreign types changed in training", fix="report this as a bug of zoo")


def check_same_logits(trained: PreTrainedModel | PeftModel, adapter: Path, texts: Sequence[str]) -> None:
    """Assert that plain transformers, loading what was written, computes exactly what was trained.

    Args:
        trained: The model in memory.
        adapter: What was written of it.
        texts: Some texts, of which one window each is compared.

    Raises:
        ZooError: Logits differ by more than 0.0.
    """
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    shipped = AutoModelForTokenClassification.from_pretrained(adapter, dtype=torch.float32).eval().to(trained.device)
    tokenizer = AutoTokenizer.from_pretrained(named_base(adapter))
    size = longest_window(shipped, tokenizer)
    windows = encode(tokenizer, texts, window_tokens=size, stride_tokens=size // 4)[: len(texts)]
    pad_id = int(tokenizer.pad_token_id or 0)
    with torch.inference_mode():
        difference = (forward(trained, windows, pad_id) - forward(shipped, windows, pad_id)).abs().max().item()
    if difference != 0.0:
        raise ZooError(
            f"the adapter on disk differs from the trained model by {difference:.3g} in its logits",
            fix="check head_modules of the backbone's family",
        )
