"""Multi-level Toeplitz and circulant matrices: a product is a few FFTs."""

from collections.abc import Sequence
from math import ceil, prod

import torch
from jaxtyping import Float
from torch import Tensor
from torch.fft import fft, ifft, irfft, rfft

from ntkit.operators.base import AbstractOperator

__all__ = ["CirculantOperator", "ToeplitzOperator", "fast_length"]

_WORKING_SET = 5 * 2**18
"""Bytes of padded spectra transformed at once: beyond a core's cache they take up to three times
as long."""


class ToeplitzOperator(AbstractOperator):
    """`K[i, j] = table[i - j]` with multi-indices `i`, `j`: a stationary kernel on grids.

    Embedded in a circulant matrix of at least `rows + cols - 1` an axis and multiplied by FFT. The
    padding is skipped where it is known to be zero: each axis is transformed only for the rows
    that are not all padding, and the inverse only where its result is wanted.

    Args:
        table: Kernel at every lag, `[n_k + m_k - 1]` an axis; entry `m_k - 1` is lag zero.
        rows: Grid shape of the left index, `n_k`.
        cols: Grid shape of the right index, `m_k`; `rows` if left out.
        dtype: Precision of the products. The spectrum is computed in float64 first.

    Cost: O(p log p) a product, `p = prod(n_k + m_k)` padded to lengths with small factors.

    Source: Golub and Van Loan, Matrix Computations, section 4.8.4 (circulant embedding).

    Example:
        >>> import torch
        >>> op = ToeplitzOperator(torch.tensor([1.0, 2.0, 3.0]), (2,))
        >>> op.dense()
        tensor([[2., 1.],
                [3., 2.]], dtype=torch.float64)
    """

    def __init__(
        self,
        table: Float[Tensor, "..."],
        rows: Sequence[int],
        cols: Sequence[int] | None = None,
        *,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        self.row_shape: tuple[int, ...] = tuple(rows)
        self.col_shape: tuple[int, ...] = tuple(rows if cols is None else cols)
        lags = tuple(n + m - 1 for n, m in zip(self.row_shape, self.col_shape, strict=True))
        if tuple(table.shape) != lags:
            raise ValueError(
                f"`table` must hold every lag of {self.row_shape} x {self.col_shape}, shape {lags}, "
                f"got {tuple(table.shape)}."
            )
        self.shape: tuple[int, int] = (prod(self.row_shape), prod(self.col_shape))
        self.dtype = dtype
        self.device: torch.device = table.device
        self.kind = "toeplitz"
        self.table = table
        self._padded = tuple(fast_length(n) for n in lags)
        self._set_spectrum(_spectrum(table, self.col_shape, self._padded))

    def _set_spectrum(self, spectrum: Tensor) -> None:
        """Keep a spectrum in the operator's precision, and in the strides that `fft` returns."""
        start = spectrum.new_zeros(1, *self.col_shape[:-1], spectrum.shape[-1])
        probe = self._forward(start.to(_complex(self.dtype)))[0]
        self._spectrum = torch.empty_like(probe).copy_(spectrum)
        row_bytes = probe.numel() * probe.element_size()
        self._rows_at_once = max(1, _WORKING_SET // row_bytes)
        blocks = 1 if row_bytes <= _WORKING_SET else ceil(2 * row_bytes / _WORKING_SET)
        self._columns_at_once = ceil(probe.shape[-1] / blocks)

    @property
    def is_symmetric(self) -> bool:
        """Whether the table is the same at each lag and its opposite."""
        return self.row_shape == self.col_shape and bool(
            torch.equal(self.table, self.table.flip(list(range(self.table.ndim))))
        )

    def rows(self, v: Float[Tensor, "c m"]) -> Float[Tensor, "c n"]:
        """The product by FFT: along the last axis, along the others, and back."""
        last = self._padded[-1]
        if torch.is_grad_enabled() and (v.requires_grad or self._spectrum.requires_grad):
            x = self._forward(rfft(v.reshape(-1, *self.col_shape), n=last)) * self._spectrum
            return irfft(self._backward(x), n=last)[..., : self.row_shape[-1]].flatten(1)
        out = v.new_empty(len(v), *self.row_shape)
        for part, into in zip(
            v.split(self._rows_at_once), out.split(self._rows_at_once), strict=True
        ):
            x = self._along_inner_axes(rfft(part.reshape(-1, *self.col_shape), n=last))
            into.copy_(irfft(x, n=last)[..., : self.row_shape[-1]])
        return out.flatten(1)

    def _along_inner_axes(self, x: Tensor) -> Tensor:
        """Forth, times the spectrum, and back; in blocks of the last axis that stay in the cache."""
        step, width = self._columns_at_once, x.shape[-1]
        if step >= width:
            return self._backward(self._forward(x).mul_(self._spectrum))
        out = x
        if self.row_shape[:-1] != self.col_shape[:-1]:
            out = x.new_empty(len(x), *self.row_shape[:-1], width)
        for i in range(0, width, step):
            columns = slice(i, i + step)
            block = self._forward(x[..., columns]).mul_(self._spectrum[..., columns])
            out[..., columns] = self._backward(block)
        return out

    def _forward(self, x: Tensor) -> Tensor:
        """Along all axes but the last: each is padded only when its turn comes."""
        for axis, length in enumerate(self._padded[:-1], start=1):
            x = fft(x, n=length, dim=axis)
        return x

    def _backward(self, x: Tensor) -> Tensor:
        """The inverse, each axis cut to what is wanted as soon as it is back."""
        for axis in reversed(range(1, len(self._padded))):
            x = ifft(x, dim=axis).narrow(axis, 0, self.row_shape[axis - 1])
        return x

    def diagonal(self) -> Float[Tensor, " n"]:
        """The value at lag zero, for a square operator."""
        zero = tuple(m - 1 for m in self.col_shape)
        return self.table[zero].to(self.dtype).expand(self.shape[0]).clone()

    def affine(self, scale: float, shift: float) -> "ToeplitzOperator":
        """`scale K + shift` for a square operator `K`, at the price of `K`."""
        table = scale * self.table.double()
        table[tuple(m - 1 for m in self.col_shape)] += shift
        return ToeplitzOperator(table, self.row_shape, self.col_shape, dtype=self.dtype)

    def to(self, dtype: torch.dtype) -> "ToeplitzOperator":
        """The same table in another precision; its spectrum is computed in float64 again."""
        return ToeplitzOperator(self.table, self.row_shape, self.col_shape, dtype=dtype)


class CirculantOperator(AbstractOperator):
    """`K[i, j] = table[(i - j) mod p]` with multi-indices: diagonal under one FFT.

    Args:
        table: Kernel at every wrapped lag, `[p_1, ..., p_d]`; entry 0 is lag zero.
        dtype: Precision of the products.

    Example:
        >>> import torch
        >>> CirculantOperator(torch.tensor([2.0, 1.0, 0.0, 1.0])).dense()
        tensor([[2., 1., 0., 1.],
                [1., 2., 1., 0.],
                [0., 1., 2., 1.],
                [1., 0., 1., 2.]], dtype=torch.float64)
    """

    def __init__(self, table: Float[Tensor, "..."], *, dtype: torch.dtype = torch.float64) -> None:
        n = table.numel()
        self.grid_shape: tuple[int, ...] = tuple(table.shape)
        self.shape: tuple[int, int] = (n, n)
        self.dtype = dtype
        self.device: torch.device = table.device
        self.kind = "circulant"
        self.table = table
        self.spectrum: Tensor = torch.fft.rfftn(table.double()).to(_complex(dtype))

    def eigenvalues(self) -> Float[Tensor, "..."]:
        """Eigenvalues in the layout of `rfftn`: one a wave vector, real for a symmetric table."""
        return self.spectrum.real

    def rows(self, v: Float[Tensor, "c m"]) -> Float[Tensor, "c n"]:
        """The product: one FFT, one multiplication, one inverse FFT."""
        x = v.reshape(-1, *self.grid_shape)
        axes = list(range(1, x.ndim))
        out = torch.fft.irfftn(
            torch.fft.rfftn(x, dim=axes) * self.spectrum, self.grid_shape, dim=axes
        )
        return out.reshape(v.shape)

    def diagonal(self) -> Float[Tensor, " n"]:
        """The value at lag zero."""
        return self.table.flatten()[0].to(self.dtype).expand(self.shape[0]).clone()

    def to(self, dtype: torch.dtype) -> "CirculantOperator":
        """The same table in another precision."""
        return CirculantOperator(self.table, dtype=dtype)


def fast_length(n: int) -> int:
    """The least even number >= `n` with no prime factor above 5 (`n = 1` stays)."""
    if n == 1:
        return 1
    length = n + n % 2
    while True:
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 2


def _complex(dtype: torch.dtype) -> torch.dtype:
    return torch.complex64 if dtype == torch.float32 else torch.complex128


def _spectrum(table: Tensor, cols: tuple[int, ...], padded: tuple[int, ...]) -> Tensor:
    """`rfftn` of the circulant embedding, in double precision."""
    wrapped = table.new_zeros(padded, dtype=torch.float64)
    wrapped[tuple(slice(n) for n in table.shape)] = table
    return torch.fft.rfftn(wrapped.roll([1 - m for m in cols], list(range(len(cols)))))
