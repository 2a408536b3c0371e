"""Powers of the positive part."""

from math import factorial, pi

import torch
from torch import Tensor

from ntkit._core.quadrature import legendre
from ntkit.kernels.infinite.activations.closed_form import AbstractClosedForm
from ntkit.kernels.infinite.activations.pair import Pair

__all__ = ["RectifiedMonomialActivation"]


class RectifiedMonomialActivation(AbstractClosedForm):
    """`max(0, x)^degree`; degree 0 is the step, whose slope is 0 as that of the sign.

    `E[s s] = (|u||v|)^k J_k(t) / (2 pi)`, `E[s' s'] = k^2 (|u||v|)^(k-1) J_(k-1)(t) / (2 pi)` with
    Cho and Saul's `J_k`, here as an integral of one sign over the angles where both are positive:

        J_k(t) = 2^k k! int sin^k(y) sin^k(pi - t - y) dy,  y from 0 to pi - t.

    It keeps every digit at `t = 0` and near `t = pi`, where `J_k` is of order `(pi - t)^(2k + 1)`.

    Source: Cho and Saul 2009, eqs. 3-6; the integral is theirs in polar coordinates.
    """

    keeps_rays = True
    kinks: tuple[float, ...] = (0.0,)

    def __init__(self, degree: int) -> None:
        self.degree = degree
        self.is_homogeneous: bool = degree == 1

    def variance(self, var: Tensor) -> Tensor:
        """`(2k - 1)!! var^k / 2`, and 0 at a zero vector."""
        k = self.degree
        double = factorial(2 * k) / (2**k * factorial(k))
        return double / 2 * var**k * (var > 0)

    def moments(self, pair: Pair, *, slope: bool) -> tuple[Tensor, Tensor | None]:
        """Gauss and Legendre's rule, exact to rounding: the integrand is a short Fourier sum."""
        k, norms = self.degree, pair.norms
        _, far = pair.angles()
        cov = norms**k * _arc_cosine(k, far) / (2 * pi) * (norms > 0)
        if not slope:
            return cov, None
        if k == 0:
            return cov, torch.zeros_like(cov)
        return cov, k**2 * norms ** (k - 1) * _arc_cosine(k - 1, far) / (2 * pi)

    def fall(self, pair: Pair) -> Tensor:
        """`J_k(0) - J_k(t) = k^2 int sin(y) J_(k-1)(y) dy` from 0 to `t`."""
        k, norms = self.degree, pair.norms
        near, _ = pair.angles()
        if k == 0:
            return near / (2 * pi) * (norms > 0)
        total = torch.zeros_like(near)
        nodes, weights = legendre(16 + k)
        for node, weight in zip(nodes.tolist(), weights.tolist(), strict=True):
            angle = near * ((1 + node) / 2)
            total = total + weight / 2 * angle.sin() * _arc_cosine(k - 1, pi - angle)
        return k**2 * norms**k * near * total / (2 * pi)

    def value(self, x: Tensor) -> Tensor:
        """The function itself."""
        return torch.where(x > 0, x, 0) ** self.degree if self.degree else (x > 0).to(x.dtype)


def _arc_cosine(k: int, far: Tensor) -> Tensor:
    """`J_k` at the angle `pi - far`."""
    if k == 0:
        return far
    total = torch.zeros_like(far)
    nodes, weights = legendre(16 + k)
    half = len(nodes) // 2 + len(nodes) % 2
    for node, weight in zip(nodes[:half].tolist(), weights[:half].tolist(), strict=True):
        share = weight / 2 * (2 if abs(node) > 1e-12 else 1)  # the integrand is symmetric
        one = (far * ((1 + node) / 2)).sin() * (far * ((1 - node) / 2)).sin()
        total = total + share * one**k
    return 2**k * factorial(k) * far * total
