"""What a way to solve a linear system is asked, and by whom."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor

from ntkit.operators.base import AbstractOperator
from ntkit.solvers.solution import Solution

__all__ = ["AbstractMethod"]


class AbstractMethod(ABC):
    """A way to solve `(K + ridge I) x = b`: an object with its options, which owns its code.

    `ntkit.solvers.solve` asks it. That checks the arguments, scales the right-hand sides to a largest entry near
    one, rounds what comes back to their dtype, warns where the tolerance is missed, and makes the gradients.

    Example:
        >>> import torch
        >>> from ntkit.solvers import AbstractMethod, Solution, solve

        >>> class ByInverse(AbstractMethod):
        ...     def solve(self, operator, rhs, *, ridge, tolerance, progress):
        ...         shifted = operator.dense() + ridge * torch.eye(len(operator.dense()))
        ...         x = rhs @ torch.linalg.inv(shifted)
        ...         rest = float((rhs - x @ shifted).norm() / rhs.norm())
        ...         return Solution(x, rest <= tolerance, rest, 0, "inverse", "a matter of taste")

        >>> found = solve(2 * torch.eye(3), torch.ones(3), method=ByInverse())
        >>> found.x, found.method
        (tensor([0.5000, 0.5000, 0.5000]), 'inverse')
    """

    @abstractmethod
    def solve(
        self,
        operator: AbstractOperator,
        rhs: Float[Tensor, "c n"],
        *,
        ridge: float,
        tolerance: float,
        progress: bool | None,
    ) -> Solution:
        """`x` as rows, in the operator's dtype, and what was measured of it there.

        Args:
            operator: Symmetric positive semi-definite, `[n, n]`.
            rhs: Right-hand sides as rows, in the operator's dtype.
            ridge: 0 or more.
            tolerance: Largest relative residual of a row to reach; missing it is no error.
            progress: Whether to show a bar; None leaves it to the method.
        """
