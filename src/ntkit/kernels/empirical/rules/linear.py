"""Matrix products with a weight on the right: `nn.Linear`, `x @ W`, attention's projections."""

from typing import Any

import torch
from torch import Tensor

from ntkit._core.torch_internals import saved
from ntkit.kernels.empirical.field import Field
from ntkit.kernels.empirical.products import outer_sums
from ntkit.kernels.empirical.rules.explicit import shifted
from ntkit.kernels.empirical.rules.registry import Operand, rule
from ntkit.kernels.empirical.sample_layout import SampleLayout
from ntkit.kernels.empirical.uses import AbstractUse, OuterUse

__all__ = ["LinearUse"]


class LinearUse(OuterUse):
    """`y = a W (+ b)` on rows: the Jacobian of a sample is the sum over its rows of `a g^T`."""

    groups = 1

    def __init__(self, node: Any, weight: Operand, bias: Operand | None, rows: Tensor) -> None:
        self.node = node
        self._weight = weight
        self._bias = bias
        self._rows = rows
        self.params: tuple[int, ...] = (
            (weight.param,) if bias is None else (weight.param, bias.param)
        )
        self.in_size: int = weight.shape[0] + (bias is not None)
        self.out_size: int = weight.shape[1]
        self.orientation: tuple[int, ...] = (int(weight.is_transposed),)
        self.what: str = f"linear {weight.shape[0]} to {weight.shape[1]}"

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and outputs."""
        return len(self._rows), self.out_size

    def at(self, field: Field) -> AbstractUse | None:
        """Some of the rows."""
        rows = field.rows(self.out_size)
        if rows is None:
            return None
        return LinearUse(self.node, self._weight, self._bias, self._rows[rows])

    def allows(self, layout: SampleLayout) -> bool:
        """Samples lie along the rows."""
        return layout.axis == 0

    @property
    def has_bias(self) -> bool:
        """Whether a bias is used along."""
        return self._bias is not None

    def rows(self, layout: SampleLayout) -> Tensor:
        """`a` alone, `[n, t, k]`."""
        return layout.by_sample(self._rows)

    def inputs(self, layout: SampleLayout) -> Tensor:
        """`a`, and a one for the bias."""
        a = self.rows(layout)
        if self.has_bias:
            a = torch.cat([a, a.new_ones(*a.shape[:-1], 1)], -1)
        return a[None]

    def gradients(self, g: Tensor, layout: SampleLayout) -> Tensor:
        """Rows by sample."""
        return layout.by_sample(g, 1)[None]

    def explicit(
        self, g: Tensor, layout: SampleLayout, out: list[Tensor] | None = None
    ) -> list[Tensor]:
        """`sum_t g_t a_t^T`, in the order of the parameter's entries."""
        if out is None or len(g) > 1:
            return super().explicit(g, layout, out)
        a, g = self.rows(layout), layout.by_sample(g, 1)[0]  # [n, t, k], [n, t, c]
        left, right = (g.mT, a) if self._weight.is_transposed else (a.mT, g)
        torch.bmm(left, right, out=out[0][0].view(len(a), left.shape[1], -1))
        if self.has_bias:
            torch.sum(g, 1, out=out[1][0])
        return out

    def jacobians(self, g: Tensor, layout: SampleLayout) -> list[Tensor]:
        """The same for several outputs."""
        a, g = self.rows(layout), layout.by_sample(g, 1)
        outer = outer_sums(g.mT, a)
        outer = outer if self._weight.is_transposed else outer.mT
        return [outer.flatten(2), *([g.sum(2)] if self.has_bias else [])]


@rule("AddmmBackward0")
def addmm(node: Any, operands: dict[int, Operand]) -> AbstractUse | None:
    """`beta bias + alpha a W`: places 0, 1, 2."""
    plain = float(saved(node, "alpha")) == 1 and float(saved(node, "beta")) == 1
    weight, bias = operands.get(2), operands.get(0)
    if not plain or 1 in operands or (bias is not None and len(bias.shape) != 1):
        return None
    if weight is not None:
        return LinearUse(node, weight, bias, saved(node, "mat1"))
    assert bias is not None
    return shifted(node, "bias of a linear layer", bias, axis=1)


@rule("MmBackward0")
def mm(node: Any, operands: dict[int, Operand]) -> AbstractUse | None:
    """`a W`: places 0 and 1."""
    if set(operands) != {1}:
        return None
    return LinearUse(node, operands[1], None, saved(node, "self"))
