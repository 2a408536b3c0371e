"""Sums of outer products against each other: three orders of the same multiplications."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ntkit.kernels.empirical.products import GramSum, RowsSum, rows_product, symmetric_rows_product

__all__ = ["MACS", "Order", "ProductSizes", "Total", "best_order"]

Order = Literal["pair", "input side", "direct"]

MACS = 25e9
"""Multiply-adds of one core in a second: what the orders are weighed by."""
_BYTES = 6e9
"""Bytes that it moves in a second."""
_TILE = 2**25
"""Bytes of a tile of position pairs."""
_WORTHWHILE = 2**18
"""Entries that are worth a product of their own: of fewer, those of several outputs are made at once."""


@dataclass(frozen=True)
class ProductSizes:
    """Samples, positions, inputs (a group), outputs of the layer (a group), groups, network outputs."""

    n: int
    m: int
    t: int
    k: int
    c: int
    groups: int
    outputs: int
    item: int


def best_order(s: ProductSizes, *, full: bool) -> tuple[Order, float]:
    """The order of least estimated seconds, and those: multiply-adds and bytes together."""
    if s.t == 1:
        pairs = s.n * s.m * s.groups / 2
        o = s.outputs**2 if full else s.outputs
        kept = o if full else 1
        return "pair", _seconds(pairs * (s.k + o * s.c), 4 * pairs * kept * s.item)
    seconds: dict[Order, float] = {}
    pairs, o = s.n * s.m / 2, s.outputs
    squares = pairs * s.t**2 * s.groups
    if full:
        seconds["pair"] = _seconds(
            squares * (s.k + o**2 * s.c), squares * (1 + 1.5 * o**2) * s.item
        )
        seconds["input side"] = _seconds(
            2 * squares * (s.k + o * s.c) + pairs * o**2 * s.t * s.c * s.groups,
            2 * squares * 2 * s.item + 4 * pairs * o * s.t * s.c * s.groups * s.item,
        )
    else:
        seconds["pair"] = _seconds(squares * (s.k + o * s.c), 4 * squares * s.item)
    jacobian = (s.n if s.n == s.m else s.n + s.m) * o * s.k * s.c * s.groups
    again = pairs * (o**2 if full else o) * s.k * s.c * s.groups
    # making the Jacobian is many small products: counted at a third of the speed
    seconds["direct"] = _seconds(3 * jacobian * s.t + again, 3 * jacobian * s.item)
    order = min(seconds, key=lambda key: seconds[key])
    return order, seconds[order]


def _seconds(products: float, moved: float) -> float:
    return products / MACS + moved / _BYTES


class Total:
    """A kernel while its parts are added up; of a symmetric one, half.

    Holds `[o, n, o, m]` with all pairs of outputs, of which those with the first one larger are left
    out where it is symmetric; else `[n, m]`, summed over outputs in float64.

    Args:
        n: Row samples.
        m: Column samples; None for the same ones as the rows.
        outputs: Outputs, with `full`.
        full: Whether all pairs of outputs are kept.
        like: A tensor of the device and the accumulation dtype.
    """

    def __init__(self, n: int, m: int | None, outputs: int, *, full: bool, like: Tensor) -> None:
        self.is_symmetric: bool = m is None
        self.full = full
        self._dtype = like.dtype
        m = n if m is None else m
        shape = (outputs, n, outputs, m) if full else (n, m)
        self.value: Tensor = like.new_zeros(shape, dtype=like.dtype if full else torch.float64)
        self._outputs_first: RowsSum | None = None  # [o n, o m], of Jacobians
        self._samples_first: RowsSum | None = None  # [n o, m o], of others

    def finished(self) -> Tensor:
        """`[n, m, o, o]` or `[n, m]`."""
        if not self.full:
            return self.value.to(self._dtype)
        outputs, n, _, m = self.value.shape
        if self._outputs_first is not None:
            self.value += self._outputs_first.finished().view(self.value.shape)
        if self._samples_first is not None:
            rows = self._samples_first.finished().view(n, outputs, m, outputs)
            self.value += rows.permute(1, 0, 3, 2)
        if self.is_symmetric:
            for o in range(outputs):
                for q in range(o + 1, outputs):
                    self.value[q, :, o] = self.value[o, :, q].T
        return self.value.permute(1, 3, 0, 2)

    def add_jacobians(self, left: Tensor, right: Tensor | None) -> None:
        """Add `J1 J2^T` for Jacobians `[o, n, p]`."""
        other = left if right is None else right
        if not self.full:
            for o in range(len(left)):
                if self.is_symmetric:
                    symmetric_rows_product(left[o], self.value)
                else:
                    rows_product(left[o], other[o], self.value)
            return
        is_by_output = left.stride(0) >= left.stride(1)  # in the memory; else sample by sample
        total = self._outputs_first if is_by_output else self._samples_first
        if not is_by_output:
            left, other = left.transpose(0, 1), other.transpose(0, 1)
        rows, columns = left.flatten(0, 1), other.flatten(0, 1)
        if total is None:
            total = RowsSum(len(rows), None if self.is_symmetric else len(columns), self.value)
        total.add(rows, columns)
        if is_by_output:
            self._outputs_first = total
        else:
            self._samples_first = total

    def add_outer(
        self,
        left: tuple[Tensor, Tensor],
        right: tuple[Tensor, Tensor] | None,
        order: Order,
    ) -> None:
        """Add the part of `J[o, n] = sum_t g[o, n, t] a[n, t]^T`, group by group, in this order."""
        a1, g1 = left
        a2, g2 = left if right is None else right
        add = {
            ("pair", True): self._paired_full,
            ("pair", False): self._paired_trace,
            ("input side", True): self._input_side,
        }[order, self.full]
        if order == "pair" and a1.shape[2] == 1:
            add = self._single_full if self.full else self._single_trace
        for k in range(len(a1)):
            add(a1[k], g1[k], a2[k], g2[k])

    def _single_full(self, a1: Tensor, g1: Tensor, a2: Tensor, g2: Tensor) -> None:
        """One position: `(a1 . a2) (g1 . g2)`."""
        inputs = self._product(a1[:, 0], a2[:, 0])
        g1, g2 = g1[:, :, 0], g2[:, :, 0]
        some = max(1, _WORTHWHILE // (inputs.numel() * len(g2)))
        for o in range(0, len(g1), some):
            first = o if self.is_symmetric else 0
            grams = self._product(g1[o : o + some].flatten(0, 1), g2[first:].flatten(0, 1))
            grams = grams.view(-1, len(a1), len(g2) - first, len(a2))
            self.value[o : o + some, :, first:].addcmul_(grams, inputs[:, None])

    def _single_trace(self, a1: Tensor, g1: Tensor, a2: Tensor, g2: Tensor) -> None:
        like = self.value.new_empty(0, dtype=self._dtype)
        found = GramSum(len(a1), None if self.is_symmetric else len(a2), like)
        found.add(g1[:, :, 0], g2[:, :, 0])
        found.multiply(a1[:, 0], a2[:, 0], 0.0)
        self.value += found.finished()

    def _paired_full(self, a1: Tensor, g1: Tensor, a2: Tensor, g2: Tensor) -> None:
        """All pairs of positions, in tiles of samples."""
        for i, j, inputs in self._tiles(a1, a2):
            for o in range(len(g1)):
                for q in range(o if self.is_symmetric else 0, len(g2)):
                    grams = self._positions(g1[o, i], g2[q, j])
                    self.value[o, i, q, j] += grams.mul_(inputs).sum((1, 3))

    def _paired_trace(self, a1: Tensor, g1: Tensor, a2: Tensor, g2: Tensor) -> None:
        rows, columns = (g.permute(1, 2, 0, 3).flatten(2) for g in (g1, g2))  # [n, t, o c]
        for i, j, inputs in self._tiles(a1, a2):
            grams = self._positions(rows[i], columns[j])
            self.value[i, j] += grams.mul_(inputs).sum((1, 3))

    def _tiles(self, a1: Tensor, a2: Tensor):
        """Tiles of samples with their products of inputs, `[n, t, m, s]`."""
        (n, t), (m, s) = a1.shape[:2], a2.shape[:2]
        item = torch.finfo(self._dtype).bits // 8
        columns = min(m, max(1, _TILE // (t * s * item)))
        rows = min(n, max(1, _TILE // (t * s * item * columns)))
        for i in range(0, n, rows):
            for j in range(0, m, columns):
                first, second = slice(i, i + rows), slice(j, j + columns)
                yield first, second, self._positions(a1[first], a2[second])

    def _positions(self, left: Tensor, right: Tensor) -> Tensor:
        """`[n, t, c]` and `[m, s, c]` to `[n, t, m, s]`."""
        found = self._product(left.flatten(0, 1), right.flatten(0, 1))
        return found.view(*left.shape[:2], *right.shape[:2])

    def _input_side(self, a1: Tensor, g1: Tensor, a2: Tensor, g2: Tensor) -> None:
        """Inputs against inputs, then with the gradients of one column sample at a time."""
        outputs, n, t, c = g1.shape
        rows = g1.transpose(0, 1).flatten(2).to(self._dtype)  # [n, o, t c]
        for j in range(len(a2)):
            start = j if self.is_symmetric else 0
            inputs = self._product(a1[start:].flatten(0, 1), a2[j])  # [n t, s]
            column = g2[:, j].to(self._dtype)  # [q, s, c]
            mixed = inputs @ column.transpose(0, 1).flatten(1)  # [n t, q c]
            mixed = mixed.view(n - start, t, outputs, c).transpose(2, 3).reshape(-1, t * c, outputs)
            found = torch.bmm(rows[start:], mixed)  # [n, o, q]
            self.value[:, start:, :, j] += found.transpose(0, 1)
            if self.is_symmetric:
                self.value[:, j, :, start + 1 :] += found[1:].permute(2, 1, 0)

    def _product(self, left: Tensor, right: Tensor) -> Tensor:
        return left.to(self._dtype) @ right.to(self._dtype).T
