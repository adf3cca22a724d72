"""Linear layers by products of 8-bit integers, for tagging on CPUs: products take half the time of bfloat16 ones."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from zoo.errors import ZooError

if TYPE_CHECKING:
    import torch

_LARGEST = 127
_ZERO = 128
"""Inputs are stored as unsigned bytes around this: processors multiply unsigned by signed ones."""
_TINY = 1e-30
"""A row of zeros has scale 0, and would be divided by it."""


def check_int8(device: torch.device) -> None:
    """Make sure that a device multiplies 8-bit integers quickly and without overflow.

    Raises:
        ZooError: It is no x86 CPU with VNNI (Intel since 2019, AMD since 2022).
    """
    import torch

    if device.type != "cpu":
        raise ZooError(f"int8 is for CPUs, and the model is on {device}", fix="take --precision bfloat16")
    if not getattr(torch.cpu, "_is_vnni_supported", lambda: False)():
        raise ZooError(
            "int8 needs an x86 processor with VNNI (Intel since 2019, AMD since 2022)",
            fix="take --precision float32 on this machine",
        )


class Int8Layers:
    """Makes layers that share their inputs: query, key and value of one tensor turn it into integers once.

    Weights have a scale per output, inputs one per token, each the largest absolute value over 127 (the dynamic
    quantisation of Dettmers et al. 2022, arXiv 2208.07339, section 2.1), so that a token's values do not depend on what
    stands beside it in a batch. Sums are exact; scales and bias are float32.
    """

    def __init__(self) -> None:
        self._input: Callable[[], torch.Tensor | None] = lambda: None
        self._integers: tuple[torch.Tensor, torch.Tensor]

    def linear(self, weight: torch.Tensor, bias: torch.Tensor | None) -> Callable[[torch.Tensor], torch.Tensor]:
        """A function from [..., K] to `x W' + bias` [..., N], both float32.

        Args:
            weight: W [N, K].
            bias: [N], or None.
        """
        import torch

        outputs = len(weight)
        scale = weight.abs().amax(1).clamp(min=_TINY) / _LARGEST
        integers = (weight / scale[:, None]).round().to(torch.int8)
        packed = torch.ops.onednn.qlinear_prepack(integers, None)
        zeros = torch.zeros(outputs, dtype=torch.int32)

        def forward(x: torch.Tensor) -> torch.Tensor:
            rows, row_scale = self._quantised(x)
            y: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
                *(rows, 1.0, _ZERO, packed, scale, zeros, None, 1.0, 0, torch.float32, "none", [], "")
            )
            y = y.mul_(row_scale) if bias is None else torch.addcmul(bias, y, row_scale)
            return y.view(*x.shape[:-1], outputs)

        return forward

    def _quantised(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows of x as unsigned bytes [B, K] around 128, and the scale of each [B, 1]."""
        import torch

        if self._input() is not x:
            rows = x.reshape(-1, x.shape[-1]).float()
            scale = torch.maximum(rows.amax(1, keepdim=True), -rows.amin(1, keepdim=True)).clamp_(min=_TINY)
            scale = scale.div_(_LARGEST)
            # by way of signed bytes: to unsigned ones PyTorch converts seven times slower
            integers = (rows / scale).round_().to(torch.int8).view(torch.uint8).bitwise_xor_(_ZERO)
            self._integers, self._input = (integers, scale), weakref.ref(x)
        return self._integers
