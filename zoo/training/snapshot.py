"""State of a training run on disk, so that a killed run goes on where it was: one file, written whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.files import write_whole

if TYPE_CHECKING:
    import torch

_VALUES = "values"


@dataclass(frozen=True)
class Snapshot:
    """Tensors by name, and JSON-like values."""

    tensors: Mapping[str, torch.Tensor]
    values: Mapping[str, Any]

    def save(self, path: Path) -> None:
        """Write a safetensors file; the values are its metadata."""
        from safetensors.torch import save

        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {name: tensor.detach().contiguous() for name, tensor in self.tensors.items()}
        write_whole(path, save(tensors, {_VALUES: json.dumps(self.values)}))

    def part(self, prefix: str) -> dict[str, torch.Tensor]:
        """Tensors whose names begin with `prefix.`, without it."""
        return {n.removeprefix(f"{prefix}."): t for n, t in self.tensors.items() if n.startswith(f"{prefix}.")}


def read_snapshot(path: Path) -> Snapshot | None:
    """Read a snapshot; None where there is none, or only the remains of one.

    A machine that loses power may leave a file that is cut short: all that is to be done is to begin anew.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            values = json.loads(file.metadata()[_VALUES])
            return Snapshot({name: file.get_tensor(name) for name in file.keys()}, values)  # noqa: SIM118 - not a dict
    except SafetensorError:
        return None


def optimizer_tensors(optimizer: torch.optim.Optimizer, prefix: str = "optimizer") -> dict[str, torch.Tensor]:
    """Moments and step counts of an optimizer, named `prefix.<parameter index>.<name>`."""
    states = optimizer.state_dict()["state"]
    return {f"{prefix}.{index}.{name}": tensor for index, state in states.items() for name, tensor in state.items()}


def restore_optimizer(
    optimizer: torch.optim.Optimizer, snapshot: Snapshot, groups: list[dict[str, Any]], prefix: str = "optimizer"
) -> None:
    """Put back what `optimizer_tensors` took, and the groups of hyper-parameters (the schedule changes them)."""
    states: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in snapshot.part(prefix).items():
        index, _, key = name.partition(".")
        states.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": states, "param_groups": groups})


def random_state() -> dict[str, torch.Tensor]:
    """States of torch's generators (CPU and each CUDA device)."""
    import torch

    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    return {"random.cpu": torch.get_rng_state()} | {f"random.cuda{i}": torch.cuda.get_rng_state(i) for i in devices}


def restore_random_state(snapshot: Snapshot) -> None:
    """Put back what `random_state` took."""
    import torch

    for name, state in snapshot.part("random").items():
        if name == "cpu":
            torch.set_rng_state(state)
        elif int(name.removeprefix("cuda")) < torch.cuda.device_count():
            torch.cuda.set_rng_state(state, int(name.removeprefix("cuda")))
