"""Long inner products in low precision, summed in blocks."""

import torch
from torch import Tensor

__all__ = ["GramSum", "RowsSum", "outer_sums", "rows_product", "symmetric_rows_product"]

_BLOCK = 4096
"""Terms of a float32 inner product that are summed in float32; the blocks are added in float64.

One sum over half a million terms lost 3e-5 where its terms have one sign; blocks lose about 1e-6.
"""
_PRODUCTS = 16
"""Products that are made at once before they are summed: so few that their sum costs no digits."""
_ENTRIES = 2**23
"""Entries of those."""


class GramSum:
    """A sum of products `a b^T` while it grows, `[n, m]`: blocks of float32, added in float64.

    Where every `b` is its `a`, blocks below the diagonal are left out until the end.

    Args:
        n: Rows.
        m: Columns; None for the same as the rows.
        like: A tensor of the device and of the dtype of products.
    """

    def __init__(self, n: int, m: int | None, like: Tensor) -> None:
        self._is_symmetric = m is None
        self._block = like.new_zeros(n, n if m is None else m)
        self._blocks: Tensor | None = None  # the sum of those before, float64
        step = max(128, -(-n // 8)) if m is None else n
        self._tiles = [
            (slice(i, i + step), slice(i if m is None else 0, None)) for i in range(0, n, step)
        ]
        self._terms = 0

    def add(self, a: Tensor, b: Tensor) -> None:
        """Add `sum_k a[k] @ b[k].T`, `[k, n, p]` times `[k, m, p]`.

        Raises:
            ValueError: There are more of one than of the other.
        """
        if len(a) != len(b):
            raise ValueError(f"{len(a)} matrices cannot be multiplied by {len(b)}.")
        largest = max(self._block[rows, columns].numel() for rows, columns in self._tiles)
        step = max(1, min(_PRODUCTS, _ENTRIES // largest))
        for some, others in zip(a.split(step), b.split(step), strict=True):
            for left, right in zip(some.split(_BLOCK, 2), others.split(_BLOCK, 2), strict=True):
                self._add(left.to(self._block.dtype), right.to(self._block.dtype))

    def multiply(self, a: Tensor, b: Tensor, plus: float) -> None:
        """Multiply by `a @ b.T + plus`, entry by entry."""
        value = self._total()
        a, b = a.to(self._block.dtype), b.to(self._block.dtype)
        for rows, columns in self._tiles:
            value[rows, columns] *= (a[rows] @ b[columns].T).add_(plus)

    def merge(self, other: "GramSum") -> None:
        """Add another sum of the same size."""
        value, its = self._total(), other._total()
        if its.dtype != value.dtype == self._block.dtype:
            self._blocks = value = value.double()
            self._block.zero_()
        for rows, columns in self._tiles:
            value[rows, columns] += its[rows, columns]

    def finished(self) -> Tensor:
        """The sum: float64 where it took several blocks."""
        value = self._total()
        for rows, _ in self._tiles if self._is_symmetric else ():
            value[rows.stop :, rows] = value[rows, rows.stop :].T
        return value

    def _add(self, left: Tensor, right: Tensor) -> None:
        if self._terms + left.shape[2] > _BLOCK and self._block.dtype == torch.float32:
            self._flush()
        self._terms += left.shape[2]
        for rows, columns in self._tiles:
            block = self._block[rows, columns]
            if len(left) == 1:
                block.addmm_(left[0, rows], right[0, columns].T)
            else:
                block += torch.bmm(left[:, rows], right[:, columns].mT).sum(0)

    def _flush(self) -> None:
        if self._terms:
            self._blocks = (
                self._block.double() if self._blocks is None else self._blocks.add_(self._block)
            )
            self._block.zero_()
        self._terms = 0

    def _total(self) -> Tensor:
        """All of it, in place: nothing is added after."""
        if self._blocks is None:
            return self._block
        self._flush()
        return self._blocks


class RowsSum:
    """A sum of products `a b^T` of the rows of matrices, `[r, c]`, while it grows.

    Where every `b` is its `a`, blocks below the diagonal are left out until the end. Matrices of few columns
    are put beside each other first.

    Args:
        n: Rows.
        m: Columns; None for the same as the rows.
        like: A tensor of the device and of the dtype of the sum.
    """

    def __init__(self, n: int, m: int | None, like: Tensor) -> None:
        self._is_symmetric = m is None
        self._value = like.new_zeros(n, n if m is None else m)
        self._step = -(-n // 4)
        self._few: list[tuple[Tensor, Tensor]] = []

    def add(self, a: Tensor, b: Tensor) -> None:
        """Add `a @ b.T`, `[r, p]` times `[c, p]`."""
        if a.shape[1] >= _BLOCK // 2:
            self._add(a, b)
            return
        if a.shape[1] + sum(left.shape[1] for left, _ in self._few) > _BLOCK:
            self._flush()
        self._few.append((a, b))

    def finished(self) -> Tensor:
        """The sum."""
        self._flush()
        if self._is_symmetric:
            for i in range(0, len(self._value), self._step):
                block = slice(i, i + self._step)
                self._value[block.stop :, block] = self._value[block, block.stop :].T
        return self._value

    def _flush(self) -> None:
        if self._few:
            a, b = zip(*self._few, strict=True)
            left = torch.cat(a, 1)
            self._add(left, left if self._is_symmetric else torch.cat(b, 1))
        self._few = []

    def _add(self, a: Tensor, b: Tensor) -> None:
        for i in range(0, len(a), self._step):
            block = slice(i, i + self._step)
            start = i if self._is_symmetric else 0
            rows_product(a[block], b[start:], self._value[block, start:])


def rows_product(a: Tensor, b: Tensor, out: Tensor) -> None:
    """Add `a @ b.T` to `out`, `[r, p]` times `[c, p]`, at least in float32."""
    kind = torch.promote_types(a.dtype, torch.float32)
    if kind == torch.float64:
        out.addmm_(a.to(out.dtype), b.to(out.dtype).T)
        return
    for left, right in zip(a.split(_BLOCK, 1), b.split(_BLOCK, 1), strict=True):
        if out.dtype == kind:
            out.addmm_(left.to(kind), right.to(kind).T)
        else:
            out += left.to(kind) @ right.to(kind).T


def symmetric_rows_product(a: Tensor, out: Tensor) -> None:
    """Add `a @ a.T` to `out`: blocks on and above the diagonal are computed, the others copied."""
    step = max(128, -(-len(a) // 8))
    for i in range(0, len(a), step):
        tile = torch.zeros_like(out[i : i + step, i:])
        rows_product(a[i : i + step], a[i:], tile)
        out[i : i + step, i:] += tile
        out[i + step :, i : i + step] += tile[:, step:].T


def outer_sums(left: Tensor, right: Tensor) -> Tensor:
    """`left [o, n, c, t]` times `right [n, t, k]`: one product for all outputs of a sample."""
    outputs, n, c, t = left.shape
    rows = left.transpose(0, 1).reshape(n, outputs * c, t)
    return torch.bmm(rows, right).unflatten(1, (outputs, c)).transpose(0, 1)
