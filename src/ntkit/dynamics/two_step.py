"""Linear recurrences of two steps, in closed form: what momentum makes of each mode."""

from dataclasses import dataclass
from math import inf, log, sqrt

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.dynamics.gradient_descent import power, power_sum
from ntkit.dynamics.stopping import SETTLED, Ripple
from ntkit.solvers.chebyshev import flow_degree
from ntkit.solvers.response import AbstractResponse

__all__ = ["TwoStepResponse", "two_step_ripple"]


@dataclass(frozen=True)
class TwoStepResponse(AbstractResponse):
    """`e_{k+1} = trace e_k - det e_{k-1}` with `e_0 = 1`: momentum, heavy-ball or Nesterov's.

    With `a = lr s`: heavy ball has `trace = 1 + beta - a`, `det = beta`, `e_1 = 1 - a`; Nesterov's
    `trace = (1 + beta)(1 - a)`, `det = beta (1 - a)`, `e_1 = 1 - (1 + beta) a`. In both cases
    `1 - trace + det = a`, so a root `z` of the characteristic polynomial and the other one, `z'`,
    have `1 - z = a / (1 - z')`: the distance of the slow root from one is known without cancellation.
    With `U_j = (z^{j+1} - z'^{j+1}) / (z - z')`,

        e_k           = z^k + (e_1 - z) U_{k-1}
        (1 - e_k) / a = (1 - z^k) / a - ((1 - z) / a - c) U_{k-1},   e_1 = 1 - c a,

    where `U` has its limit at the double root, and complex roots make sines and cosines.

    Attributes:
        lr: Learning rate.
        beta: Momentum, from 0 to below 1.
        steps: `k`.
        nesterov: Which of the two.
    """

    lr: float
    beta: float
    steps: int
    nesterov: bool

    def left(self, s: Float[Tensor, "*k"]) -> Float[Tensor, "*k"]:
        """`e_k`."""
        return self._both(s)[0]

    def learned(self, s: Float[Tensor, "*k"]) -> Float[Tensor, "*k"]:
        """`(1 - e_k) / s`."""
        return self._both(s)[1]

    def degree(self, upper: float, tolerance: float) -> int:
        """A polynomial of degree `k`; where the rule is stable, about that of the flow it tends to.

        Modes that have not settled after many steps are slow ones, `exp(-k lr s / (1 - beta))`; those
        that swing decay within `1 / (1 - beta)` steps, of which enough are counted for the digits asked.
        """
        top = 2 * (1 + self.beta) / (1 + 2 * self.beta if self.nesterov else 1)
        if self.lr * upper > top:
            return self.steps + 1
        slow = flow_degree(self.lr * self.steps / (1 - self.beta) * upper / 2, tolerance)
        swinging = int(4 * log(4 / tolerance) / (1 - self.beta))
        return min(self.steps + 1, slow + swinging)

    def _both(self, s: Tensor) -> tuple[Tensor, Tensor]:
        if self.steps == 0:
            return torch.ones_like(s), torch.zeros_like(s)
        a, b = self.lr * s, self.beta
        c = 1 + b if self.nesterov else 1.0
        if self.nesterov:
            trace, det = (1 + b) * (1 - a), b * (1 - a)
            discriminant = (1 - a) * ((1 - b) ** 2 - a * (1 + b) ** 2)
        else:
            trace, det = 1 + b - a, torch.full_like(a, b)
            discriminant = (a - (1 - sqrt(b)) ** 2) * (a - (1 + sqrt(b)) ** 2)
        turning = discriminant < 0
        # Neither formula is evaluated where the other serves: gradients there would be NaN.
        real = _real_roots(
            torch.where(turning, 0, a),
            torch.where(turning, 1 + b, trace),
            torch.where(turning, b, det),
            torch.where(turning, (1 - b) ** 2, discriminant),
            c,
            self.steps,
        )
        safe = torch.where(turning, a, torch.ones_like(a))
        complex_ = _complex_roots(
            safe,
            torch.where(turning, trace, torch.zeros_like(a)),
            torch.where(turning, det, torch.ones_like(a)),
            torch.where(turning, -discriminant, torch.full_like(a, 4.0)),
            c,
            self.steps,
        )
        left, learned = (torch.where(turning, x, y) for x, y in zip(complex_, real, strict=True))
        return left, self.lr * learned


def two_step_ripple(largest: float, beta: float, *, nesterov: bool) -> Ripple | None:
    """How long the modes up to `largest = lr s` swing, and how fast; None where none does.

    From the roots of the recurrence on a grid of modes.
    """
    a = torch.linspace(0, largest, 400, dtype=torch.float64)[1:]
    trace = (1 + beta) * (1 - a) if nesterov else 1 + beta - a
    det = beta * (1 - a) if nesterov else torch.full_like(a, beta)
    turning = trace**2 < 4 * det
    root = (trace**2 - 4 * det).clamp_min(0).sqrt()
    negative = ((trace - root) / 2).clamp_max(0).abs()  # 0 where no root changes its sign
    size = torch.where(turning, det.clamp_min(0).sqrt(), negative)
    slowest = float(size.max())
    if slowest == 0:
        return None
    angle = torch.acos((trace[turning] / (2 * det[turning].sqrt())).clamp(-1, 1))
    turn = 1.0 if bool((negative[~turning] > 0).any()) else torch.pi / float(angle.max())
    return Ripple(until=log(SETTLED) / log(slowest) if slowest < 1 else inf, turn=turn)


def _real_roots(
    a: Tensor, trace: Tensor, det: Tensor, discriminant: Tensor, c: float, steps: int
) -> tuple[Tensor, Tensor]:
    are_real = discriminant >= 0  # a double root has no derivative by itself, which is NaN
    root = torch.where(are_real, torch.where(are_real, discriminant, 1).sqrt(), 0)
    sign = torch.where(trace < 0, -torch.ones_like(a), torch.ones_like(a))
    large = (trace + sign * root) / 2  # the root of larger size
    nonzero = torch.where(large == 0, 1, large)
    small = torch.where(large == 0, 0, det / nonzero)
    # 1 - large, and that over a: from the other root where `large` may be close to one.
    slow = trace >= 0
    other = torch.where(slow, 1 - small, 1)
    over_a = torch.where(slow, 1 / other, (1 - large) / torch.where(slow, 1, a))
    gap = torch.where(slow, a * over_a, 1 - large)
    # U_{k-1} = large^{k-1} (1 - q^k) / (1 - q), q = small / large
    apart = torch.where(large == 0, 0, sign * root / nonzero)  # 1 - q
    u = power(gap, steps - 1) * power_sum(apart, steps)
    left = power(gap, steps) + (gap - c * a) * u
    return left, over_a * power_sum(gap, steps) - (over_a - c) * u


def _complex_roots(
    a: Tensor, trace: Tensor, det: Tensor, minus_discriminant: Tensor, c: float, steps: int
) -> tuple[Tensor, Tensor]:
    rho = det.sqrt()
    theta = torch.atan2(minus_discriminant.sqrt(), trace)
    u = rho ** (steps - 1) * torch.sin(steps * theta) / torch.sin(theta)
    left = rho**steps * torch.cos(steps * theta) + (1 - c * a - trace / 2) * u
    return left, (1 - left) / a
