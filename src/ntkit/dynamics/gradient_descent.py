"""Training by gradient descent in steps, predicted from the kernel alone, exactly."""

from dataclasses import dataclass
from functools import partial
from math import inf, log, sqrt
from typing import Unpack

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.dynamics.descent import AbstractDescent
from ntkit.dynamics.stopping import SETTLED, Ripple
from ntkit.dynamics.training import OptimiserFactory, TrainingOptions
from ntkit.grids import Grid
from ntkit.kernels.base import AbstractKernel
from ntkit.solvers.response import AbstractResponse, phi

__all__ = ["DescentResponse", "GradientDescent", "power", "power_sum"]


class GradientDescent(AbstractDescent):
    """Predictions of a network with a fixed kernel, trained by gradient descent on squares.

    A step multiplies the residual by `1 - lr K`, so that after `k` steps
    `f_k(x) = f_0(x) + K(x, X) K^-1 (1 - (1 - lr K)^k) (y - f_0(X))`: no limit of small steps. The
    learning rate is that of `torch.optim.SGD` on the loss `1/2 * sum (f - y)^2`; a mean over `n o`
    squares has `2 / (n o)` times its gradient.

    Args:
        kernel: Any kernel; read once, so make a new object when it changes.
        points: Training points: a `Grid`, or a tensor `[n, ...]`.
        y: Targets: `[n]`, `[n, o]`, or in the shape of the grid.
        lr: Learning rate; a warning says so where it exceeds `stability_limit`, which is
            `2 / largest eigenvalue`.
        **options: As for `ntkit.GradientFlow`.

    Source: Lee et al. 2019 (arXiv:1902.06720), section 2.2, before the limit of small steps.

    Example:
        >>> from ntkit.kernels import RBF
        >>> x, y = torch.rand(8, 2), torch.rand(8)
        >>> descent = GradientDescent(RBF(0.5), x, y, lr=0.1)
        >>> one_step = 0.1 * RBF(0.5)(x) @ y
        >>> torch.allclose(descent.predict(x, [1])[0], one_step, atol=1e-6)
        True
        >>> descent.lr < descent.stability_limit
        True
    """

    def __init__(
        self,
        kernel: AbstractKernel,
        points: Grid | Tensor,
        y: Tensor,
        *,
        lr: float,
        **options: Unpack[TrainingOptions],
    ) -> None:
        super().__init__(kernel, points, y, options, lr=lr, reach=2.0)

    def _after(self, steps: int) -> AbstractResponse:
        return DescentResponse(self.lr, steps)

    @property
    def _time_unit(self) -> float:
        return self.lr

    def _ripple(self) -> Ripple | None:
        factor = (
            self.lr * self.largest_eigenvalue - 1
        )  # a mode changes its sign at each step above 0
        if factor <= 0:
            return None
        return Ripple(until=log(SETTLED) / log(factor) if factor < 1 else inf, turn=1.0)

    def optimiser(self) -> OptimiserFactory | None:
        """`torch.optim.SGD` with the options of the rule."""
        return partial(torch.optim.SGD, lr=self.lr)


@dataclass(frozen=True)
class DescentResponse(AbstractResponse):
    """`G(s) = (1 - lr s)^k`.

    Attributes:
        lr: Learning rate.
        steps: `k`.
    """

    lr: float
    steps: int

    def left(self, s: Float[Tensor, "*k"]) -> Float[Tensor, "*k"]:
        """`(1 - lr s)^k`."""
        return power(self.lr * s, self.steps)

    def learned(self, s: Float[Tensor, "*k"]) -> Float[Tensor, "*k"]:
        """`(1 - (1 - lr s)^k) / s`, which is `lr k` at zero."""
        return self.lr * power_sum(self.lr * s, self.steps)

    def degree(self, upper: float, tolerance: float) -> int:
        """At most `k`, and about `sqrt(2 k log(1 / tolerance))` where the rule is stable.

        Source: Sachdeva and Vishnoi 2014, theorem 3.3 (powers by Chebyshev polynomials).
        """
        if self.lr * upper > 2:
            return self.steps + 1
        return min(self.steps + 1, int(sqrt(2 * self.steps * log(2 / tolerance))) + 8)


def power(x: Float[Tensor, "*k"], steps: int) -> Float[Tensor, "*k"]:
    """`(1 - x)^steps`, to rounding also for small `x` and many steps."""
    near = x < 0.5
    small = torch.exp(steps * torch.log1p(-torch.where(near, x, torch.zeros_like(x))))
    return torch.where(near, small, (1 - x) ** steps)


def power_sum(x: Float[Tensor, "*k"], steps: int) -> Float[Tensor, "*k"]:
    """`(1 - (1 - x)^steps) / x = sum_{j < steps} (1 - x)^j`; `steps` at zero."""
    near = x < 0.5
    inside = torch.where(near, x, torch.full_like(x, 0.25))
    rate = -torch.log1p(-inside)
    # By quotients whose derivatives keep their digits at zero: `phi`, and a series.
    small = phi(rate, float(steps)) * _log_quotient(inside, rate)
    outside = torch.where(near, torch.ones_like(x), x)
    return torch.where(near, small, (1 - (1 - outside) ** steps) / outside)


def _log_quotient(x: Tensor, rate: Tensor) -> Tensor:
    """`-log(1 - x) / x` for `x` below 0.5, `rate = -log(1 - x)`."""
    near = x.abs() < 0.03
    inside, series = torch.where(near, x, 0), torch.zeros_like(x)
    for k in range(10, 0, -1):
        series = series * inside + 1 / k
    return torch.where(near, series, rate / torch.where(near, 1, x))
