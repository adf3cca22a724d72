"""Halves of a batch on two threads: the gradients of the whole batch, and the seed alone decides."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tests.training.conftest import Tiny, recipe
from zoo.errors import ZooError
from zoo.registry.recipes import with_values
from zoo.training import finetune as loop
from zoo.training.parallel import backward_of_parts


@pytest.fixture
def two_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


def trained(tiny: Tiny, **changes: object) -> dict[str, torch.Tensor]:
    whole_layers = with_values(recipe(**changes), {"lora.dropout": 0.0}, where="test")
    model, _ = tiny.train(whole_layers)
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many losses each step had."""
    seen: list[int] = []

    def counted(model: torch.nn.Module, number: int) -> object:
        from contextlib import contextmanager

        @contextmanager
        def inner() -> Iterator[object]:
            with backward_of_parts(model, number) as backward:
                yield lambda losses: seen.append(len(losses)) or backward(losses)  # type: ignore[func-returns-value]

        return inner()

    monkeypatch.setattr("zoo.training.parallel.backward_of_parts", counted)
    return seen


@pytest.mark.usefixtures("two_threads")
def test_two_halves_train_as_the_whole_batch(tiny: Tiny, parts: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"epochs": 2, "backbone_dropout": False, "precision": "float32", "label_smoothing": 0.1}
    halves = trained(tiny, **options)
    assert 2 in parts and torch.get_num_threads() == 2
    monkeypatch.setattr("zoo.training.parallel.parts_of", lambda model: 1)
    parts.clear()
    whole = trained(tiny, **options)
    assert set(parts) == {1}
    for name, weight in whole.items():
        torch.testing.assert_close(halves[name], weight, rtol=2e-3, atol=2e-4)


@pytest.mark.usefixtures("two_threads")
def test_with_dropout_the_seed_alone_decides(tiny: Tiny, parts: list[int]) -> None:
    first, second = (trained(tiny, epochs=3) for _ in range(2))
    assert 2 in parts
    assert all(torch.equal(weight, second[name]) for name, weight in first.items())


@pytest.mark.usefixtures("two_threads")
def test_an_infinite_loss_of_one_half_is_told(tiny: Tiny) -> None:
    with pytest.raises(ZooError, match="the loss became"):
        trained(tiny, epochs=1, learning_rate=1e30)
    assert torch.get_num_threads() == 2
    assert parts_of(torch.nn.Linear(2, 2)) == 1
