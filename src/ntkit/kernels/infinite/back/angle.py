"""A whole network as one smooth function of the angle of its inputs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.kernels.infinite.moments.state import PairState

__all__ = ["AnglePolynomial", "AngleProfile", "fit", "fit_profile", "state_at_angle"]

_NODES = (48, 128)
"""Chebyshev nodes that a fit tries, in turn, until its last coefficients are small."""

_REACHES = (0.25, 0.35, 0.45, 0.6)
"""Largest cosines that polynomials of the cosine cover."""

_FEW = 0.05
"""Share of the entries that may be computed twice: by their cosine, and then by their angle."""

Function = Callable[[Float[Tensor, " k"]], Float[Tensor, "g k"]]


@dataclass(frozen=True)
class AnglePolynomial:
    """Polynomials on an interval, as functions of `y = (x - centre) / half`.

    Attributes:
        series: `[k, g]`, Chebyshev coefficients, the constant first.
        powers: The same polynomials in powers of `y`, the highest first, where no digit is lost by
            that: half the work.
        centre: Of the interval.
        half: Half of its length.
        error: Largest deviation from the function, relative to its largest value.
    """

    series: Float[Tensor, "k g"]
    powers: Float[Tensor, "k g"] | None
    centre: float
    half: float
    error: float

    def __call__(self, x: Float[Tensor, "..."], index: int = 0) -> Float[Tensor, "..."]:
        """The polynomial of that index at `x`; one or two passes over memory a power."""
        return self._sum(x, (slice(None), index))

    def all(self, x: Float[Tensor, "..."]) -> Float[Tensor, "g ..."]:
        """Every polynomial at `x`."""
        return self._sum(x, (slice(None), slice(None), *(None,) * x.ndim))

    def _sum(self, x: Tensor, of: tuple[slice | int | None, ...]) -> Tensor:
        """The polynomials with those coefficients."""
        y = (x - self.centre) / self.half if self.centre else x / self.half
        if self.powers is not None:
            values = self.powers[of].to(y)
            total = torch.addcmul(values[1], values[0], y)
            for value in values[2:]:
                total = torch.addcmul(value, total, y)
            return total
        values = self.series[of].to(y)
        twice, after = 2 * y, torch.zeros_like(values[-1])
        current = values[-1]
        for value in values[1:-1].flip(0):  # Clenshaw
            current, after = torch.addcmul(value - after, current, twice), current
        return torch.addcmul(values[0] - after, current, y)

    @property
    def coefficients(self) -> Float[Tensor, "k g"] | None:
        """In powers of `x - centre`, the highest first: `powers` without the division."""
        if self.powers is None:
            return None
        degrees = torch.arange(len(self.powers) - 1, -1, -1, dtype=self.powers.dtype)
        return self.powers / self.half ** degrees[:, None]


@dataclass(frozen=True)
class AngleProfile:
    """The kernel of unit vectors, as polynomials of their angle and of its cosine.

    Away from +-1 the cosine serves itself, which saves the arc cosine.

    Attributes:
        by_angle: On `[0, pi]`.
        by_cosine: On `[-reach, reach]`, for several reaches in rising order.
    """

    by_angle: AnglePolynomial
    by_cosine: tuple[AnglePolynomial, ...]

    def at_reach(self, largest: float) -> AnglePolynomial | None:
        """The polynomial of the cosine of least degree that holds up to `largest`, if there is one."""
        return next((p for p in self.by_cosine if p.half >= largest), None)

    def at_distances(self, share: Float[Tensor, " k"]) -> Float[Tensor, "g k"]:
        """Every function, for two vectors whose squared distance is that share of the largest, 4.

        By the shortest polynomial of the cosine that serves most; the others by their angle, which
        keeps its digits as the distance goes to zero.
        """
        cosine = 1 - 2 * share
        for polynomial in self.by_cosine:
            far = (cosine.abs() > polynomial.half).nonzero()[:, 0]
            if len(far) <= _FEW * len(share):
                return polynomial.all(cosine).index_copy(1, far, self._by_distance(share[far]))
        return self._by_distance(share)

    def _by_distance(self, share: Float[Tensor, " k"]) -> Float[Tensor, "g k"]:
        return self.by_angle.all(2 * share.clamp(0, 1).sqrt().asin())


def fit(function: Function, low: float, high: float, tolerance: float) -> AnglePolynomial:
    """Interpolate at Chebyshev's points, and leave out what is not needed.

    The error is measured between the points.

    Source: Trefethen, Approximation Theory and Practice, chapter 8 (analytic functions: geometric
    convergence); the kernels of smooth and of piecewise linear layers are analytic in the angle.
    """
    centre, half = (low + high) / 2, (high - low) / 2
    best = AnglePolynomial(torch.zeros(2, 1, dtype=torch.float64), None, centre, half, float("inf"))
    for count in _NODES:
        nodes = torch.pi * (torch.arange(count, dtype=torch.float64) + 0.5) / count
        values = function(centre + half * nodes.cos())
        basis = torch.cos(torch.arange(count, dtype=torch.float64)[:, None] * nodes)
        series = (basis @ values.T) * (2 / count)
        series[0] /= 2
        between = torch.linspace(low, high, 3 * count + 1, dtype=torch.float64)
        exact = function(between)
        series = _truncated(series, tolerance * exact.abs().amax(1) / 2)
        best = _checked(AnglePolynomial(series, None, centre, half, 0.0), between, exact)
        if best.error <= tolerance:
            quick = replace(best, powers=_powers(series).flip(0))
            quick = _checked(quick, between, exact)
            return quick if quick.error <= tolerance else best
    return best


def fit_profile(
    function: Function, tolerance: float, reaches: Sequence[float] = _REACHES
) -> AngleProfile:
    """Functions of the angle on `[0, pi]`, and of the cosine where a polynomial of it is as good.

    The caller reads off `by_angle.error` whether the tolerance is met.
    """
    angle = fit(function, 0.0, torch.pi, tolerance)
    if angle.error > tolerance:
        return AngleProfile(angle, ())
    cosines = [fit(lambda c: angle.all(c.acos()), -r, r, tolerance) for r in reaches]
    return AngleProfile(angle, tuple(c for c in cosines if c.error <= tolerance))


def _checked(polynomial: AnglePolynomial, x: Tensor, exact: Tensor) -> AnglePolynomial:
    """With its largest error at `x`."""
    difference = (polynomial.all(x) - exact).abs() / exact.abs().amax(1)[:, None]
    return replace(polynomial, error=float(difference.max()))


def _truncated(series: Tensor, allowed: Tensor) -> Tensor:
    """Without the last coefficients whose sum is allowed to be missing; at least three are kept."""
    tails = series.abs().flip(0).cumsum(0).flip(0)  # of this coefficient and all after it
    needed = int((tails > allowed).any(1).sum())
    return series[: max(3, needed)]


def state_at_angle(angle: Tensor, variance: float, *, with_ntk: bool) -> PairState:
    """Two inputs of equal variance at each angle."""
    apart = 4 * variance * (angle / 2).sin() ** 2
    together = 4 * variance * (angle / 2).cos() ** 2
    var = torch.full((), variance, dtype=torch.float64)
    ntk = torch.zeros((), dtype=torch.float64) if with_ntk else None
    return PairState((together - apart) / 4, ntk, var, var, apart, together)


def _powers(series: Tensor) -> Tensor:
    """Chebyshev coefficients `[k, g]` to those of powers."""
    size = len(series)
    previous, current = (
        torch.zeros(size, dtype=torch.float64),
        torch.zeros(size, dtype=torch.float64),
    )
    previous[0] = 1
    current[1] = 1
    table = [previous, current]
    for _ in range(2, size):
        following = 2 * current.roll(1) - previous
        previous, current = current, following
        table.append(current)
    return torch.stack(table[:size]).T @ series
