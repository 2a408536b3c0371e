"""From a kernel on points, or an operator, to its spectrum, by the method that suits it."""

import warnings
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ntkit._core.checks import positive, positive_int
from ntkit._core.errors import NumericalError
from ntkit.grids import Grid
from ntkit.kernels.base import AbstractKernel, points_of
from ntkit.kernels.gram import DENSE_BYTES, gram
from ntkit.operators.base import AbstractOperator
from ntkit.operators.low_rank import LowRankOperator
from ntkit.operators.toeplitz import CirculantOperator
from ntkit.solvers.block_lanczos import block_lanczos
from ntkit.spectra.bases import AbstractBasis, FourierBasis, StoredBasis
from ntkit.spectra.spectrum import Spectrum

__all__ = ["Method", "spectrum"]

Method = Literal["auto", "dense", "low-rank", "top-k", "grid"]

_QUICK, _DENSE = 3000, 6e-10
"""Eigenvalues from which a dense decomposition is announced (17 s), and its seconds over `n^3`: 43 s of
4,096 on two cores."""

_FEW = 0.1
"""Up to this share of the eigenvalues, "auto" takes products instead of the whole matrix."""


@dataclass(frozen=True)
class _Found:
    values: Tensor
    residuals: Tensor
    basis: AbstractBasis
    converged: bool = True
    products: int = 0


def spectrum(
    kernel: AbstractKernel | AbstractOperator,
    points: Grid | Tensor | None = None,
    *,
    k: int | None = None,
    method: Method = "auto",
    tolerance: float = 1e-9,
) -> Spectrum:
    """The eigenvalues of a kernel on points, and how fast each mode of a target is learned.

    Args:
        kernel: A kernel, with `points`; or a symmetric operator, as `ntkit.gram` makes them.
        points: A `Grid`, or a tensor `[n, d]`.
        k: How many eigenvalues, the largest first; all by default.
        method: "grid" for circulant operators (a kernel of period 1 on a grid that spans it): one
            FFT, one mode a frequency. "low-rank" for low-rank operators: a decomposition of the
            small Gram matrix, all that is not zero. "top-k": block Lanczos, products with the
            operator alone. "dense": `eigh` of the whole matrix. "auto" takes the first that fits,
            "top-k" where `k` is at most a tenth of more than 1,000 points; `.method` says which, and a
            warning how long "dense" takes for more than 3,000.
        tolerance: For "top-k", the residual allowed over the largest eigenvalue.

    Raises:
        TypeError: Points are missing, or stand beside an operator.
        ValueError: The method does not fit, or all of too many eigenvalues are asked for.

    Cost: grid O(n log n); dense O(n^3) time and `8 n^2` bytes; top-k a few tens of products of a
    block of `k` vectors.

    Example:
        >>> from ntkit.kernels import RBF
        >>> x = torch.rand(2000, 2, generator=torch.Generator().manual_seed(0))
        >>> few = spectrum(RBF(0.5), x, k=20)
        >>> few.method, few.converged
        ('top-k', True)
        >>> float(few.eigenvalues.sum() / few.trace) > 0.999  # of the whole trace
        True
    """
    if isinstance(kernel, AbstractOperator):
        if points is not None:
            raise TypeError("`points` stand beside a kernel; an operator holds its own.")
        op, source = kernel, None
    elif points is None:
        raise TypeError("`points` are missing: a Grid, or a tensor [n, d].")
    else:
        structure = "circulant" if method == "grid" else "auto"
        op, source = gram(kernel, points, structure=structure), kernel
    n, m = op.shape
    if n != m:
        raise ValueError(f"`kernel` must be a square operator, got {op}.")
    k = None if k is None else positive_int("k", k)
    if k is not None and k > n:
        raise ValueError(f"`k={k}` exceeds the {n} eigenvalues.")
    if method == "auto":
        method = _choose(op, k)
        if method == "dense" and n > _QUICK:
            _say_cost(op, n)
    found = _decompose(op, k, method, positive("tolerance", tolerance))
    diagonal = (
        op.diagonal()
        if source is None or points is None
        else source.diag(points_of(source, points))
    )
    return Spectrum(
        eigenvalues=_non_negative(found.values, n),
        residuals=found.residuals,
        converged=found.converged,
        trace=float(diagonal.double().sum()),
        n_points=n,
        method=method,
        products=found.products,
        basis=found.basis,
        kernel=source,
        points=points.clone() if isinstance(points, Tensor) else points,
    )


def _say_cost(op: AbstractOperator, n: int) -> None:
    """Warn of a dense decomposition that takes long where another way may do."""
    ways = [
        "the largest, `k=100`",
        "`ntkit.spectra.spectral_density(op)` for sums over all of them",
    ]
    if op.kind == "toeplitz":
        ways.append(
            "whole-cycle frequencies (`Gaussian(..., integer=True)`) on a grid of period 1, one FFT"
        )
    warnings.warn(
        f"All {n} eigenvalues of a {op.kind} operator are found densely: about {_DENSE * n**3:.0f} s on two "
        f"cores and {16 * n**2 / 2**20:.0f} MiB. Ask for {', or take '.join(ways)}, or insist with "
        '`method="dense"`.',
        stacklevel=3,
    )


def _choose(op: AbstractOperator, k: int | None) -> Method:
    """What "auto" means.

    Raises:
        ValueError: Nothing fits.
    """
    n = op.shape[0]
    if isinstance(op, CirculantOperator):
        return "grid"
    if isinstance(op, LowRankOperator):
        return "low-rank"
    if k is not None and (8 * n**2 > DENSE_BYTES or (n > 1000 and k <= _FEW * n)):
        return "top-k"
    if 8 * n**2 > DENSE_BYTES:
        raise ValueError(
            f"All {n} eigenvalues need {8 * n**2 / 2**30:.1f} GiB and a time of O(n^3). Ask for the "
            "largest, `k=100`, or for `ntkit.spectra.spectral_density(...)`, or insist with "
            '`method="dense"`.'
        )
    return "dense"


def _decompose(op: AbstractOperator, k: int | None, method: Method, tolerance: float) -> _Found:
    """By the method that was chosen.

    Raises:
        ValueError: There is none of that name, or it needs `k`.
    """
    if method == "dense":
        values, vectors = torch.linalg.eigh(op.dense().double())
        return _cut(values, vectors, k)
    if method == "low-rank":
        return _low_rank(op, k)
    if method == "grid":
        return _grid(op, k)
    if method == "top-k":
        if k is None:
            raise ValueError('`method="top-k"` needs `k`, the number of eigenvalues wanted.')
        pairs = block_lanczos(op.to(torch.float64), count=k, tolerance=tolerance)
        basis = StoredBasis(pairs.vectors.T)
        return _Found(pairs.values, pairs.residuals, basis, pairs.converged, pairs.products)
    raise ValueError(f'`method={method!r}` must be "auto", "dense", "low-rank", "top-k" or "grid".')


def _low_rank(op: AbstractOperator, k: int | None) -> _Found:
    """The left singular vectors of the factor: `left = U S V^T`, so `K = U S^2 U^T`.

    Raises:
        ValueError: The operator is another.
    """
    if not isinstance(op, LowRankOperator) or op.right is not op.left:
        raise ValueError(f'`method="low-rank"` needs a symmetric low-rank operator, got {op}.')
    vectors, singular, _ = torch.linalg.svd(op.left.double(), full_matrices=False)
    return _cut(singular.flip(0) ** 2, vectors.flip(1), k)


def _grid(op: AbstractOperator, k: int | None) -> _Found:
    """The Fourier transform of the first column, one eigenvalue a wave vector.

    Raises:
        ValueError: The operator is another.
    """
    if not isinstance(op, CirculantOperator):
        raise ValueError(f'`method="grid"` needs a circulant operator, got {op}.')
    table = torch.fft.fftn(op.table.double()).real.flatten()
    values, order = table.sort(descending=True, stable=True)
    values, order = values[:k], order[:k]
    rounding = torch.finfo(torch.float64).eps * table.abs().max()
    return _Found(values, rounding.expand(len(values)), FourierBasis(op.grid_shape, order))


def _cut(values: Tensor, vectors: Tensor, k: int | None) -> _Found:
    """The last `k` of ascending eigenvalues, largest first; their residuals are rounding."""
    rounding = len(values) * torch.finfo(torch.float64).eps * values.abs().max()
    values, vectors = values.flip(0)[:k], vectors.flip(1)[:, :k]
    return _Found(values, rounding.expand(len(values)), StoredBasis(vectors))


def _non_negative(values: Tensor, n: int) -> Tensor:
    """Eigenvalues with zero for those that are rounding of one.

    Raises:
        NumericalError: One is negative by more.
    """
    largest = values.abs().max()
    floor = n * torch.finfo(torch.float64).eps * largest
    if bool(values.min() < -1e-7 * largest):  # what a matrix rounded to float32 may have
        raise NumericalError(
            f"The smallest eigenvalue is {float(values.min()):.3g} beside a largest of "
            f"{float(largest):.3g}: the operator is not positive semi-definite."
        )
    return torch.where(values > floor, values, 0.0)
