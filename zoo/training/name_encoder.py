"""Training of a linker's encoder: LoRA on a base, so that names of one concept lie together and others apart.

SapBERT's recipe (Liu et al. 2021, arXiv 2010.11784): pairs of names of one concept, all pairs of a batch compared,
multi-similarity loss on the triplets that are still hard. Vectors are means over tokens here, as in sentence encoders.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from zoo.errors import ZooError
from zoo.linking.encoder import embed
from zoo.modeling.device import best_device
from zoo.modeling.lora import open_dropout, round_adapter, save_adapter
from zoo.records import Record
from zoo.registry.link_recipe import LinkRecipe
from zoo.registry.schema import Family
from zoo.training.snapshot import (
    Snapshot,
    optimizer_tensors,
    random_state,
    read_snapshot,
    restore_optimizer,
    restore_random_state,
)

if TYPE_CHECKING:
    import torch
    from peft import PeftModel

_ALPHA, _BETA, _BASE = 1.0, 60.0, 0.5
"""Of the multi-similarity loss, as SapBERT has them."""
_WARMUP_SHARE = 0.1
_PAIRS_PER_MENTION = 4
_SNAPSHOT_SECONDS = 60.0
Pair = tuple[str, str, str]
"""Two names, and the concept that both are of."""


class EncoderLog(Record):
    """How an encoder was trained."""

    steps: int
    pairs: int = Field(description="of names, over all epochs")
    trained_parameters: int
    losses: tuple[tuple[int, float], ...] = Field(description="step, mean loss since the one before")
    train_seconds: float


def synonym_pairs(
    names: Mapping[str, Sequence[str]], seen: Mapping[str, Sequence[str]], most: int, seed: int
) -> list[Pair]:
    """Pairs to train on: each name with another one of its concept, and each mention seen in training with several.

    Args:
        names: Concept -> its names.
        seen: Concept -> mentions of it in the training data.
        most: Largest number of pairs of names; mentions come on top, as they are what is to be linked.
        seed: It decides which.
    """
    rng = random.Random(seed)
    pairs = [
        (name, rng.choice([other for other in own if other != name]), concept)
        for concept, own in sorted(names.items())
        if len(own) > 1
        for name in own
    ]
    rng.shuffle(pairs)
    of_mentions = []
    for concept, mentions in sorted(seen.items()):
        known = [*names.get(concept, ()), *mentions]
        for mention in mentions:
            others = [name for name in known if name != mention]
            of_mentions += [(mention, rng.choice(others), concept) for _ in range(_PAIRS_PER_MENTION) if others]
    chosen = pairs[:most] + of_mentions
    rng.shuffle(chosen)
    return chosen


def train_encoder(
    base: Path,
    family: Family,
    pairs: Callable[[int], Sequence[Pair]],
    *,
    recipe: LinkRecipe,
    seed: int,
    destination: Path,
    snapshot_path: Path | None = None,
    progress: Callable[[int, int, str], None] = lambda done, steps, note: None,
) -> EncoderLog:
    """Train the adapter of an encoder, and write it.

    Args:
        base: Folder of the base.
        family: Names of the modules that LoRA adapts.
        pairs: The pairs of each epoch.
        recipe: Hyper-parameters.
        seed: Seed.
        destination: Folder of the adapter.
        snapshot_path: File that the state is kept in; if it is there, training goes on from it.
        progress: Called after each step with the steps done, all steps, and at times a line of text.

    Raises:
        ZooError: The loss is not finite.
    """
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer, get_cosine_schedule_with_warmup, set_seed

    from zoo.kernels.train import training_kernels

    set_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    plain = AutoModelForTokenClassification.from_pretrained(base, dtype=torch.float32)
    model = _with_lora(plain, family, recipe).to(best_device())
    epochs = [pairs(epoch) for epoch in range(recipe.epochs)]
    batches = [epoch[at : at + recipe.batch_size] for epoch in epochs for at in range(0, len(epoch), recipe.batch_size)]
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=recipe.learning_rate, weight_decay=0.01)
    schedule = get_cosine_schedule_with_warmup(optimizer, int(_WARMUP_SHARE * len(batches)), len(batches))
    done, seconds, losses = 0, 0.0, list[tuple[int, float]]()
    if snapshot_path and (snapshot := read_snapshot(snapshot_path)):
        values: Any = snapshot.values
        done, seconds, losses = values["step"], values["seconds"], [tuple(each) for each in values["losses"]]
        model.load_state_dict(snapshot.part("model"), strict=False)
        restore_optimizer(optimizer, snapshot, values["groups"])
        schedule.last_epoch = done
        restore_random_state(snapshot)
    open_dropout(model, backbone=False)
    saved = started = time.perf_counter()
    recent: list[float] = []
    with training_kernels(model, bfloat16=False) as packs:
        for step, batch in enumerate(batches[done:], start=done + 1):
            numbers: dict[str, int] = {}
            concepts = torch.tensor([numbers.setdefault(concept, len(numbers)) for *_, concept in batch] * 2)
            names = [first for first, *_ in batch] + [second for _, second, _ in batch]
            vectors = embed(model, tokenizer, names, packs=packs)
            loss = multi_similarity(vectors, concepts.to(vectors.device), margin=recipe.margin)
            if not bool(loss.isfinite()):
                raise ZooError(f"the loss of the encoder became {float(loss)}", fix="lower link.learning_rate")
            if loss.requires_grad:
                loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
            recent.append(float(loss.detach()))
            note = ""
            if step % 10 == 0 or step == len(batches):
                losses.append((step, sum(recent) / len(recent)))
                note, recent = f"encoder step {step}/{len(batches)}: loss {losses[-1][1]:.3f}", []
                if snapshot_path and time.perf_counter() - saved > _SNAPSHOT_SECONDS:
                    spent = seconds + time.perf_counter() - started
                    _save(snapshot_path, model, optimizer, {"step": step, "seconds": spent, "losses": losses})
                    saved = time.perf_counter()
            progress(step, len(batches), note)
    round_adapter(model)
    save_adapter(model, destination, str(base))
    return EncoderLog(
        steps=len(batches),
        pairs=sum(map(len, epochs)),
        trained_parameters=sum(parameter.numel() for parameter in parameters),
        losses=tuple(losses),
        train_seconds=seconds + time.perf_counter() - started,
    )


def multi_similarity(vectors: torch.Tensor, concepts: torch.Tensor, *, margin: float) -> torch.Tensor:
    """Multi-similarity loss (Wang et al. 2019, arXiv 1904.06627) on the pairs of triplets within a margin.

    Args:
        vectors: Of length 1, shape [N, H].
        concepts: Concept of each, shape [N].
        margin: A pair of one concept counts where a foreign name is nearer, or farther by less than this.
    """
    import torch

    cosines = vectors @ vectors.T
    same = concepts[:, None] == concepts[None, :]
    own = same & ~torch.eye(len(concepts), dtype=torch.bool, device=vectors.device)
    with torch.no_grad():
        farthest = cosines.masked_fill(~own, 2.0).min(1, keepdim=True).values
        nearest = cosines.masked_fill(same, -2.0).max(1, keepdim=True).values
        kept_own, kept_foreign = own & (cosines < nearest + margin), ~same & (cosines > farthest - margin)
    pull = torch.log1p((torch.exp(-_ALPHA * (cosines - _BASE)) * kept_own).sum(1)) / _ALPHA
    push = torch.log1p((torch.exp(_BETA * (cosines - _BASE)) * kept_foreign).sum(1)) / _BETA
    return (pull + push).mean()


def _with_lora(model: Any, family: Family, recipe: LinkRecipe) -> PeftModel:  # noqa: ANN401 - of transformers
    """The base with LoRA, and its head as it is: PEFT loads no adapter without one beside adapters that have one."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=recipe.lora_rank,
        lora_alpha=2 * recipe.lora_rank,
        lora_dropout=0.05,
        target_modules=list(family.lora_targets),
        modules_to_save=list(family.head_modules),
    )
    adapted = get_peft_model(model, config)
    for name, parameter in adapted.named_parameters():
        if ".modules_to_save." in name:
            parameter.requires_grad_(requires_grad=False)
    return adapted


def _save(path: Path, model: PeftModel, optimizer: torch.optim.Optimizer, values: dict[str, Any]) -> None:
    trained = {f"model.{name}": p for name, p in model.named_parameters() if p.requires_grad}
    tensors = {**trained, **optimizer_tensors(optimizer), **random_state()}
    Snapshot(tensors, {**values, "groups": optimizer.state_dict()["param_groups"]}).save(path)
