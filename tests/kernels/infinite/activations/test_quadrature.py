"""Functions without formulas: against plain quadrature, in the series and over the plane."""

import mpmath
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ntkit._core.errors import NumericalError
from ntkit.kernels.infinite.activations.numerical.gauss import derivative
from ntkit.kernels.infinite.activations.numerical.quadrature import Quadrature
from ntkit.kernels.infinite.activations.pair import Pair
from tests.kernels.infinite.activations.plane_oracle import plane_moments
from tests.kernels.infinite.activations.table import CLOSED, NUMERICAL, dual_of
from tests.tolerances import TOLERANCE

STATED = 1e-12
"""Of the root mean squares."""

CLOSE = 1e-9
"""The same for close pairs of functions that bend."""


def pair_at(norms: tuple[float, float], angle: float) -> Pair:
    product = norms[0] * norms[1]
    numbers = (
        *(product * np.cos(angle), 4 * product * np.sin(angle / 2) ** 2),
        *(4 * product * np.cos(angle / 2) ** 2, norms[0] ** 2, norms[1] ** 2),
    )
    return Pair(*[torch.tensor([v], dtype=torch.float64) for v in numbers])


@pytest.mark.slow
@pytest.mark.parametrize(("norms", "angle"), [((1.1, 1.5), 1.3), ((1.2, 1.2), 1e-3)], ids=str)
@pytest.mark.parametrize("name", NUMERICAL)
def test_moments_and_distance(name: str, norms: tuple[float, float], angle: float) -> None:
    """Within 1e-12 (1e-9 for close pairs of bent functions), and the distance relative to itself."""
    module, kinks = NUMERICAL[name]

    def function(x: np.ndarray) -> np.ndarray:
        return module(torch.from_numpy(x)).numpy()

    def slope(x: np.ndarray) -> np.ndarray:
        if isinstance(module, nn.Hardsigmoid):  # torch's own takes 1/6 in float32
            return (np.abs(x) < 3) / 6
        return derivative(module, torch.from_numpy(x)).numpy()

    cov, steepness, gap = plane_moments(function, slope, kinks, norms, angle)
    own = [plane_moments(function, slope, kinks, (n, n), 1e-12) for n in norms]
    activation = dual_of(module)
    dual = activation.dual(pair_at(norms, angle))
    allowed = CLOSE if kinks and angle < 0.5 else STATED
    assert abs(float(dual.cov) - cov) <= allowed * (own[0][0] * own[1][0]) ** 0.5
    assert abs(float(dual.slope) - steepness) <= allowed * (own[0][1] * own[1][1]) ** 0.5
    for norm, one in zip(norms, own, strict=True):
        var = torch.tensor([norm**2], dtype=torch.float64)
        assert abs(float(activation.variance(var)) - one[0]) <= STATED * one[0]
    if norms[0] == norms[1]:
        assert abs(float(dual.apart) - gap) <= 1e-9 * gap


@pytest.mark.slow
def test_tanh_and_its_slope_in_thirty_digits() -> None:
    """An integral of mpmath over the plane, as a product: `v` given `u` on inner nodes of its own."""
    a, b, angle = 0.8, 1.1, 1.0
    dual = dual_of(nn.Tanh()).dual(pair_at((a, b), angle))
    with mpmath.workdps(20):
        c, s = mpmath.cos(angle), mpmath.sin(angle)

        def density(x: mpmath.mpf) -> mpmath.mpf:
            return mpmath.exp(-(x**2) / 2) / mpmath.sqrt(2 * mpmath.pi)

        # Trapezoids of analytic functions that vanish at both ends: errors of exp(-pi^2 / h^2 ...).
        nodes = [mpmath.mpf(k) / 8 for k in range(-72, 73)]
        weights = [density(x) / 8 for x in nodes]
        outer = [(x, w, mpmath.tanh(a * x)) for x, w in zip(nodes, weights, strict=True)]
        pairs = [
            (w * v, t, mpmath.tanh(b * (c * x + s * y)))
            for x, w, t in outer
            for y, v in zip(nodes, weights, strict=True)
            if w * v > 1e-22
        ]
        cov = float(sum(m * t * r for m, t, r in pairs))
        slope = float(sum(m * (1 - t**2) * (1 - r**2) for m, t, r in pairs))
    assert abs(float(dual.cov) - cov) < STATED * cov
    assert abs(float(dual.slope) - slope) < STATED * slope


@pytest.mark.parametrize(
    "name", ["relu", "erf", "gelu", "sin", "gaussian", "leaky_relu", "monomial2"]
)
def test_quadrature_of_a_function_with_a_formula(name: str) -> None:
    """All angles at once, the closest and opposite too: moments, and the angle of the outputs."""
    row = CLOSED[name]
    kinks = (0.0,) if name in {"relu", "leaky_relu", "monomial2"} else ()
    numerical = Quadrature(row.dual.value, kinks)
    angles = torch.tensor([
        0.0,
        1e-9,
        1e-6,
        1e-3,
        0.02,
        0.3,
        1.5,
        2.9,
        3.1,
        torch.pi - 1e-6,
        torch.pi,
    ]).double()
    for scale in (0.1, 1.0, 3.0):
        product = torch.full_like(angles, scale**2)
        pair = Pair(
            product * angles.cos(),
            4 * product * (angles / 2).sin() ** 2,
            4 * product * (angles / 2).cos() ** 2,
            product,
            product,
        )
        found, exact = numerical.dual(pair), row.dual.dual(pair)
        length = row.dual.variance(product)
        assert ((found.cov - exact.cov).abs() / length).max() < STATED
        assert ((found.slope - exact.slope).abs() / exact.slope[0]).max() < 10 * STATED
        size = 2 * length
        assert ((found.apart / size).sqrt() - (exact.apart / size).sqrt()).abs().max() < 1e-11
    assert found.apart[0] == 0


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda x: (x - 0.37).abs(), "kinks"),
        (lambda x: torch.where(x > 0.5, 1.0, 0.0) + x, "kinks"),
        (lambda x: torch.clamp(x, max=1.1), "kinks"),
    ],
    ids=["bend", "jump", "clamp"],
)
def test_an_unnamed_kink_is_said(function, match: str) -> None:
    with pytest.raises(NumericalError, match=match):
        Quadrature(function).dual(pair_at((1.0, 1.0), 1.0))


def test_a_kink_by_its_name_is_split() -> None:
    """`|x - 0.37|` is `relu(x - 0.37) + relu(0.37 - x)`: `E |u - c|^2 = 1 + c^2` at unit variance."""
    bent = Quadrature(lambda x: (x - 0.37).abs(), (0.37,))
    var = bent.variance(torch.ones(1, dtype=torch.float64))
    assert abs(float(var) - (1 + 0.37**2)) < STATED


def test_variances_that_are_not_finite_are_refused() -> None:
    with pytest.raises(NumericalError, match="NaN or infinite"):
        dual_of(nn.Tanh()).variance(torch.tensor([float("nan")], dtype=torch.float64))


def test_float32_in_and_out() -> None:
    pair = pair_at((1.0, 1.5), 1.3)
    single = Pair(*(getattr(pair, k).float() for k in ("cov", "apart", "together", "var1", "var2")))
    dual, double = dual_of(nn.Tanh()).dual(single), dual_of(nn.Tanh()).dual(pair)
    for name in ("cov", "slope", "apart", "together"):
        value: Tensor = getattr(dual, name)
        assert value.dtype == torch.float32
        exact = float(getattr(double, name))
        assert abs(float(value) - exact) <= TOLERANCE[torch.float32] * abs(exact)
