"""Preconditioned conjugate gradients for several right-hand sides at once."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.operators.base import AbstractOperator
from ntkit.operators.toeplitz import CirculantOperator, ToeplitzOperator

__all__ = ["Solution", "chan_circulant", "chan_preconditioner", "conjugate_gradients"]


@dataclass(frozen=True)
class Solution:
    """What a linear solver found.

    Attributes:
        value: `[c, n]`, the solutions as rows.
        converged: Whether every relative residual reached the tolerance.
        iterations: Products used.
        residual: The largest relative residual, `|b - K x| / |b|`.
    """

    value: Float[Tensor, "c n"]
    converged: bool
    iterations: int
    residual: float


def conjugate_gradients(
    op: AbstractOperator,
    b: Float[Tensor, "c n"],
    *,
    tolerance: float,
    max_iterations: int,
    preconditioner: Callable[[Tensor], Tensor] | None = None,
    on_step: Callable[[], None] | None = None,
) -> Solution:
    """Solve `K x = b` for each row of `b`, each with its own step lengths.

    Args:
        op: Symmetric positive semi-definite operator.
        b: Right-hand sides as rows.
        tolerance: Relative residual to reach.
        max_iterations: Products allowed; the best iterate so far is returned if they run out.
        preconditioner: `r -> M^-1 r` on rows, symmetric positive definite.
        on_step: Called once an iteration, for progress.

    Source: Golub and Van Loan, Matrix Computations, algorithm 11.5.1.
    """
    precondition = preconditioner or (lambda r: r)
    scale = b.norm(dim=1).clamp_min(torch.finfo(b.dtype).tiny)
    x, r = torch.zeros_like(b), b.clone()
    best, best_residual = x, 1.0
    z = precondition(r)
    p, rz = z, (r * z).sum(1)
    iteration = 0
    while iteration < max_iterations:
        kp = op.rows(p)
        curvature = (p * kp).sum(1)
        step = torch.where(curvature > 0, rz / curvature, torch.zeros_like(rz))[:, None]
        x = x + step * p
        r = r - step * kp
        iteration += 1
        residual = float((r.norm(dim=1) / scale).max())
        if on_step:
            on_step()
        if residual < best_residual:
            best, best_residual = x, residual
        if residual <= tolerance or not bool(torch.isfinite(step).all()):
            break
        z = precondition(r)
        following = (r * z).sum(1)
        p = z + (following / rz.clamp_min(torch.finfo(b.dtype).tiny))[:, None] * p
        rz = following
    true = float(((b - op.rows(best)).norm(dim=1) / scale).max())
    return Solution(best, true <= 2 * tolerance, iteration, true)


def chan_circulant(op: ToeplitzOperator) -> CirculantOperator:
    """The circulant matrix that is nearest to a symmetric Toeplitz operator (Frobenius norm).

    Each diagonal of the circulant is the mean of the two Toeplitz diagonals that wrap onto it,
    level by level. Its eigenvalues are the Rayleigh quotients of the Toeplitz matrix with Fourier
    modes, so that they are not negative if the matrix is positive semi-definite.

    Source: T. Chan 1988, "An optimal circulant preconditioner for Toeplitz systems", eq. 7.
    """
    table = op.table
    for axis, n in enumerate(op.row_shape):
        j = torch.arange(n, dtype=table.dtype, device=table.device)
        j = j.reshape([-1 if k == axis else 1 for k in range(table.ndim)])
        ahead = table.narrow(axis, n - 1, n)  # lags 0 .. n-1
        behind = torch.cat([ahead.narrow(axis, 0, 1), table.narrow(axis, 0, n - 1)], axis)
        table = ((n - j) * ahead + j * behind) / n
    return CirculantOperator(table, dtype=op.dtype)


def chan_preconditioner(op: ToeplitzOperator, shift: float = 0.0) -> Callable[[Tensor], Tensor]:
    """The inverse of `chan_circulant(op) + shift` on rows.

    Eigenvalues are kept above 1e-15 of the largest so that the inverse is bounded.
    """
    eigenvalues = chan_circulant(op).eigenvalues() + shift
    inverse = 1 / eigenvalues.clamp_min(float(eigenvalues.max()) * 1e-15)

    def apply(r: Tensor) -> Tensor:
        grid = r.reshape(-1, *op.row_shape)
        axes = list(range(1, grid.ndim))
        spectrum = torch.fft.rfftn(grid, dim=axes) * inverse
        return torch.fft.irfftn(spectrum, op.row_shape, dim=axes).reshape(r.shape)

    return apply
