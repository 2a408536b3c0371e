"""Training with inertia in continuous time, predicted from the kernel alone."""

from dataclasses import dataclass
from math import ceil, isinf, log, pi, sqrt
from typing import Unpack

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import positive
from ntkit.dynamics.stopping import SETTLED, Ripple
from ntkit.dynamics.training import AbstractTraining, OptimiserFactory, TrainingOptions
from ntkit.grids import Grid
from ntkit.kernels.base import AbstractKernel
from ntkit.solvers.response import AbstractResponse, FlowResponse, Limit, phi

__all__ = ["HeavyBallFlow", "HeavyBallResponse"]


class HeavyBallFlow(AbstractTraining):
    """Predictions for `f'' + damping f' = -K (f - y)`, from rest: momentum in the limit of small steps.

    `Momentum(lr, beta)` after `k` steps tends to it at `t = sqrt(lr) k`, with
    `damping = (1 - beta) / sqrt(lr)`, as `lr` goes to zero. Each mode is a damped oscillator.

    Args:
        kernel: Any kernel; read once, so make a new object when it changes.
        points: Training points: a `Grid`, or a tensor `[n, ...]`.
        y: Targets: `[n]`, `[n, o]`, or in the shape of the grid.
        damping: Friction, above 0, per unit of time.
        **options: As for `ntkit.GradientFlow`.

    Source: Qian 1999, "On the momentum term in gradient descent learning algorithms"; `momentum=` of
    neural-tangents' `gradient_descent`.

    Example:
        >>> from ntkit.kernels import RBF
        >>> x, y = torch.rand(8, 2), torch.rand(8)
        >>> ball = HeavyBallFlow(RBF(0.5), x, y, damping=1.0)
        >>> ball.predict(x, [0.0, 1.0, float("inf")]).shape
        torch.Size([3, 8])
    """

    _in_steps = False

    def __init__(
        self,
        kernel: AbstractKernel,
        points: Grid | Tensor,
        y: Tensor,
        *,
        damping: float,
        **options: Unpack[TrainingOptions],
    ) -> None:
        self.damping: float = positive("damping", damping)
        super().__init__(kernel, points, y, options)

    def _response(self, moment: float) -> AbstractResponse:
        return Limit() if isinf(moment) else HeavyBallResponse(moment, self.damping)

    @property
    def _time_unit(self) -> float:
        return 1 / self.damping

    def _ripple(self) -> Ripple | None:
        half = self.damping / 2
        square = self.largest_eigenvalue - half**2
        if square <= 0:
            return None
        return Ripple(until=-log(SETTLED) / half, turn=pi / sqrt(square))

    def optimiser(self) -> OptimiserFactory | None:
        """None: a flow has no steps."""
        return None

    def moment(self, step: int, lr: float) -> float:
        """`sqrt(lr) * step`."""
        return sqrt(lr) * step


@dataclass(frozen=True)
class HeavyBallResponse(AbstractResponse):
    """A damped oscillator of stiffness `s` released at 1: `x'' + damping x' + s x = 0`.

    With `w = sqrt(damping^2 / 4 - s)` and the slow rate `m = s / (damping / 2 + w)`,
    `x = e^{-mt} (1 + m phi_t(2w))`; sines and cosines where `w` is imaginary.

    Attributes:
        t: A finite time.
        damping: Friction.
    """

    t: float
    damping: float

    def left(self, s: Float[Tensor, "*k"]) -> Float[Tensor, "*k"]:
        """`x(t)`."""
        half, w = self.damping / 2, self._frequency(s)
        m = s / (half + w)
        over = torch.exp(-self.t * m) * (1 + m * phi(2 * w, self.t))
        return torch.where(s > half**2, self._oscillation(s), over)

    def learned(self, s: Float[Tensor, "*k"]) -> Float[Tensor, "*k"]:
        """`(1 - x(t)) / s`."""
        half, w = self.damping / 2, self._frequency(s)
        m = s / (half + w)
        over = (phi(m, self.t) - torch.exp(-self.t * m) * phi(2 * w, self.t)) / (half + w)
        safe = s.clamp_min(half**2)
        return torch.where(s > half**2, (1 - self._oscillation(safe)) / safe, over)

    def degree(self, upper: float, tolerance: float) -> int:
        """An overdamped mode is a flow, an oscillating one turns `t sqrt(upper)` times."""
        slow = FlowResponse(2 * self.t / self.damping).degree(upper, tolerance)
        swings = min(self.t, 4 * log(4 / tolerance) / self.damping)  # then they have settled
        return slow + 2 * ceil(swings * sqrt(upper)) + 16

    def _frequency(self, s: Tensor) -> Tensor:
        return _root(self.damping**2 / 4 - s)

    def _oscillation(self, s: Tensor) -> Tensor:
        half = self.damping / 2
        angle = self.t * _root(s - half**2)
        turned = torch.cos(angle) + half * self.t * _sinc(angle)
        return torch.exp(torch.tensor(-half * self.t, dtype=s.dtype)) * turned


def _root(x: Tensor) -> Tensor:
    """The square root of what is positive, else 0; at 0 itself it has no derivative, which is NaN."""
    positive = x >= 0
    return torch.where(positive, torch.where(positive, x, 1).sqrt(), 0)


def _sinc(angle: Tensor) -> Tensor:
    """`sin(a) / a`; torch's own loses the digits of its derivative near 0."""
    near = angle < 0.3
    square, series = torch.where(near, angle, 0) ** 2, torch.ones_like(angle)
    for k in range(6, 0, -1):
        series = 1 - series * square / (2 * k * (2 * k + 1))
    return torch.where(near, series, torch.sin(angle) / torch.where(near, 1, angle))
