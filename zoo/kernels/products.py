"""Products with weights that stay as they are, arranged once; and the same with LoRA, forward and backward by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from zoo.kernels.dropout import dropout_mask
from zoo.kernels.support import adapter_of
from zoo.modeling.device import has_bfloat16


class Product(Protocol):
    """`x W' + bias + summand`, or the GELU of that; the summand may be overwritten. None: there is none."""

    def __call__(self, x: torch.Tensor, summand: torch.Tensor | None = None, /) -> torch.Tensor:
        """Table [M, K] to [M, N]."""
        ...


def product(weight: torch.Tensor, bias: torch.Tensor | None = None, *, onednn: bool, gelu: bool = False) -> Product:
    """Make a product ready.

    Args:
        weight: W [N, K], in the number format of the inputs.
        bias: Shape [N].
        onednn: By oneDNN, on weights arranged for it; else by PyTorch.
        gelu: Whether GELU follows; there is no summand then.
    """
    if onednn:
        ops = torch.ops.mkldnn
        packed, after = ops._reorder_linear_weight(weight), "gelu" if gelu else "none"
        return lambda x, summand=None: (
            ops._linear_pointwise(x, packed, bias, after, [], "none")
            if summand is None
            else ops._linear_pointwise.binary(x, summand, packed, bias, "add")
        )
    transposed = weight.t()

    def by_pytorch(x: torch.Tensor, summand: torch.Tensor | None = None) -> torch.Tensor:
        if summand is not None:
            return summand.addmm_(x, transposed)
        y = x @ transposed if bias is None else torch.addmm(bias, x, transposed)
        return torch.nn.functional.gelu(y) if gelu else y

    return by_pytorch


@dataclass(frozen=True, slots=True)
class SavedAdapters:
    """What gradients are made of, beside the input: all A [R, K] and B [R, N], `A d(x)`, each adapter's dropout."""

    a: torch.Tensor
    b: torch.Tensor
    inner: torch.Tensor
    kept: list[torch.Tensor]


@dataclass(frozen=True)
class JoinedLinear:
    """Linear layers of one input as one product, `W x + bias + s B A d(x)`; W is frozen, d is each adapter's dropout.

    Attributes:
        ahead: Product with the weights.
        back: Product with their transpose.
        bias: Of all of them.
        inputs: Columns of the weights.
        sizes: Outputs of each layer.
        ranks: Rank of each layer's adapter; 0: it has none.
        scales: Factor s of each adapter.
        matrices: A and B of each adapter in turn, as parameters.
    """

    ahead: Product
    back: Product
    bias: torch.Tensor | None
    inputs: int
    sizes: list[int]
    ranks: list[int]
    scales: list[float]
    matrices: list[torch.Tensor]
    dtype: torch.dtype

    @classmethod
    def of(cls, layers: Sequence[Any], dtype: torch.dtype, factors: Sequence[float] = (1.0,)) -> JoinedLinear:
        """Make weights ready.

        Args:
            layers: `Linear` of PyTorch, or PEFT's with one plain adapter; with a bias each, where there are several.
            dtype: Number format of products.
            factors: What each layer's output is multiplied by.
        """
        bases = [getattr(layer, "base_layer", layer) for layer in layers]
        adapters = [adapter_of(layer) for layer in layers]
        weight = torch.cat([base.weight.detach() * factor for base, factor in zip(bases, factors, strict=True)])
        bias = None
        if bases[0].bias is not None:
            bias = torch.cat([base.bias.detach() * factor for base, factor in zip(bases, factors, strict=True)])
        onednn = dtype is torch.bfloat16 and weight.device.type == "cpu" and has_bfloat16()
        return cls(
            product(weight.to(dtype), onednn=onednn),
            product(weight.t().contiguous().to(dtype), onednn=onednn),
            bias if bias is None else bias.to(dtype),
            weight.shape[1],
            [base.out_features for base in bases],
            [len(adapter[0]) if adapter else 0 for adapter in adapters],
            [(adapter[2] if adapter else 1.0) * factor for adapter, factor in zip(adapters, factors, strict=True)],
            [matrix for adapter in adapters if adapter for matrix in adapter[:2]],
            dtype,
        )

    @property
    def _adapted(self) -> list[int]:
        return [rank for rank in self.ranks if rank]

    def forward(
        self, x: torch.Tensor, adapters: Sequence[torch.Tensor], dropout: float
    ) -> tuple[torch.Tensor, SavedAdapters]:
        """What comes out, and what `backward` needs.

        Args:
            x: Table [N, K].
            adapters: `matrices`, as autograd gives them.
            dropout: Share of what each adapter is given that is dropped.
        """
        a, b = self._joined(adapters)
        kept = [dropout_mask(x, dropout) for _ in self._adapted] if dropout else []
        if kept:
            parts = zip(kept, torch.split(a, self._adapted), strict=True)
            inner = torch.cat([(x * mask) @ own.t() for mask, own in parts], 1)
        else:
            inner = x @ a.t()
        added = inner @ b if self.bias is None else torch.addmm(self.bias, inner, b)
        return self.ahead(x, added), SavedAdapters(a, b, inner, kept)

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
        of_b, like = iter(adapters[1::2]), next(iter(adapters), torch.empty(0))
        blocks = [
            next(of_b).t() * scale if rank else like.new_empty(0, size)
            for size, rank, scale in zip(self.sizes, self.ranks, self.scales, strict=True)
        ]
        a = torch.cat([like.new_empty(0, self.inputs), *adapters[::2]])
        return a.to(self.dtype), torch.block_diag(*blocks).to(self.dtype)  # type: ignore[no-untyped-call]
