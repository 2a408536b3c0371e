"""Sines of any frequency and phase: SIREN, cosines, random-feature activations."""

from math import cos, pi, sin

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.closed_form import AbstractClosedForm
from ntkit.kernels.infinite.pair import Pair, safe_sqrt

__all__ = ["Sinusoid", "waves"]


class Sinusoid(AbstractClosedForm):
    """`amplitude * sin(frequency * x + phase)`, frequency in radians per unit.

    With `S, C = (exp(-f^2 E[(u - v)^2] / 2) -+ exp(-f^2 E[(u + v)^2] / 2)) / 2`, the moments of sine
    and cosine: `E[s s] = cos^2(phase) S + sin^2(phase) C`, `E[s' s'] = f^2 (cos^2 C + sin^2 S)`.

    Source: Pearce et al. 2019 (arXiv:1905.06076), appendix; Rahimi and Recht 2007.
    """

    def __init__(self, frequency: float = 1.0, phase: float = 0.0, amplitude: float = 1.0) -> None:
        self.frequency, self.phase, self.amplitude = frequency, phase, amplitude
        self._sine, self._cosine = _shares(phase)
        self.is_odd = self._cosine == 0

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
        spread = _spread(pair)
        near, far = torch.exp(-square * spread), torch.exp(-square * (spread + pair.together))
        between = -near * torch.expm1(-square * pair.together)
        return self.amplitude**2 * lost * (self._sine * (near + far) + self._cosine * between)

    def value(self, x: Tensor) -> Tensor:
        """The function itself."""
        return self.amplitude * torch.sin(self.frequency * x + self.phase)


def waves(pair: Pair, frequency: float) -> tuple[Tensor, Tensor]:
    """`E[sin(f u) sin(f v)]` and `E[cos(f u) cos(f v)]`."""
    square = frequency**2 / 2
    spread = _spread(pair)
    nearer = torch.minimum(pair.apart, pair.together) + spread
    peak = torch.exp(-square * nearer) / 2
    ratio = -4 * square * pair.cov.abs()  # the other exponent less this one
    return -peak * torch.expm1(ratio) * torch.sign(pair.cov), peak * (1 + torch.exp(ratio))


def _spread(pair: Pair) -> Tensor:
    """`(|u| - |v|)^2`, the difference taken where it is exact for near lengths."""
    both = safe_sqrt(pair.var1) + safe_sqrt(pair.var2)
    return ((pair.var1 - pair.var2) / torch.where(both > 0, both, 1)) ** 2


def _shares(phase: float) -> tuple[float, float]:
    """`cos^2` and `sin^2` of the phase, exact at quarter turns."""
    quarters = phase / (pi / 2)
    if quarters == round(quarters):
        return (1.0, 0.0) if round(quarters) % 2 == 0 else (0.0, 1.0)
    return cos(phase) ** 2, sin(phase) ** 2
