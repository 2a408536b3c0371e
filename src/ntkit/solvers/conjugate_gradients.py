"""Preconditioned conjugate gradients for several right-hand sides at once."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.operators.base import AbstractOperator
from ntkit.operators.toeplitz import CirculantOperator, ToeplitzOperator
from ntkit.solvers.solution import Solution

__all__ = [
    "Krylov",
    "chan_circulant",
    "chan_preconditioner",
    "conjugate_gradients",
    "iterate",
    "row_sizes",
]


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

    Example:
        >>> import ntkit
        >>> K = ntkit.operators.DenseOperator(torch.diag(torch.tensor([1.0, 4.0]).double()))
        >>> found = conjugate_gradients(K, torch.ones(1, 2).double(), tolerance=1e-10, max_iterations=5)
        >>> [round(v, 6) for v in found.x[0].tolist()], found.iterations
        ([1.0, 0.25], 2)
    """

    def step(_: float) -> None:
        if on_step:
            on_step()

    size = row_sizes(b)
    b = b / size
    x, rest, true, used = torch.zeros_like(b), b, inf, 0
    for _ in range(
        2
    ):  # the residual that is carried along drifts: what is left is solved for once more
        more, iterations = iterate(
            op.rows,
            rest,
            tolerance=tolerance if true == inf else tolerance / (2 * true),
            max_iterations=max_iterations - used,
            preconditioner=preconditioner,
            on_step=step,
        )
        closer, used = x + more, used + iterations
        closer_rest = b - op.rows(closer)
        reached = _largest(closer_rest, b)
        if not reached < true:
            break
        x, rest, true = closer, closer_rest, reached
        if true <= tolerance:
            break
    return Solution(size * x, true <= tolerance, true, used, "cg", "as asked")


def _largest(rest: Tensor, b: Tensor) -> float:
    """The largest norm of a row over that of the same row of `b`."""
    return float((rest.norm(dim=1) / b.norm(dim=1).clamp_min(torch.finfo(b.dtype).tiny)).max())


def row_sizes(rows: Float[Tensor, "c n"]) -> Float[Tensor, "c 1"]:
    """A power of two close to the largest entry of each row: norms of the rest are in range."""
    if not rows.numel():
        return rows.new_ones(len(rows), 1)
    exponent = torch.frexp(rows.abs().amax(1, keepdim=True)).exponent
    # Where the power itself would leave the range of the dtype, most of the way is enough.
    reach = 1000 if rows.dtype == torch.float64 else 120
    return torch.exp2(exponent.clamp(-reach, reach).to(rows.dtype))


@dataclass(frozen=True, eq=False)
class Krylov:
    """Conjugate gradients between two iterations: all that the next one needs.

    Attributes:
        x: Solution so far, as rows.
        r: Residual as the recurrence carries it.
        p: Direction of the next step.
        rz: Of each row, the residual times what the preconditioner makes of it.
        best: Of all iterates, that of the least residual.
        best_residual: Its largest relative residual.
        iteration: Products so far.
    """

    x: Float[Tensor, "c n"]
    r: Float[Tensor, "c n"]
    p: Float[Tensor, "c n"]
    rz: Float[Tensor, " c"]
    best: Float[Tensor, "c n"]
    best_residual: float
    iteration: int


def iterate(
    product: Callable[[Tensor], Tensor],
    b: Float[Tensor, "c n"],
    *,
    tolerance: float,
    max_iterations: int,
    preconditioner: Callable[[Tensor], Tensor] | None,
    on_step: Callable[[float], None],
    since: Krylov | None = None,
    keep: Callable[[Krylov], None] | None = None,
) -> tuple[Float[Tensor, "c n"], int]:
    """The iterate of the least residual as the recurrence carries it, and the products used.

    Args:
        product: With the matrix, on rows.
        b: Right-hand sides as rows.
        tolerance: Relative residual to reach.
        max_iterations: Products allowed.
        preconditioner: As in `conjugate_gradients`.
        on_step: Called once an iteration with the largest relative residual.
        since: Where an earlier run of the same system was left.
        keep: Called after each iteration with where it stands.
    """
    precondition = preconditioner or (lambda r: r)
    tiny = torch.finfo(b.dtype).tiny
    scale = b.norm(dim=1).clamp_min(tiny)
    at = since or _start(b, precondition, float((b.norm(dim=1) / scale).max()))
    x, r, p, rz, iteration = at.x, at.r, at.p, at.rz, at.iteration
    best, best_residual = at.best, at.best_residual
    while iteration < max_iterations and best_residual > tolerance:
        kp = product(p)
        curvature = (p * kp).sum(1)
        step = torch.where(curvature > 0, rz / curvature, torch.zeros_like(rz))[:, None]
        x = x + step * p
        r = r - step * kp
        iteration += 1
        residual = float((r.norm(dim=1) / scale).max())
        on_step(residual)
        if residual < best_residual:
            best, best_residual = x, residual
        if not bool(torch.isfinite(step).all()) or not bool((step != 0).any()):
            break  # nothing moves any more: the matrix is not positive definite on what is left
        z = precondition(r)
        following = (r * z).sum(1)
        p = z + (following / rz.clamp_min(tiny))[:, None] * p
        rz = following
        if keep:
            keep(Krylov(x, r, p, rz, best, best_residual, iteration))
    return best, iteration


def _start(b: Tensor, precondition: Callable[[Tensor], Tensor], residual: float) -> Krylov:
    """Before the first iteration, from zero."""
    x, z = torch.zeros_like(b), precondition(b)
    return Krylov(x, b.clone(), z, (b * z).sum(1), x, residual, 0)


def chan_circulant(op: ToeplitzOperator) -> CirculantOperator:
    """The circulant matrix that is nearest to a symmetric Toeplitz operator (Frobenius norm).

    Each diagonal of the circulant is the mean of the two Toeplitz diagonals that wrap onto it,
    level by level. Its eigenvalues are the Rayleigh quotients of the Toeplitz matrix with Fourier
    modes, so that they are not negative if the matrix is positive semi-definite.

    Source: T. Chan 1988, "An optimal circulant preconditioner for Toeplitz systems", eq. 7.

    Example:
        >>> import ntkit
        >>> K = ntkit.gram(ntkit.kernels.RBF(0.1), ntkit.Grid(8))
        >>> chan_circulant(K).shape
        (8, 8)
    """
    table = op.table
    for axis, n in enumerate(op.row_shape):
        j = torch.arange(n, dtype=table.dtype, device=table.device)
        j = j.reshape([-1 if k == axis else 1 for k in range(table.ndim)])
        ahead = table.narrow(axis, n - 1, n)  # lags 0 .. n-1
        behind = torch.cat([ahead.narrow(axis, 0, 1), table.narrow(axis, 0, n - 1)], axis)
        table = ((n - j) * ahead + j * behind) / n
    return CirculantOperator(table, dtype=op.dtype)


def chan_preconditioner(
    op: ToeplitzOperator | CirculantOperator, *, ridge: float = 0.0
) -> Callable[[Tensor], Tensor]:
    """The inverse of `chan_circulant(op) + ridge I` on rows; of a circulant operator, its own.

    Eigenvalues are kept above 1e-15 of the largest so that the inverse is bounded.

    Example:
        >>> import ntkit
        >>> K = ntkit.gram(ntkit.kernels.RBF(0.1), ntkit.Grid(8))
        >>> chan_preconditioner(K, ridge=1.0)(torch.ones(1, 8).double()).shape
        torch.Size([1, 8])
    """
    circulant = op if isinstance(op, CirculantOperator) else chan_circulant(op)
    shape = circulant.grid_shape
    eigenvalues = circulant.eigenvalues() + ridge
    inverse = 1 / eigenvalues.clamp_min(float(eigenvalues.max()) * 1e-15)

    def apply(r: Tensor) -> Tensor:
        grid = r.reshape(-1, *shape)
        axes = list(range(1, grid.ndim))
        spectrum = torch.fft.rfftn(grid, dim=axes) * inverse
        return torch.fft.irfftn(spectrum, shape, dim=axes).reshape(r.shape)

    return apply
