"""The top eigenpairs of a symmetric operator, many vectors a product."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import positive, positive_int
from ntkit.operators.base import AbstractOperator

__all__ = ["EigenPairs", "block_lanczos"]

_SPARE = 8
"""Vectors carried beyond those asked for: the gap behind them sets the speed."""


@dataclass(frozen=True)
class EigenPairs:
    """The largest eigenvalues with their vectors, and how far they can be trusted.

    Attributes:
        values: `[k]`, descending.
        vectors: `[k, n]`, orthonormal rows.
        residuals: `[k]`, `|K v - value v|`: an eigenvalue lies within that distance of each value.
        products: Products with the operator, of a whole block each.
        converged: Whether every residual is within the tolerance.

    Example:
        >>> import ntkit, torch
        >>> K = ntkit.operators.DenseOperator(torch.diag(torch.arange(1.0, 9.0).double()))
        >>> pairs = ntkit.solvers.block_lanczos(K, count=2)
        >>> [round(v) for v in pairs.values.tolist()]
        [8, 7]
    """

    values: Float[Tensor, " k"]
    vectors: Float[Tensor, "k n"]
    residuals: Float[Tensor, " k"]
    products: int
    converged: bool


def block_lanczos(
    op: AbstractOperator,
    *,
    count: int,
    tolerance: float = 1e-9,
    block: int | None = None,
    max_products: int = 200,
    generator: torch.Generator | None = None,
) -> EigenPairs:
    """The `count` largest eigenpairs of a symmetric operator, from products with blocks of vectors.

    A block finds eigenvalues that coincide (on a circle they come in pairs), which a single vector
    cannot, and a tiled operator computes its entries once for all vectors of a block. The Krylov
    basis is orthogonalised in full, and restarted with its best vectors when it is long.

    Args:
        op: Symmetric operator `[n, n]`.
        count: Eigenpairs wanted, at most `n`.
        tolerance: Largest residual allowed, over the largest eigenvalue.
        block: Vectors a product; as many as are wanted, from 8 to 64, by default. At least the
            multiplicity of any eigenvalue that is wanted.
        max_products: Products after which what was found is returned, `converged` or not.
        generator: Source of the first block; fixed if left out, so that results repeat.

    Raises:
        ValueError: `count` exceeds `n`.

    Cost: `products` products of `block` vectors; up to `5 count + 4 block` vectors of memory.

    Source: Golub and Underwood 1977 (block Lanczos); Wu and Simon 2000 (thick restart).

    Example:
        >>> from ntkit.operators import DenseOperator
        >>> op = DenseOperator(torch.diag(torch.tensor([3.0, 3.0, 2.0, 1.0]).double()))
        >>> block_lanczos(op, count=2).values.round(decimals=9)
        tensor([3., 3.], dtype=torch.float64)
    """
    n = op.shape[0]
    count, tolerance = positive_int("count", count), positive("tolerance", tolerance)
    if count > n:
        raise ValueError(f"`count={count}` exceeds the {n} eigenvalues of the operator.")
    width = min(n, block or min(64, max(_SPARE, count)))
    longest = min(n, max(5 * count, 64) + 3 * width)
    draw = generator or torch.Generator().manual_seed(0)  # the same on any device
    start = torch.randn(width, n, generator=draw, dtype=op.dtype, device=draw.device).to(op.device)
    basis, projected = start.new_zeros(0, n), start.new_zeros(0, 0)
    fresh, products = _orthonormal(start, basis), 0
    while True:
        image = op.rows(fresh)
        products += 1
        basis, projected = _extended(basis, projected, fresh, image)
        rest = image - (image @ basis.T) @ basis
        fresh = _orthonormal(rest, basis)[: n - len(basis)]
        values, rotation = torch.linalg.eigh(projected)
        values, rotation = values.flip(0), rotation.flip(1)
        # K Q = Q H + rest: what a Ritz vector leaves lies along the images of the last block.
        coupling = rest.T @ rotation[-len(image) :]
        residuals = coupling.norm(dim=0)
        bound = tolerance * values.abs().max()
        converged = len(values) >= count and bool((residuals[:count] <= bound).all())
        if converged or products >= max_products or len(fresh) == 0:
            break
        if len(basis) + len(fresh) > longest:
            keep = min(len(basis), count + max(_SPARE, (longest - count) // 3))
            basis = rotation[:, :keep].T @ basis
            projected = torch.diag(values[:keep])
    vectors, values = rotation[:, :count].T @ basis, values[:count]
    if op.dtype == torch.float32:  # what the recurrence carries along is far below its own rounding
        wide = (
            op.to(torch.float64).rows(vectors.double())
            - values.double()[:, None] * vectors.double()
        )
        residuals, products = wide.norm(dim=1), products + 1
    else:
        residuals = residuals[:count] + 8 * torch.finfo(op.dtype).eps * values.abs().max()
    converged = len(values) >= count and bool((residuals <= 1.01 * bound).all())
    return EigenPairs(values, vectors, residuals, products, converged)


def _extended(
    basis: Tensor, projected: Tensor, fresh: Tensor, image: Tensor
) -> tuple[Tensor, Tensor]:
    """The basis with a block more, and the operator in it."""
    across, corner = basis @ image.T, fresh @ image.T
    top = torch.cat([projected, across], 1)
    bottom = torch.cat([across.T, (corner + corner.T) / 2], 1)
    return torch.cat([basis, fresh]), torch.cat([top, bottom])


def _orthonormal(rows: Tensor, basis: Tensor) -> Tensor:
    """Orthonormal rows that span `rows` beside the basis; arbitrary ones where those vanish."""
    for _ in range(3):  # the second sweep repairs cancellation, the third what was arbitrary
        rows = rows - (rows @ basis.T) @ basis
        rows = torch.linalg.qr(rows.T).Q.T
    return rows
