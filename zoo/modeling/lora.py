"""LoRA by PEFT on a base, and the exactness of what is shipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.kernels.int8 import Int8Layers, check_int8
from zoo.modeling.adapters import ADAPTER_WEIGHTS, point_at_base
from zoo.modeling.backbones import HEADS, classifier
from zoo.modeling.device import Precision, best_device
from zoo.modeling.labels import NEVER, LabelSpace
from zoo.registry.recipes import LoraRecipe
from zoo.registry.schema import Family

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel


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
    base: Path, family: Family, recipe: LoraRecipe, labels: LabelSpace, entity_types: tuple[str, ...], seed: int
) -> PeftModel:
    """Load a base and put a fresh adapter on it, its head open for `entity_types` alone.

    The seed is set before the model exists and before PEFT wraps it, so that the same seed gives the same adapter.

    Args:
        base: Folder of the base.
        family: Names of target and head modules.
        recipe: Rank, alpha, dropout, targets.
        labels: Label space of the base.
        entity_types: Types that this adapter predicts; the rows of all others stay zero with bias -1e4.
        seed: Seed.
    """
    import torch
    from transformers import AutoModelForTokenClassification, set_seed

    set_seed(seed)
    model = AutoModelForTokenClassification.from_pretrained(base, dtype=torch.float32)
    own = labels.own_ids(entity_types)
    head = classifier(model)
    with torch.no_grad():
        head.weight[own] = torch.randn(len(own), head.in_features) * 0.02
        head.bias[own] = 0.0
    return with_lora(model, family, recipe).to(best_device())


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


def plain_lora_layers(model: torch.nn.Module) -> list[Any]:
    """Layers that compute `W x + bias + s B A x` with a frozen W and one adapter: no DoRA, nothing merged or off."""
    from peft.tuners.lora import Linear

    return [module for module in model.modules() if isinstance(module, Linear) and _is_plain(module)]


def _is_plain(layer: Any) -> bool:  # noqa: ANN401 - PEFT's layers are not typed
    if len(layer.active_adapters) != 1 or layer.merged or layer.disable_adapters:
        return False
    (name,) = layer.active_adapters
    return (
        type(layer.base_layer).__name__ == "Linear"
        and not layer.base_layer.weight.requires_grad
        and name in layer.lora_A
        and not layer.lora_variant.get(name)
        and not layer.lora_bias.get(name, False)
    )


def has_plain_adapters(model: torch.nn.Module) -> bool:
    """Whether each adapter of a model, if it has any, is one that can be added to the weights."""
    import torch
    from peft.tuners.lora import Linear
    from peft.tuners.tuners_utils import BaseTunerLayer

    return all(
        isinstance(layer, Linear)
        and type(layer.base_layer) is torch.nn.Linear
        and len(layer.active_adapters) == 1
        and not (layer.merged or layer.disable_adapters or layer.lora_variant or any(layer.lora_bias.values()))
        for layer in model.modules()
        if isinstance(layer, BaseTunerLayer)
    )


def effective_weight(layer: Any) -> tuple[Any, Any, bool]:  # noqa: ANN401 - PEFT's layers are not typed
    """What a module multiplies with, a plain adapter included: weight [N, K], bias, and whether there is an adapter.

    A module that is neither a linear layer nor one that PEFT has wrapped has None and None.
    """
    import torch
    from peft.tuners.tuners_utils import BaseTunerLayer

    if not isinstance(layer, BaseTunerLayer):
        return (layer.weight.detach(), layer.bias, False) if type(layer) is torch.nn.Linear else (None, None, False)
    inner: Any = layer
    (name,) = inner.active_adapters
    weight, bias = inner.base_layer.weight.detach(), inner.base_layer.bias
    if name not in inner.lora_A:
        return weight, bias, False
    with torch.no_grad():
        added = inner.lora_B[name].weight, inner.lora_A[name].weight
        return torch.addmm(weight, *added, alpha=inner.scaling[name]), bias, True


@contextmanager
def merged_lora(model: torch.nn.Module, *, precision: Precision) -> Iterator[None]:
    """Compute with `W + s B A` in the place of the two, until the block is left; the weights stay as they are.

    It takes as long as a pass over some hundred tokens, and memory for the weights once more. Logits are those of the
    two up to rounding.

    Args:
        model: A model with one active adapter, or none.
        precision: Number format that the sums are kept in: bfloat16 for bfloat16 autocast; int8 takes in all other
            linear layers but the head.

    Raises:
        ZooError: The processor does not compute in int8.
    """
    import torch

    def linear(weight: torch.Tensor, bias: torch.Tensor | None) -> Callable[[torch.Tensor], torch.Tensor]:
        if precision == "int8":
            return integers.linear(weight, bias)
        if precision == "bfloat16":
            weight, bias = weight.bfloat16(), bias if bias is None else bias.bfloat16()
        return partial(torch.nn.functional.linear, weight=weight, bias=bias)

    integers = Int8Layers()
    layers = plain_lora_layers(model)
    others = _linear_layers(model) if precision == "int8" else []
    if precision == "int8":
        check_int8(next(model.parameters()).device)
    own = [(layer, vars(layer).get("forward")) for layer in [*layers, *others]]
    for layer in layers:
        layer.forward = linear(*effective_weight(layer)[:2])
    for layer in others:
        layer.forward = linear(layer.weight.detach(), layer.bias)
    try:
        yield
    finally:
        for layer, forward in own:
            if forward is None:
                del layer.forward
            else:  # as training has made it
                layer.forward = forward


def _linear_layers(model: torch.nn.Module) -> list[Any]:
    """Linear layers outside of adapters and head."""
    import torch
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils.other import ModulesToSaveWrapper

    tuned = (part for part in model.modules() if isinstance(part, BaseTunerLayer | ModulesToSaveWrapper))
    inside = {id(inner) for part in tuned for inner in part.modules()}
    return [
        module
        for name, module in model.named_modules()
        if type(module) is torch.nn.Linear and id(module) not in inside and name.rpartition(".")[2] not in HEADS
    ]


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
