"""Conjugate gradients for one matrix with many ridges at the price of one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["ShiftedSolutions", "multi_shift_cg"]


@dataclass(frozen=True, eq=False)
class ShiftedSolutions:
    """Solutions of `(K + ridge I) x = b` for several ridges.

    Attributes:
        values: `[s, c, n]`.
        residuals: `[s]`, relative, the largest over the right-hand sides, as the recurrence carries it.
        iterations: Products with `K`.

    Example:
        >>> import torch
        >>> from ntkit.solvers import multi_shift_cg
        >>> found = multi_shift_cg(lambda v: v, torch.ones(1, 2).double(), [1.0, 3.0])
        >>> found.values[:, 0, 0].tolist()
        [0.5, 0.25]
    """

    values: Float[Tensor, "s c n"]
    residuals: Float[Tensor, " s"]
    iterations: int


def multi_shift_cg(
    product: Callable[[Tensor], Tensor],
    b: Float[Tensor, "c n"],
    ridges: Sequence[float],
    *,
    tolerance: float = 1e-8,
    max_iterations: int = 1000,
    on_step: Callable[[], None] | None = None,
) -> ShiftedSolutions:
    """Solve `(K + ridge I) x = b` for every ridge in one run: the Krylov spaces are the same.

    Each right-hand side has its own steps. A ridge that has converged is left as it is: its factors go on to fall, and
    would underflow.

    Args:
        product: With the symmetric positive semi-definite `K`, on rows.
        b: Right-hand sides as rows.
        ridges: Not below zero.
        tolerance: Relative residual to reach at each ridge.
        max_iterations: Products allowed.
        on_step: Called once an iteration.

    Cost: one product an iteration, and `3 s c n` multiply-adds for `s` ridges; `2 s` vectors of memory a right-hand side.

    Source: Frommer 2003, Computing 70, algorithm 2 (after Jegerlehner 1996).

    Example:
        >>> K = torch.diag(torch.tensor([1.0, 2.0, 4.0]).double())
        >>> found = multi_shift_cg(lambda v: v @ K, torch.ones(1, 3).double(), [0.0, 1.0])
        >>> found.values[:, 0]
        tensor([[1.0000, 0.5000, 0.2500],
                [0.5000, 0.3333, 0.2000]], dtype=torch.float64)
    """
    base = min(ridges)
    extra = torch.tensor([r - base for r in ridges], dtype=b.dtype, device=b.device)[:, None]
    size = b.norm(dim=1).clamp_min(torch.finfo(b.dtype).tiny)
    x = b.new_zeros(len(ridges), *b.shape)
    r, p = b.clone(), b.clone()
    shifted = b.expand_as(x).clone()  # the search direction of each ridge
    rr = (r * r).sum(1)
    zeta, zeta_before = torch.ones_like(extra * rr), torch.ones_like(extra * rr)
    alpha_before, beta = torch.ones_like(rr), torch.zeros_like(rr)
    residual = (rr.sqrt() / size).expand_as(zeta)
    going = torch.ones_like(zeta, dtype=torch.bool)
    iterations = 0
    while iterations < max_iterations and bool(going.any()):
        image = product(p) + base * p
        curvature = (p * image).sum(1)
        alpha = torch.where(curvature > 0, rr / curvature, 0.0)
        iterations += 1
        below = alpha * beta * (zeta_before - zeta) + zeta_before * alpha_before * (
            1 + extra * alpha
        )
        following = torch.where(going, zeta * zeta_before * alpha_before / below, zeta)
        step = torch.where(going, alpha * following / zeta, 0.0)
        x += step[..., None] * shifted
        r = r - alpha[:, None] * image
        after = (r * r).sum(1)
        beta = torch.where(rr > 0, after / rr, 0.0)
        p = r + beta[:, None] * p
        turn = torch.where(going, beta * (following / zeta) ** 2, 0.0)
        moved = following[..., None] * r + turn[..., None] * shifted
        shifted = torch.where(going[..., None], moved, shifted)
        zeta_before, zeta = torch.where(going, zeta, zeta_before), following
        alpha_before, rr = alpha, after
        residual = torch.where(going, zeta.abs() * rr.sqrt() / size, residual)
        going = going & (residual > tolerance) & (alpha > 0)
        if on_step:
            on_step()
    return ShiftedSolutions(x, residual.amax(1), iterations)
