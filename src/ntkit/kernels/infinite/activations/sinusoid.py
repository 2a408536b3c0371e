"""Sines of any frequency and phase: SIREN, cosines, random-feature activations."""

from math import cos, factorial, pi, sin

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.closed_form import AbstractClosedForm
from ntkit.kernels.infinite.activations.pair import Pair, safe_sqrt

__all__ = ["Sinusoid", "waves"]


class Sinusoid(AbstractClosedForm):
    """`amplitude * sin(frequency * x + phase)`, frequency in radians per unit.

    With `S, C = (exp(-f^2 E[(u - v)^2] / 2) -+ exp(-f^2 E[(u + v)^2] / 2)) / 2`, the moments of sine
    and cosine: `E[s s] = cos^2(phase) S + sin^2(phase) C`, `E[s' s'] = f^2 (cos^2 C + sin^2 S)`.

    Source: Pearce et al. 2019 (arXiv:1905.06076), appendix; Rahimi and Recht 2007.
    """

    def __init__(self, frequency: float = 1.0, phase: float = 0.0, amplitude: float = 1.0) -> None:
        self.frequency = frequency
        self.phase = phase
        self.amplitude = amplitude
        self._sine, self._cosine = _shares(phase)
        self.is_odd: bool = self._cosine == 0
        self.is_even: bool = self._sine == 0

    def variance(self, var: Tensor) -> Tensor:
        """`amplitude^2 (1 - cos(2 phase) exp(-2 f^2 var)) / 2`."""
        lost = -torch.expm1(-2 * self.frequency**2 * var) / 2
        return self.amplitude**2 * (self._sine * lost + self._cosine * (1 - lost))

    def moments(self, pair: Pair, *, slope: bool) -> tuple[Tensor, Tensor | None]:
        """Without overflow at any length."""
        sine, cosine = waves(pair, self.frequency)
        cov = self.amplitude**2 * (self._sine * sine + self._cosine * cosine)
        if not slope:
            return cov, None
        factor = (self.amplitude * self.frequency) ** 2
        return cov, factor * (self._sine * cosine + self._cosine * sine)

    def fall(self, pair: Pair) -> Tensor:
        """`(1 - exp(-f^2 apart / 2)) / 2` times the sum, or difference, of what is left at angle 0."""
        square = self.frequency**2 / 2
        lost = -torch.expm1(-square * pair.apart) / 2
        spread = pair.spread
        near, far = torch.exp(-square * spread), torch.exp(-square * (spread + pair.together))
        between = -near * torch.expm1(-square * pair.together)
        return self.amplitude**2 * lost * (self._sine * (near + far) + self._cosine * between)

    def defect(self, var1: Tensor, var2: Tensor, over: Tensor) -> Tensor:
        """Every term of one sign, at any length.

        With `k = cos(2 phase)`, `d, s = f^2 (|u| -+ |v|)^2` and `w = f^2 (var1 - var2) = sqrt(d s)`,
        four times it is `(1 - e^-d)(1 - k^2 e^-s) - 4 k e^(-(d + s) / 2) sinh(w / 2)^2`; for positive
        `k` that is `4 k e^(-(d + s) / 2) (sinh(d / 2) sinh(s / 2) - sinh(w / 2)^2)` and
        `(1 - k) (1 - e^-d) (1 + k e^-s)`.
        """
        k, square = self._sine - self._cosine, self.frequency**2
        root1, root2 = safe_sqrt(var1), safe_sqrt(var2)
        both = root1 + root2
        d = square * ((var1 - var2) / torch.where(both > 0, both, 1)) ** 2
        s, w = square * both**2, square * (var1 - var2)
        lost = -torch.expm1(-d)
        if k > 0:
            mixed = _sinh_defect(d / 2, s / 2, 2 * square * root1 * root2)
            total = 4 * k * mixed + (1 - k) * lost * (1 + k * torch.exp(-s))
        else:
            shorter = torch.minimum(var1, var2)
            turn = torch.exp(-square * shorter) * torch.expm1(-w.abs())
            total = lost * ((1 - k**2) - k**2 * torch.expm1(-s)) - k * turn**2
        return self.amplitude**4 / 4 * total / over

    def value(self, x: Tensor) -> Tensor:
        """The function itself."""
        return self.amplitude * torch.sin(self.frequency * x + self.phase)


def waves(pair: Pair, frequency: float) -> tuple[Tensor, Tensor]:
    """`E[sin(f u) sin(f v)]` and `E[cos(f u) cos(f v)]`."""
    square = frequency**2 / 2
    near = pair.folded()
    peak = torch.exp(-square * near.gap) / 2
    ratio = -4 * square * near.cov  # the other exponent less this one
    sine = -peak * torch.expm1(ratio)
    return torch.where(pair.cov < 0, -sine, sine), peak * (1 + torch.exp(ratio))


def _sinh_defect(x: Tensor, y: Tensor, gap: Tensor) -> Tensor:
    """`e^-(x + y) (sinh x sinh y - sinh^2 sqrt(x y))` for `y = x + gap`.

    With `sinh x = sum_k c_k x^(2 k + 1)` it is `x y sum_(j < k) c_j c_k (x^j y^k - x^k y^j)^2`; where
    `y` is large, the difference itself does not cancel.
    """
    short = y < 2
    a, b = torch.where(short, x, 0), torch.where(short, y, 0)
    c = [1 / factorial(2 * k + 1) for k in range(12)]
    total = torch.zeros_like(x)
    for k in range(1, 12):
        # y^k - x^k = gap (y^(k - 1) + ... + x^(k - 1))
        for j in range(k):
            rest = sum((b**m * a ** (k - j - 1 - m) for m in range(k - j)), torch.zeros_like(x))
            total = total + c[j] * c[k] * ((a * b) ** j * gap * rest) ** 2
    series = torch.exp(-(a + b)) * a * b * total
    root = safe_sqrt(x * y)
    plain = torch.expm1(-2 * x) * torch.expm1(-2 * y) / 4
    plain = plain - torch.exp(2 * root - x - y) * torch.expm1(-2 * root) ** 2 / 4
    return torch.where(short, series, plain)


def _shares(phase: float) -> tuple[float, float]:
    """`cos^2` and `sin^2` of the phase, exact at quarter turns."""
    quarters = phase / (pi / 2)
    if quarters == round(quarters):
        return (1.0, 0.0) if round(quarters) % 2 == 0 else (0.0, 1.0)
    return cos(phase) ** 2, sin(phase) ** 2
