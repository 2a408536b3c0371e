"""Training with momentum, predicted from the kernel alone, exactly."""

from functools import partial
from typing import Unpack

import torch
from torch import Tensor

from ntkit._core.checks import non_negative
from ntkit.dynamics.descent import AbstractDescent
from ntkit.dynamics.stopping import Ripple
from ntkit.dynamics.training import OptimiserFactory, TrainingOptions
from ntkit.dynamics.two_step import TwoStepResponse, two_step_ripple
from ntkit.grids import Grid
from ntkit.kernels.base import AbstractKernel
from ntkit.solvers.response import AbstractResponse

__all__ = ["Momentum", "Nesterov"]


class _WithMomentum(AbstractDescent):
    """What both forms of momentum share."""

    _is_nesterov: bool

    def __init__(
        self,
        kernel: AbstractKernel,
        points: Grid | Tensor,
        y: Tensor,
        *,
        lr: float,
        beta: float,
        **options: Unpack[TrainingOptions],
    ) -> None:
        self.beta: float = _below_one(beta)
        reach = 2 * (1 + self.beta)
        if self._is_nesterov:
            reach /= 1 + 2 * self.beta
        super().__init__(kernel, points, y, options, lr=lr, reach=reach)

    def _after(self, steps: int) -> AbstractResponse:
        return TwoStepResponse(self.lr, self.beta, steps, nesterov=self._is_nesterov)

    @property
    def _time_unit(self) -> float:
        return self.lr / (1 - self.beta)

    def _ripple(self) -> Ripple | None:
        return two_step_ripple(
            self.lr * self.largest_eigenvalue, self.beta, nesterov=self._is_nesterov
        )

    def optimiser(self) -> OptimiserFactory | None:
        """`torch.optim.SGD` with the options of the rule."""
        return partial(torch.optim.SGD, lr=self.lr, momentum=self.beta, nesterov=self._is_nesterov)


class Momentum(_WithMomentum):
    """Predictions for `torch.optim.SGD(lr=lr, momentum=beta)` on the loss `1/2 * sum (f - y)^2`.

    `v <- beta v + gradient`, `parameters <- parameters - lr v`, `v = 0` at the start (and
    `dampening=0`). In each mode of the kernel this is a linear recurrence of two steps, whose
    powers are evaluated in closed form: any number of steps at once.

    Args:
        kernel: Any kernel; read once, so make a new object when it changes.
        points: Training points: a `Grid`, or a tensor `[n, ...]`.
        y: Targets: `[n]`, `[n, o]`, or in the shape of the grid.
        lr: Learning rate; a warning says so where it exceeds `stability_limit`, which is
            `2 (1 + beta) / largest eigenvalue`.
        beta: Momentum, at least 0 and below 1.
        **options: As for `ntkit.GradientFlow`.

    Source: Polyak 1964; the conventions of `torch.optim.SGD`.

    Example:
        >>> from ntkit.kernels import RBF
        >>> x, y = torch.rand(8, 2), torch.rand(8)
        >>> plain, heavy = (Momentum(RBF(0.5), x, y, lr=0.01, beta=b) for b in (0.0, 0.9))
        >>> bool(heavy.loss([50]) < plain.loss([50]))
        True
    """

    _is_nesterov = False


class Nesterov(_WithMomentum):
    """Predictions for `torch.optim.SGD(lr=lr, momentum=beta, nesterov=True)`.

    `v <- beta v + gradient`, `parameters <- parameters - lr (gradient + beta v)`, `v = 0` at the
    start, on the loss `1/2 * sum (f - y)^2`; otherwise as `Momentum`.

    Args:
        kernel: Any kernel; read once, so make a new object when it changes.
        points: Training points: a `Grid`, or a tensor `[n, ...]`.
        y: Targets: `[n]`, `[n, o]`, or in the shape of the grid.
        lr: Learning rate; a warning says so where it exceeds `stability_limit`, which is
            `(2 + 2 beta) / (1 + 2 beta) / largest eigenvalue`.
        beta: Momentum, at least 0 and below 1.
        **options: As for `ntkit.GradientFlow`.

    Source: Nesterov 1983; Sutskever et al. 2013, section 2, in the form of `torch.optim.SGD`.

    Example:
        >>> from ntkit.kernels import RBF
        >>> x, y = torch.rand(8, 2), torch.rand(8)
        >>> Nesterov(RBF(0.5), x, y, lr=0.01, beta=0.9).predict(x, [0, 10, 100]).shape
        torch.Size([3, 8])
    """

    _is_nesterov = True


def _below_one(beta: float) -> float:
    """`beta`, refused unless at least 0 and below 1.

    Raises:
        ValueError: It is refused.
    """
    found = non_negative("beta", beta)
    if found >= 1:
        raise ValueError(f"`beta={beta!r}` must be below 1, or the momentum never forgets.")
    return found
