"""`ZOO_KERNELS=off` leaves training and tagging to PyTorch and PEFT."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.kernels.test_entities import keys, members, two_adapters, windows_of
from zoo import kernels
from zoo.errors import ZooError
from zoo.kernels import entities
from zoo.kernels.train import training_kernels
from zoo.tagging.engine import find_entities


def test_training_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = two_adapters("bert", tmp_path)[0].model
    own = torch.nn.functional.dropout

    def changed() -> bool:
        return torch.nn.functional.dropout is not own or any("forward" in vars(part) for part in model.modules())

    with training_kernels(model, bfloat16=False) as takes_tables:
        assert takes_tables and changed()
    monkeypatch.setenv("ZOO_KERNELS", "off")
    with training_kernels(model, bfloat16=False) as takes_tables:
        assert not takes_tables and not changed()


def test_tagging_finds_the_same_by_transformers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (one, _) = two_adapters("bert", tmp_path)
    windows = windows_of(one)
    ours = keys(find_entities(members(one), windows, merge=True))
    monkeypatch.setattr(entities, "label_windows", None)
    monkeypatch.setenv("ZOO_KERNELS", "off")
    assert keys(find_entities(members(one), windows, merge=True)) == ours


def test_other_values_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_KERNELS", "of")
    with pytest.raises(ZooError, match="unknown value 'of'"):
        kernels.enabled()
