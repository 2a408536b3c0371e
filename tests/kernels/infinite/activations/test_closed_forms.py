"""Every formula against textbook formulas in 100 digits, and these against plain quadrature."""

from copy import deepcopy
from dataclasses import dataclass
from functools import cache

import mpmath
import numpy as np
import pytest
import torch
from mpmath import mp, mpf

from ntkit.kernels.infinite.activations.numerical.gauss import derivative
from ntkit.kernels.infinite.activations.pair import Pair
from tests.kernels.infinite.activations.formulas import DIGITS
from tests.kernels.infinite.activations.plane_oracle import plane_moments
from tests.kernels.infinite.activations.points import NORMS, Exact, exact_pairs, pair_of
from tests.kernels.infinite.activations.table import CLOSED, Row
from tests.tolerances import TOLERANCE

DTYPES = [torch.float64, torch.float32]
FIGURE = {torch.float64: 1e-13, torch.float32: TOLERANCE[torch.float32]}
"""Of the moments, relative to themselves."""

ANGLE = {torch.float64: 1e-13, torch.float32: 1e-6}
"""Of the outputs' angle, in radians."""

CROSSES = {
    *("erf_shifted", "cos", "sin_phase", "sin_cos", "gabor", "gabor_long", "cubic"),
    *("hermite3", "hermite4", "prelu", "abs"),
}
"""Whose moments change sign: near a zero the rounding of the covariance alone decides about every
digit. There the error is relative to the root mean squares `sqrt(E[s(u)^2] E[s(v)^2])`, and
`sqrt(E[s'(u)^2] E[s'(v)^2])`; everywhere else, to the moment itself."""

TURNS = {"gelu", "cubic"}
"""Neither odd nor even, and almost odd at short or long inputs."""


@dataclass(frozen=True)
class Moments:
    """Those of a pair and of each unit with itself, exactly."""

    cov: mpf
    slope: mpf
    length: mpf
    steepness: mpf

    @property
    def angle(self) -> mpf:
        return 2 * mpmath.atan2(
            mpmath.sqrt(abs(self.length - self.cov)), mpmath.sqrt(abs(self.length + self.cov))
        )


@cache
def expected(name: str) -> tuple[list[Exact], list[Moments]]:
    row = CLOSED[name]
    pairs = exact_pairs([n for n in NORMS if max(n) < row.longest])
    found = []
    with mp.workdps(DIGITS):
        own = {v: row.formula(v, v, v) for e in pairs for v in (e.var1, e.var2)}
        for e in pairs:
            (p, p_slope), (q, q_slope) = own[e.var1], own[e.var2]
            moments = row.formula(e.cov, e.var1, e.var2)
            found.append(Moments(*moments, mpmath.sqrt(p * q), mpmath.sqrt(p_slope * q_slope)))
    return pairs, found


def assert_relative(
    actual: torch.Tensor, exact: list[mpf], scales: list[mpf], bound: float
) -> None:
    tiny = float(torch.finfo(actual.dtype).tiny)  # below, digits are lost by design
    for value, true, scale in zip(actual.tolist(), exact, scales, strict=True):
        if abs(true) > torch.finfo(actual.dtype).max:  # no number of this dtype holds it
            assert value == (torch.inf if true > 0 else -torch.inf)
            continue
        assert abs(mpf(value) - true) <= bound * abs(scale) + tiny, (value, true)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", CLOSED)
def test_moments(name: str, dtype: torch.dtype) -> None:
    """`E[s s]` and `E[s' s']` at angles from 1e-9 to pi - 1e-9, norms from 1e-6 to 1e6, and at 0."""
    pairs, exact = expected(name)
    dual = CLOSED[name].dual.dual(pair_of(pairs, dtype))
    assert dual.cov.dtype == dual.slope.dtype == dtype
    with mp.workdps(DIGITS):
        cov, slope = [m.cov for m in exact], [m.slope for m in exact]
        floor = mpf(1 if name in CROSSES else 0)
        scales = [max(abs(m.cov), floor * m.length, _dead(m.length)) for m in exact]
        assert_relative(dual.cov, cov, scales, FIGURE[dtype])
        scales = [max(abs(m.slope), floor * m.steepness, _dead(m.steepness)) for m in exact]
        assert_relative(dual.slope, slope, scales, FIGURE[dtype])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", CLOSED)
def test_variance_is_the_moment_of_a_unit_with_itself(name: str, dtype: torch.dtype) -> None:
    pairs, _ = expected(name)
    row = CLOSED[name]
    pair = pair_of(pairs, dtype)
    with mp.workdps(DIGITS):
        exact = [row.formula(e.var1, e.var1, e.var1)[0] for e in pairs]
        assert_relative(row.dual.variance(pair.var1.double()), exact, exact, 1e-13)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", CLOSED)
def test_angle_of_the_outputs(name: str, dtype: torch.dtype) -> None:
    """From `apart` and `together`: what the next layer sees, to 1e-13 radians however small it is."""
    pairs, exact = expected(name)
    row = CLOSED[name]
    pair = pair_of(pairs, dtype)
    dual = row.dual.dual(pair)
    assert dual.apart is not None
    length = row.dual.variance(pair.var1.double()) * row.dual.variance(pair.var2.double())
    together = 4 * length.sqrt() - dual.apart if dual.together is None else dual.together
    assert bool((dual.apart >= 0).all())
    actual = 2 * torch.atan2(dual.apart.double().sqrt(), together.double().clamp_min(0).sqrt())
    with mp.workdps(DIGITS):
        for value, m in zip(actual.tolist(), exact, strict=True):
            if m.length < mpf(10) ** (-290 if dtype == torch.float64 else -35):
                continue
            if 4 * m.length > torch.finfo(dtype).max:  # neither distance need be a number
                continue
            bound = ANGLE[dtype]
            if name in TURNS:  # how far from opposite is a difference from `4 * length`, of which
                # `apart` is rounded by eps / 2: psi^2 by 2 eps, psi by eps / psi or sqrt(2 eps)
                far = max(mp.pi - m.angle, mpf("1e-20"))
                single = torch.finfo(torch.float32).eps
                most, share = (
                    (4e-8, 1e-15) if dtype == torch.float64 else ((2 * single) ** 0.5, single)
                )
                bound += min(most, float(share / far))
            assert abs(mpf(value) - m.angle) <= bound, (value, m.angle)


@pytest.mark.parametrize("name", ["relu", "erf", "gelu", "sin", "leaky_relu", "sign", "monomial2"])
def test_distance_of_near_duplicates_is_relative(name: str) -> None:
    """Inputs of one length an angle of 1e-9 apart: the outputs' distance to 12 digits."""
    pairs = [e for e in exact_pairs([(1.0, 1.0), (3.0, 3.0)]) if 0 < e.apart < 1]
    row = CLOSED[name]
    dual = row.dual.dual(pair_of(pairs, torch.float64))
    with mp.workdps(DIGITS):
        exact = [
            2 * (row.formula(e.var1, e.var1, e.var1)[0] - row.formula(e.cov, e.var1, e.var2)[0])
            for e in pairs
        ]
        assert_relative(dual.apart, exact, exact, TOLERANCE[torch.float64])


@pytest.mark.parametrize("name", sorted(CLOSED.keys() - {"normalised_exp"}))
def test_formulas_are_the_moments_of_the_module(name: str) -> None:
    """The module itself and its gradient under plain quadrature: what the textbook's formulas give."""
    row, norms, angle = CLOSED[name], (0.7, 1.1), 2.0
    if name == "sin30":
        norms = (0.05, 0.07)
    actual = _by_quadrature(row, norms, angle)
    a, b = (mpf(n) for n in norms)
    with mp.workdps(DIGITS):
        formula = row.formula(a * b * mpmath.cos(angle), a * a, b * b)
        scale = mpmath.sqrt(
            row.formula(a * a, a * a, a * a)[0] * row.formula(b * b, b * b, b * b)[0]
        )
    assert abs(actual[0] - float(formula[0])) < 1e-11 * float(scale)
    assert abs(actual[1] - float(formula[1])) < 1e-11 * max(1, abs(float(formula[1])))


@pytest.mark.parametrize("name", CLOSED)
def test_moments_from_covariances_alone(name: str) -> None:
    """The short cut for large tables, where there is one, agrees with the moments by distances."""
    angles = torch.linspace(0.05, 3.09, 60, dtype=torch.float64)
    var1, var2 = torch.full_like(angles, 1.3), torch.full_like(angles, 0.4)
    norms = (var1 * var2).sqrt()
    cov = norms * angles.cos()
    quick = CLOSED[name].dual.quick(cov.clone(), var1, var2, torch.ones_like(cov))
    if quick is None:
        return
    dual = CLOSED[name].dual.dual(
        Pair(
            cov,
            4 * norms * (angles / 2).sin() ** 2,
            4 * norms * (angles / 2).cos() ** 2,
            var1,
            var2,
        )
    )
    assert torch.allclose(quick[0], dual.cov, rtol=0, atol=1e-13)
    assert torch.allclose(quick[1], dual.slope, rtol=0, atol=1e-12)


def _dead(length: mpf) -> mpf:
    """What a moment over lengths of one is unknown by where it underflows: nothing that matters."""
    return length * mpf(10) ** -40


def _by_quadrature(
    row: Row, norms: tuple[float, float], angle: float
) -> tuple[float, float, float]:
    module = (
        deepcopy(row.module).double().requires_grad_(False)
    )  # PReLU has a trained float32 slope

    def function(x: np.ndarray) -> np.ndarray:
        return module(torch.from_numpy(x)).numpy()

    def slope(x: np.ndarray) -> np.ndarray:
        return derivative(module, torch.from_numpy(x)).numpy()

    return plane_moments(function, slope, (0.0,), norms, angle)
