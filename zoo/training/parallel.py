"""Gradients of a batch by two threads, half of the windows each: small batches leave the second core idle otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

from zoo.training.fast_dropout import own_generator
from zoo.training.fused_layers import fusible_layers

_PARTS = 2
"""More were not measured."""
Backward = Callable[[Sequence[Callable[[], torch.Tensor]]], float]
"""Adds the gradients of the sum of some losses to those of the parameters; returns that sum."""


def parts_of(model: torch.nn.Module) -> int:
    """Into how many parts batches should be cut: more than one where encoder layers are one function each, on CPUs.

    Elsewhere kernels are large enough, or draw random numbers in an order that threads would change.
    """
    return min(_PARTS, torch.get_num_threads()) if fusible_layers(model) else 1


@contextmanager
def backward_of_parts(model: torch.nn.Module, parts: int) -> Iterator[Backward]:
    """A thread for each part, until the block is left.

    Gradients are summed in the order of the parts, and each part draws its dropout from a generator of its own, seeded
    from PyTorch's: the same seed gives the same weights.

    Args:
        model: What is trained.
        parts: Most losses of one call.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    threads = torch.get_num_threads()

    def gradients(loss: Callable[[], torch.Tensor], seed: int) -> tuple[float, Sequence[torch.Tensor | None]]:
        with own_generator(seed):
            value = loss()
            return float(value.detach()), torch.autograd.grad(value, trained, allow_unused=True)

    def backward(losses: Sequence[Callable[[], torch.Tensor]]) -> float:
        if len(losses) == 1:
            value = losses[0]()
            value.backward()  # type: ignore[no-untyped-call]
            return float(value.detach())
        seeds = torch.randint(2**62, (len(losses),)).tolist()
        done = list(workers.map(gradients, losses, seeds))
        for parameter, *each in zip(trained, *(found for _, found in done), strict=True):
            there = [gradient for gradient in each if gradient is not None]
            if there:
                parameter.grad = there[0] if len(there) == 1 else torch.stack(there).sum(0)
        return sum(value for value, _ in done)

    if parts == 1:
        yield backward
        return
    try:
        with ThreadPoolExecutor(parts, initializer=lambda: torch.set_num_threads(threads // parts)) as workers:
            yield backward
    finally:
        torch.set_num_threads(threads)  # which threads to come begin with
