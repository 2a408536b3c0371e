"""`max(0, g + max(0, u))` of two independent Gaussian pairs: laws, and an integral over the plane."""

from math import pi

import pytest
import torch
from torch import Tensor, nn

from ntkit._core.quadrature import legendre
from ntkit.kernels.infinite.activations import duals
from ntkit.kernels.infinite.activations.pair import Pair
from ntkit.kernels.infinite.activations.residual import residual_moments, residual_variance
from ntkit.kernels.infinite.activations.shifted.base import ShiftedPairs
from ntkit.kernels.infinite.activations.shifted.choice import shifted
from tests.tolerances import assert_near

RELU = duals[nn.ReLU()](nn.ReLU())


def pair(cosine: float, sd1: float, sd2: float) -> Pair:
    """By the angle, whose digits are kept."""
    angle = torch.tensor(cosine, dtype=torch.float64).acos()
    return at_angle(angle, sd1, sd2)


def at_angle(angle: Tensor, sd1: float, sd2: float) -> Pair:
    norms, half = sd1 * sd2 * torch.ones_like(angle), angle / 2
    apart, together = 4 * norms * half.sin() ** 2, 4 * norms * half.cos() ** 2
    return Pair((together - apart) / 4, apart, together, norms * sd1 / sd2, norms * sd2 / sd1)


def by_plane(of_u: Pair, of_g: Pair) -> Tensor:
    """Over `u`, `u'` on 160 x 160 nodes, of the moments of ReLUs of `g + m`, by Owen's function."""
    x, w = legendre(80)
    x, w = torch.cat([(x - 1) * 4.5, (x + 1) * 4.5]), torch.cat([w, w]) * 4.5
    sd1, sd2 = of_u.var1.sqrt(), of_u.var2.sqrt()
    rho = of_u.cov / (sd1 * sd2)
    square = (x[:, None] ** 2 - 2 * rho * x[:, None] * x + x**2) / (1 - rho**2)
    weight = w[:, None] * w * torch.exp(-square / 2) / (2 * pi * (1 - rho**2).sqrt())
    tables = (of_g.cov, of_g.apart, of_g.together, of_g.var1, of_g.var2)
    whole = Pair(*(t.expand(len(x), len(x), 1) for t in tables))
    first, second = ((sd * x).clamp_min(0)[:, None, None] for sd in (sd1, sd2))
    how = shifted(RELU)
    assert how is not None
    found, _ = how.moments(ShiftedPairs(whole, first, second, "each"))
    return (weight * found[..., 0]).sum()


PAIRS = [
    ((0.3, 1.0, 1.4), (0.5, 0.8, 1.1)),
    ((-0.7, 1.0, 0.3), (0.9, 0.8, 1.1)),
    ((0.8, 2.0, 1.9), (-0.6, 0.3, 0.2)),
    ((0.0, 0.1, 0.2), (0.0, 3.0, 1.0)),
    ((-0.5, 1.0, 1.0), (-0.95, 1.0, 1.0)),
    ((0.6, 1.0, 1.0), (0.97, 1.0, 1.0)),
]


@pytest.mark.parametrize(("u", "g"), PAIRS)
def test_it_is_an_integral_over_the_plane(u: tuple, g: tuple) -> None:
    of_u, of_g = pair(*u), pair(*g)
    found = residual_moments(of_u, of_g).cov
    assert float((found - by_plane(of_u, of_g)).abs()) < 1e-12 * (u[1] + g[1]) * (u[2] + g[2])


@pytest.mark.parametrize(("u", "g"), PAIRS[:5])
def test_slopes_are_derivatives_by_the_covariances(u: tuple, g: tuple) -> None:
    """Price's theorem."""
    found, h = residual_moments(pair(*u), pair(*g)), 1e-5

    def moved(first: float, second: float) -> Tensor:
        one = pair(u[0] + first / (u[1] * u[2]), *u[1:])
        return residual_moments(one, pair(g[0] + second / (g[1] * g[2]), *g[1:])).cov

    assert float((moved(h, 0) - moved(-h, 0)) / (2 * h) - found.slope_u) == pytest.approx(
        0, abs=1e-7
    )
    assert float((moved(0, h) - moved(0, -h)) / (2 * h) - found.slope_g) == pytest.approx(
        0, abs=1e-7
    )


def test_it_ends_in_the_two_relus() -> None:
    """Without `u` it is the ReLU of `g`, and without `g` that of `u`; without both it is zero."""
    one, none = pair(0.4, 1.3, 0.8), pair(0.4, 0.0, 1.0)
    none = Pair(*(torch.zeros_like(t) for t in (none.cov, none.cov, none.cov, none.cov, none.cov)))
    dual = RELU.dual(one)
    assert dual.slope is not None
    for first, second in ((one, none), (none, one)):
        found = residual_moments(first, second)
        assert_near(found.cov, dual.cov, loosen=100)
        assert_near(residual_variance(first.var1, second.var1), RELU.variance(one.var1))
    assert_near(residual_moments(one, none).slope_u, dual.slope, loosen=100)
    assert_near(residual_moments(none, one).slope_g, dual.slope, loosen=100)
    assert float(residual_moments(none, none).cov) == 0


def test_near_points_come_to_the_variance() -> None:
    """From both sides of the angle at which panels are shortest, at the rate of its square."""
    angles = torch.tensor([1e-1, 1e-3, 1e-5, 1e-7, 1e-9, 0.0], dtype=torch.float64)
    found = residual_moments(at_angle(angles, 1.0, 1.0), at_angle(2 * angles, 0.7, 0.7)).cov
    one = torch.ones((), dtype=torch.float64)
    variance = residual_variance(one, 0.49 * one)
    gap = (variance - found) / variance
    assert float(gap[-1]) == 0
    assert bool((gap.abs() <= 2 * angles**2 + 1e-14).all())
    assert bool((gap[:3] > 0.1 * angles[:3] ** 2).all())


def test_a_sum_with_parallel_units_is_a_limit() -> None:
    """Where all `g` are one unit, panels are shortest: the moments come to those of nearly parallel ones."""
    angles = torch.tensor([1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 0.0], dtype=torch.float64)
    whole = at_angle(torch.full_like(angles, 1.1), 1.0, 0.8)
    found = residual_moments(whole, at_angle(angles, 0.7, 0.9))
    for table in (found.cov, found.slope_u, found.slope_g):
        assert bool(((table - table[-1]).abs() <= angles + 1e-13).all())


def test_it_scales_and_does_not_tell_the_two_points_apart() -> None:
    u, g = PAIRS[1]
    found = residual_moments(pair(*u), pair(*g))
    turned = residual_moments(pair(u[0], u[2], u[1]), pair(g[0], g[2], g[1]))
    larger = residual_moments(pair(u[0], 3e8 * u[1], u[2]), pair(g[0], 3e8 * g[1], g[2]))
    for name, factor in (("cov", 3e8), ("slope_u", 1.0), ("slope_g", 1.0)):
        assert_near(getattr(turned, name), getattr(found, name), loosen=100)
        assert_near(getattr(larger, name) / factor, getattr(found, name), loosen=100)
