"""Approximate inverses of `K + ridge I` that cost far less than a product with `K`."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import positive_int, replace_fields
from ntkit.operators.base import AbstractOperator
from ntkit.operators.dense import DenseOperator
from ntkit.operators.low_rank import LowRankOperator
from ntkit.operators.tiled import TiledOperator
from ntkit.operators.toeplitz import CirculantOperator, ToeplitzOperator
from ntkit.solvers.cholesky import cholesky
from ntkit.solvers.conjugate_gradients import chan_preconditioner
from ntkit.solvers.pivoted_cholesky import pivoted_columns

__all__ = [
    "AbstractPreconditioner",
    "Circulant",
    "Inverse",
    "Nystrom",
    "PivotedCholesky",
    "low_rank_inverse",
]

Inverse = Callable[[Tensor], Tensor]

_CANCELS = 1e-12
"""Shift over the trace below which Woodbury's identity has fewer than four digits left."""

_ENTRIES = 2**22
"""Of a thin factor that are taken to float64 at a time."""


class AbstractPreconditioner(ABC):
    """How to make `r -> M^-1 r` on rows, for `M` close to `K + ridge I`.

    Attributes:
        name: As `solution.method` names it.

    Example:
        >>> import ntkit
        >>> [issubclass(kind, AbstractPreconditioner) for kind in (ntkit.solvers.Circulant, ntkit.solvers.PivotedCholesky)]
        [True, True]
    """

    name: ClassVar[str]

    @abstractmethod
    def build(self, op: AbstractOperator, ridge: float) -> tuple[Inverse, str]:
        """The inverse, and what it is in words."""


@dataclass(frozen=True)
class PivotedCholesky(AbstractPreconditioner):
    """`L L^T + shift I` from `rank` columns, drawn where the matrix is not yet explained.

    The shift is the ridge and the mean of the diagonal left out.

    Args:
        rank: Columns; the factor of a low-rank operator is taken as it is.

    Cost: `n rank` entries and `n rank^2` multiply-adds once, `n rank` numbers; `2 n rank` multiply-adds
    a right-hand side. Suits matrices whose entries are to hand: dense and tiled.

    Source: Diaz et al. 2023 (arXiv:2304.12465), algorithm 1; pivots as in `pivoted_cholesky`.

    Example:
        >>> PivotedCholesky(rank=200)
        PivotedCholesky(rank=200)
    """

    name: ClassVar[str] = "pivoted cholesky"
    rank: int

    def __post_init__(self) -> None:
        replace_fields(self, rank=positive_int("rank", self.rank))

    def build(self, op: AbstractOperator, ridge: float) -> tuple[Inverse, str]:
        """The inverse, and what it is in words."""
        if isinstance(op, LowRankOperator) and op.right is op.left:
            return low_rank_inverse(op.left, _above(ridge, op)), f"its own {op.rank} columns"
        left, _, error = pivoted_columns(
            op.diagonal(), _columns(op), tolerance=torch.finfo(op.dtype).eps, max_rank=self.rank
        )
        mean = float(op.diagonal().double().mean())
        inverse = low_rank_inverse(left, _above(ridge + error * mean, op))
        return inverse, f"{left.shape[1]} columns, which leave out {error:.1%} of the trace"


@dataclass(frozen=True)
class Nystrom(AbstractPreconditioner):
    """`U S U^T + shift I` from the products with `rank` random vectors, all at once.

    The shift is the ridge and the least of the eigenvalues found.

    Args:
        rank: Random vectors.

    Cost: one product with `rank` right-hand sides and `n rank^2` multiply-adds once, `n rank` numbers.
    Suits operators known by their products alone: matrix-free and grids.

    Source: Frangella, Tropp and Udell 2021 (arXiv:2110.02820), algorithm 2.1 and eq. 5.3.

    Example:
        >>> Nystrom(rank=50)
        Nystrom(rank=50)
    """

    name: ClassVar[str] = "nystrom"
    rank: int

    def __post_init__(self) -> None:
        replace_fields(self, rank=positive_int("rank", self.rank))

    def build(self, op: AbstractOperator, ridge: float) -> tuple[Inverse, str]:
        """The inverse, and what it is in words."""
        rank = min(self.rank, op.shape[0])
        draw = torch.Generator().manual_seed(0)  # the same operator, the same preconditioner
        test = torch.randn(op.shape[0], rank, generator=draw, dtype=torch.float64).to(op.device)
        test = torch.linalg.qr(test).Q
        sketch = op.rows(test.T.to(op.dtype)).T.double()
        if not bool(sketch.any()):
            return (lambda r: r), "nothing: the sketch is zero"
        # Lifted by a rounding of its own size, so that the small matrix has a Cholesky factor.
        lift = torch.finfo(op.dtype).eps * float(sketch.norm())
        sketch += lift * test
        core = test.T @ sketch
        lower = cholesky((core + core.T) / 2).lower
        half = torch.linalg.solve_triangular(lower, sketch.T, upper=False).T
        vectors, values, _ = torch.linalg.svd(half, full_matrices=False)
        values = (values**2 - lift).clamp_min(0)
        inverse = low_rank_inverse(vectors * values.sqrt(), _above(ridge + float(values[-1]), op))
        return inverse, f"a sketch of rank {rank}, least eigenvalue {float(values[-1]):.1e}"


@dataclass(frozen=True)
class Circulant(AbstractPreconditioner):
    """The nearest circulant matrix to a grid's; exact for a circulant operator. One FFT each way.

    Source: T. Chan 1988, as in `chan_circulant`.

    Example:
        >>> import ntkit, torch
        >>> K = ntkit.gram(ntkit.kernels.Matern(0.5, 0.1), ntkit.Grid(16))
        >>> method = ntkit.solvers.ConjugateGradients(Circulant())
        >>> ntkit.solvers.solve(K, torch.ones(16).double(), method=method).converged
        True
    """

    name: ClassVar[str] = "circulant"

    def build(self, op: AbstractOperator, ridge: float) -> tuple[Inverse, str]:
        """The inverse, and what it is in words.

        Raises:
            ValueError: The operator is not of a grid.
        """
        if not isinstance(op, ToeplitzOperator | CirculantOperator):
            raise ValueError(
                f"`Circulant()` needs the operator of a grid, got {op!r}. "
                "Use `PivotedCholesky(rank)` or `Nystrom(rank)`."
            )
        exact = isinstance(op, CirculantOperator)
        words = "its own inverse by FFT" if exact else "the nearest circulant matrix"
        return chan_preconditioner(op, ridge=ridge), words


def low_rank_inverse(left: Float[Tensor, "n r"], shift: float) -> Inverse:
    """`r -> (L L^T + shift I)^-1 r` on rows, by Woodbury's identity.

    `(r - L (shift I + L^T L)^-1 L^T r) / shift` in float64 whatever `L` is kept in: along the largest
    eigenvectors it is what two nearly equal numbers leave. Below a shift of `_CANCELS` of the largest
    eigenvalue nothing would be left, and eigenvectors are taken instead.
    """
    if not left.shape[1]:
        return lambda r: r / shift
    if shift <= _CANCELS * float(left.double().square().sum()):
        return _by_eigenvectors(left, shift)
    rows = max(1, _ENTRIES // max(1, left.shape[1]))
    small = torch.zeros(left.shape[1], left.shape[1], dtype=torch.float64, device=left.device)
    for part in left.split(rows):
        wide = part.double()
        small.addmm_(wide.T, wide)
    small.diagonal().add_(shift)
    factor = cholesky(small)

    def apply(r: Tensor) -> Tensor:
        whole = r.double()
        inside = torch.zeros(len(r), left.shape[1], dtype=torch.float64, device=left.device)
        for v, part in zip(whole.split(rows, 1), left.split(rows), strict=True):
            inside.addmm_(v, part.double())
        weights = factor.solve(inside.T).T
        out = torch.empty_like(whole)
        for v, part, into in zip(
            whole.split(rows, 1), left.split(rows), out.split(rows, 1), strict=True
        ):
            torch.addmm(v, weights, part.double().T, alpha=-1, out=into)
        return (out / shift).to(r.dtype)

    return apply


def _by_eigenvectors(left: Float[Tensor, "n r"], shift: float) -> Inverse:
    """The same inverse from the left singular vectors, in float64: `2 n r` numbers."""
    vectors, singular, _ = torch.linalg.svd(left.double(), full_matrices=False)
    inverse = 1 / (singular**2 + shift)
    is_whole = vectors.shape[1] == len(vectors)

    def apply(r: Tensor) -> Tensor:
        whole = r.double()
        inside = whole @ vectors
        found = (inside * inverse) @ vectors.T
        if not is_whole:
            # Twice, since what one projection leaves along the vectors would be divided by the shift.
            rest = whole - inside @ vectors.T
            rest -= (rest @ vectors) @ vectors.T
            found += rest / shift
        return found.to(r.dtype)

    return apply


def _above(shift: float, op: AbstractOperator) -> float:
    """The shift, or rounding of the largest entry where it is less: `M` must be invertible."""
    return max(shift, torch.finfo(op.dtype).eps * float(op.diagonal().max()))


def _columns(op: AbstractOperator) -> Callable[[Tensor], Tensor]:
    """`columns(index) -> [n, k]`; of an operator known by its products, by products."""
    if isinstance(op, DenseOperator):
        return lambda index: op.matrix[:, index]
    if isinstance(op, TiledOperator):
        return op.columns

    def by_products(index: Tensor) -> Tensor:
        unit = torch.zeros(len(index), op.shape[1], dtype=op.dtype, device=op.device)
        unit[torch.arange(len(index)), index] = 1
        return op.rows(unit).T

    return by_products
