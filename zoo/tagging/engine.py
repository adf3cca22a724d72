"""From windows to entities by several models: transformers' forward pass, or our kernels, chosen by one function.

An engine takes models that read the same windows and gives the entities of each window by each. Models on one base are
handed over together, so that an engine can share what they have in common.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.modeling.batches import forward_heads, token_batches
from zoo.modeling.device import Precision, has_bfloat16, has_fast_bfloat16, plain_attention
from zoo.modeling.windows import Entity, Window, decode
from zoo.tagging.models import Member

if TYPE_CHECKING:
    import torch

Progress = Callable[[int], None]
_PLAIN_ATTENTION_TOKENS = 512
"""Longer windows would need too much memory for it; in float32 the fused kernel is faster on abstracts."""
PACKED_TOKENS = 1024
"""Of a batch on a CPU: what a layer computes from it stays in a core's cache."""
_CPU_TOKENS, _GPU_TOKENS = 512, 16_384
_ALL_CORES = threading.Lock()
"""Our kernels share PyTorch's threads among batches: one call at a time in a process."""


@dataclass(frozen=True)
class Options:
    """How windows are computed: see `Tagger.tag`."""

    batch_tokens: int | None
    precision: Precision
    progress: Progress | None


Engine = Callable[[Sequence[Member], Sequence[Window], Options], list[list[list[Entity]]]]
"""Entities per model, per window, of models on one base, not yet joined with those of neighbouring windows."""


def find_entities(
    members: Sequence[Member],
    windows: Sequence[Window],
    *,
    batch_tokens: int | None = None,
    precision: Precision = "float32",
    merge: bool = False,
    progress: Progress | None = None,
) -> list[list[list[Entity]]]:
    """The entities of each window by each model, not yet joined with those of neighbouring windows.

    Args:
        members: Models that take the same windows.
        windows: Windows of any texts.
        batch_tokens: As for `Tagger.tag`.
        precision: As for `Tagger.tag`.
        merge: Make the weights ready first: logits are the same up to rounding. It pays from some thousand tokens on;
            int8 always does.
        progress: As for `Tagger.tag`.

    Returns:
        Per model, per window.

    Raises:
        ZooError: The processor does not compute in int8, or an adapter cannot be loaded.
    """
    options = Options(batch_tokens, precision, progress)
    groups: dict[int, list[int]] = {}
    for number, member in enumerate(members):
        groups.setdefault(id(member.base), []).append(number)
    found: dict[int, list[list[Entity]]] = {}
    for group in groups.values():
        own = [members[number] for number in group]
        engine = choose_engine(own, precision, merge=merge)
        found |= dict(zip(group, engine(own, windows, options), strict=True))
    return [found[number] for number in range(len(members))]


def choose_engine(members: Sequence[Member], precision: Precision, *, merge: bool) -> Engine:
    """Our kernels for many windows on a CPU, where they know the architecture and the number format; else transformers.

    Args:
        members: Models on one base.
        precision: Number format.
        merge: Whether it pays to make the weights ready first.
    """
    if not merge and precision != "int8":
        return _as_it_is
    if precision != "int8":
        from zoo import kernels
        from zoo.kernels.infer import can_pack

        if not kernels.enabled():
            return _as_it_is
        with members[0].base.using(*(member.adapter for member in members)) as (model, _):
            if can_pack(model) and (precision != "bfloat16" or has_bfloat16()):
                return _by_kernels
    return _merged


def _by_kernels(members: Sequence[Member], windows: Sequence[Window], options: Options) -> list[list[list[Entity]]]:
    from zoo.kernels.entities import decode_packed
    from zoo.kernels.infer import Packable

    precision = options.precision
    if precision == "auto" and not has_fast_bfloat16():  # then it does not pay to compute uncertain windows twice
        precision = "float32"
    with members[0].base.using(*(member.adapter for member in members)) as (model, names), _ALL_CORES:
        return decode_packed(
            [
                Packable(model, name, member.base.encoder(member.adapter), member.columns)
                for name, member in zip(names, members, strict=True)
            ],
            [member.labels for member in members],
            windows,
            precision=precision,  # type: ignore[arg-type]
            batch_tokens=options.batch_tokens or PACKED_TOKENS,
            progress=options.progress,
        )


def _as_it_is(members: Sequence[Member], windows: Sequence[Window], options: Options) -> list[list[list[Entity]]]:
    """By transformers, adapters beside their base; batch by batch, so that a short text need not wait for a long one.

    Nothing tells where bfloat16 is certain: `auto` is float32.
    """
    found: dict[int, list[list[Entity]]] = {}
    for group in _of_one_encoder(members):
        found |= zip(group, _batchwise([members[number] for number in group], windows, options), strict=True)
    return [found[number] for number in range(len(members))]


def _of_one_encoder(members: Sequence[Member]) -> list[list[int]]:
    """Numbers of the members that differ in their heads alone, together."""
    groups: dict[str, list[int]] = {}
    for number, member in enumerate(members):
        groups.setdefault(member.base.encoder(member.adapter), []).append(number)
    return list(groups.values())


def _merged(members: Sequence[Member], windows: Sequence[Window], options: Options) -> list[list[list[Entity]]]:
    """By transformers, each adapter added to the weights for the time being."""
    from zoo.kernels.merged import merged_lora

    precision: Precision = "float32" if options.precision == "auto" else options.precision
    short = max(map(len, windows), default=0) <= _PLAIN_ATTENTION_TOKENS
    found: dict[int, list[list[Entity]]] = {}
    for group in _of_one_encoder(members):
        own = [members[number] for number in group]
        with ExitStack() as stack:
            model, _ = stack.enter_context(own[0].base.using(*(member.adapter for member in own)))
            stack.enter_context(merged_lora(model, precision=precision))
            if precision == "bfloat16" and short:
                stack.enter_context(plain_attention(model))
            found |= zip(group, _batchwise(own, windows, options), strict=True)
    return [found[number] for number in range(len(members))]


def _batchwise(members: Sequence[Member], windows: Sequence[Window], options: Options) -> list[list[list[Entity]]]:
    """By members that differ in their heads alone: the encoder runs once."""
    import torch

    base = members[0].base
    pad_id, names = int(base.tokenizer.pad_token_id or 0), [member.labels for member in members]
    on_cpu = next(base.model.parameters()).device.type == "cpu"
    found: list[list[list[Entity]]] = [[[] for _ in windows] for _ in members]
    for batch in token_batches(windows, options.batch_tokens or (_CPU_TOKENS if on_cpu else _GPU_TOKENS)):
        chosen = [windows[index] for index in batch]
        with base.using(*(member.adapter for member in members)) as (model, adapters), torch.inference_mode():
            heads = [(adapter, member.columns) for adapter, member in zip(adapters, members, strict=True)]
            logits = forward_heads(model, heads, chosen, pad_id, bfloat16=options.precision == "bfloat16")
        for number, own in enumerate(logits):
            for index, entities in zip(batch, decode_logits(chosen, own, names[number]), strict=True):
                found[number][index] = entities
        if options.progress:
            options.progress(len(batch))
    return found


def decode_logits(windows: Sequence[Window], logits: torch.Tensor, names: Sequence[str]) -> Iterator[list[Entity]]:
    """The entities of each window of a padded batch.

    Args:
        windows: The windows, in the order of the batch.
        logits: Shape [B, T, labels].
        names: Label names by id.
    """
    best = logits.float().softmax(-1).max(-1)
    ids, scores = best.indices.cpu().numpy(), best.values.cpu().numpy()
    for row, window in enumerate(windows):
        yield decode(window, ids[row, : len(window)], scores[row, : len(window)], names)
