"""What a solution misses, measured by one product."""

import torch
from torch import Tensor

from ntkit._core.errors import NumericalError
from ntkit.operators.base import AbstractOperator

__all__ = ["largest_relative", "residual_of"]


def residual_of(
    operator: AbstractOperator, b: Tensor, x: Tensor, ridge: float
) -> tuple[Tensor, float]:
    """`b - (K + ridge I) x` as rows, and the largest relative norm."""
    rest = b - operator.rows(x) - ridge * x
    return rest, largest_relative(rest, b)


def largest_relative(rest: Tensor, b: Tensor) -> float:
    """The largest relative norm of a row.

    Raises:
        NumericalError: It is not finite.
    """
    scale = b.norm(dim=1).clamp_min(torch.finfo(b.dtype).tiny)
    largest = float((rest.norm(dim=1) / scale).max()) if len(b) else 0.0
    if not largest < float("inf"):
        raise NumericalError(
            "`solve`: the residual is not finite: the operator has entries that are NaN, infinite or "
            "too large to square. Look at `operator.diagonal()`."
        )
    return largest
