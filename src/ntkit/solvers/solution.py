"""What a linear solver found, how, and how far it can be trusted."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

__all__ = ["Solution"]


@dataclass(frozen=True)
class Solution:
    """`x` with `(K + ridge I) x = b`, and the residual that it leaves.

    Attributes:
        x: In the layout of the right-hand sides.
        converged: Whether every relative residual reached the tolerance.
        residual: The largest relative residual, `|b - (K + ridge I) x| / |b|`, of one more product at
            the end: it is measured, not carried along.
        iterations: Iterations of an iterative method, passes of block descent; 0 for a direct one.
        method: What was used: "cholesky", "cg", "cg" and its preconditioner, "block descent", or "inducing points".
        why: Why that, and what it was: ranks, precision, jitter.

    Example:
        >>> import ntkit, torch
        >>> K = ntkit.operators.DenseOperator(torch.eye(2).double())
        >>> found = ntkit.solvers.solve(K, torch.ones(2).double(), ridge=1.0)
        >>> found.method, found.converged
        ('cholesky', True)
    """

    x: Float[Tensor, "..."]
    converged: bool
    residual: float
    iterations: int
    method: str
    why: str
