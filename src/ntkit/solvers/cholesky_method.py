"""Linear systems by the dense factor."""

from dataclasses import dataclass

from torch import Tensor

from ntkit.operators.base import AbstractOperator
from ntkit.operators.dense import DenseOperator
from ntkit.solvers.cholesky import cholesky
from ntkit.solvers.method import AbstractMethod
from ntkit.solvers.residual import residual_of
from ntkit.solvers.solution import Solution

__all__ = ["Cholesky"]


@dataclass(frozen=True)
class Cholesky(AbstractMethod):
    """The dense factor, with as little jitter as it needs; `n^3 / 3` multiply-adds, `2 n^2` numbers.

    Example:
        >>> import torch
        >>> import ntkit
        >>> K = ntkit.operators.DenseOperator(2 * torch.eye(3).double())
        >>> ntkit.solvers.solve(K, torch.ones(3).double(), method=Cholesky()).method
        'cholesky'
    """

    def solve(
        self,
        operator: AbstractOperator,
        rhs: Tensor,
        *,
        ridge: float,
        tolerance: float,
        progress: bool | None,
    ) -> Solution:
        """Two triangular solves, refined where a jitter was added and the right-hand side allows it."""
        matrix = operator.dense()
        if ridge:
            if isinstance(operator, DenseOperator):  # its own matrix, not one made just now
                matrix = matrix.clone()
            matrix.diagonal().add_(ridge)
        factor = cholesky(matrix)
        del matrix
        x = factor.solve(rhs.T).T
        # A jitter is refined away where the right-hand side allows it: a product and two solves each.
        rest, residual = residual_of(operator, rhs, x, ridge)
        while residual > tolerance:
            closer = x + factor.solve(rest.T).T
            rest, reached = residual_of(operator, rhs, closer, ridge)
            if not reached < residual / 2:
                break
            x, residual = closer, reached
        words = f"jitter {factor.jitter:.1e}" if factor.jitter else "no jitter"
        return Solution(x, residual <= tolerance, residual, 0, "cholesky", words)
