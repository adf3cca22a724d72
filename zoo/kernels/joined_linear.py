"""Frozen linear layers that are given the same as one product, with LoRA beside it; forward and backward by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from zoo.kernels.fast_dropout import dropout_mask

Product = Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]
"""`x, summand -> x W' + summand` for a frozen W; the summand may be overwritten. None: there is none."""


@dataclass(frozen=True)
class JoinedLinear:
    """Linear layers beside each other, `W x + bias + s B A d(x)`; W is frozen, d is dropout, of each adapter its own.

    Attributes:
        ahead: Product with the weights.
        back: Product with their transpose.
        bias: Of all of them.
        inputs: Columns of the weights.
        sizes: Outputs of each layer.
        ranks: Rank of each layer's adapter; 0: it has none.
        scales: Factor s of each adapter.
    """

    ahead: Product
    back: Product
    bias: torch.Tensor
    inputs: int
    sizes: list[int]
    ranks: list[int]
    scales: list[float]

    @classmethod
    def of(cls, layers: Sequence[Any], dtype: torch.dtype, factors: Sequence[float] = (1.0,)) -> JoinedLinear:
        """Make weights ready.

        Args:
            layers: `Linear` of PyTorch, or PEFT's with one plain adapter.
            dtype: Number format of products.
            factors: What each layer's output is multiplied by.
        """
        bases = [getattr(layer, "base_layer", layer) for layer in layers]
        weight = torch.cat([base.weight.detach() * factor for base, factor in zip(bases, factors, strict=True)])
        bias = torch.cat([base.bias.detach() * factor for base, factor in zip(bases, factors, strict=True)])
        ranks, scales = zip(*map(_adapter_of, layers), strict=True)
        return cls(
            _product(weight.to(dtype)),
            _product(weight.t().contiguous().to(dtype)),
            bias.to(dtype),
            weight.shape[1],
            [base.out_features for base in bases],
            list(ranks),
            [scale * factor for scale, factor in zip(scales, factors, strict=True)],
        )

    @property
    def adapters(self) -> int:
        """Number of adapters."""
        return len(self._adapted)

    @property
    def _adapted(self) -> list[int]:
        return [rank for rank in self.ranks if rank]

    def forward(
        self, x: torch.Tensor, adapters: Sequence[torch.Tensor], dropout: float
    ) -> tuple[torch.Tensor, SavedAdapters]:
        """What comes out, and what `backward` needs.

        Args:
            x: Table [N, K].
            adapters: A and B of each adapter in turn.
            dropout: Share of what each adapter is given that is dropped.
        """
        a, b = self._joined(adapters)
        kept = [dropout_mask(x, dropout) for _ in self._adapted] if dropout else []
        if kept:
            parts = zip(kept, torch.split(a, self._adapted), strict=True)
            inner = torch.cat([(x * mask) @ own.t() for mask, own in parts], 1)
        else:
            inner = x @ a.t()
        return self.ahead(x, torch.addmm(self.bias, inner, b)), SavedAdapters(a, b, inner, kept)

    def backward(
        self,
        gradient: torch.Tensor,
        x: torch.Tensor,
        saved: SavedAdapters,
        summand: torch.Tensor | None = None,
        *,
        of_input: bool = True,
    ) -> tuple[torch.Tensor | None, list[torch.Tensor]]:
        """Gradients of x, with a summand, and of each A and B."""
        through = gradient @ saved.b.t()
        of_b = (saved.inner.t() @ gradient).float()
        if saved.kept:
            columns = torch.split(through, self._adapted, 1)
            of_a = torch.cat([own.t() @ (x * mask) for own, mask in zip(columns, saved.kept, strict=True)]).float()
        else:
            of_a = (through.t() @ x).float()
        adapters: list[torch.Tensor] = []
        row = column = 0
        for size, rank, scale in zip(self.sizes, self.ranks, self.scales, strict=True):
            if rank:
                adapters += [of_a[row : row + rank], of_b[row : row + rank, column : column + size].t() * scale]
            row, column = row + rank, column + size
        if not of_input:
            return None, adapters
        if saved.kept:
            for own, a, mask in zip(columns, torch.split(saved.a, self._adapted), saved.kept, strict=True):
                of_d = own @ a
                summand = of_d.mul_(mask) if summand is None else torch.addcmul(summand, of_d, mask)
        elif self._adapted:
            summand = through @ saved.a if summand is None else torch.addmm(summand, through, saved.a)
        return self.back(gradient, summand), adapters

    def _joined(self, adapters: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """All A below each other [R, K], and all B, transposed and scaled, as blocks of a diagonal [R, N].

        Matrices of few rows make narrow products up to seven times as fast as matrices of few columns do.
        """
        matrices, blocks, dtype = iter(adapters), [], self.bias.dtype
        rows = [torch.empty(0, self.inputs)]
        for size, rank, scale in zip(self.sizes, self.ranks, self.scales, strict=True):
            if rank:
                rows.append(next(matrices))
            blocks.append(next(matrices).t() * scale if rank else torch.empty(0, size))
        return torch.cat(rows).to(dtype), torch.block_diag(*blocks).to(dtype)  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class SavedAdapters:
    """What gradients are made of, beside the input: all A [R, K] and B [R, N], `A d(x)`, each adapter's dropout."""

    a: torch.Tensor
    b: torch.Tensor
    inner: torch.Tensor
    kept: list[torch.Tensor]


def _adapter_of(layer: Any) -> tuple[int, float]:  # noqa: ANN401 - PEFT's layers are not typed
    """Rank and factor of a layer's adapter; 0 and 1 where it has none."""
    if not hasattr(layer, "base_layer"):
        return 0, 1.0
    (name,) = layer.active_adapters
    return layer.r[name], layer.scaling[name]


def _product(weight: torch.Tensor) -> Product:
    ops = torch.ops.mkldnn
    if weight.dtype is torch.bfloat16 and ops._is_mkldnn_bf16_supported():
        packed = ops._reorder_linear_weight(weight)
        return lambda x, summand: (
            ops._linear_pointwise(x, packed, None, "none", [], "none")
            if summand is None
            else ops._linear_pointwise.binary(x, summand, packed, None, "add")
        )
    return lambda x, summand: x @ weight.t() if summand is None else summand.addmm_(x, weight.t())
