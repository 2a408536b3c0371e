"""Spherical harmonics against mpmath, by the addition theorem, and at the poles."""

from math import pi, sqrt

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

import ntkit
from ntkit.encodings import SphericalHarmonics
from ntkit.networks import Linear
from tests import oracles
from tests.cases import randn, seeded
from tests.tolerances import assert_near

TOP = 40
POLES = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]], dtype=torch.float64)


def directions(n: int, seed: int = 0) -> torch.Tensor:
    return normalize(randn(n, 3, seed=seed), dim=1)


def near_poles() -> torch.Tensor:
    """The poles, and directions a little off."""
    off = torch.tensor([[1e-3, 0.0, 0.0], [0.0, 1e-8, 0.0]], dtype=torch.float64)
    return normalize(torch.cat([POLES, POLES + off]), dim=1)


def test_the_first_degrees_by_hand() -> None:
    v = directions(5)
    x, y, z = v.unbind(1)
    first = [torch.full_like(x, 1 / sqrt(4 * pi)), *(sqrt(3 / (4 * pi)) * c for c in (y, z, x))]
    second = [
        sqrt(15 / (4 * pi)) * x * y,
        sqrt(15 / (4 * pi)) * y * z,
        sqrt(5 / (16 * pi)) * (3 * z**2 - 1),
        sqrt(15 / (4 * pi)) * x * z,
        sqrt(15 / (16 * pi)) * (x**2 - y**2),
    ]
    assert_near(SphericalHarmonics(2)(v), torch.stack(first + second, 1))


def test_against_mpmath_to_degree_12() -> None:
    v = torch.cat([directions(1), near_poles()[:3]])
    assert_near(SphericalHarmonics(12)(v), oracles.spherical_harmonics(12, v), loosen=10)


@pytest.mark.slow
def test_against_mpmath_to_degree_40() -> None:
    v = torch.cat([directions(4), near_poles()])
    expected = oracles.spherical_harmonics(TOP, v)
    assert_near(SphericalHarmonics(TOP)(v), expected, loosen=10)
    single = SphericalHarmonics(TOP)(v.float())
    at_rounded = oracles.spherical_harmonics(TOP, v.float().double())
    assert float((single - at_rounded).abs().max()) < 1e-5


@pytest.mark.parametrize("degree", [0, 1, 7, TOP])
def test_addition_theorem(degree: int) -> None:
    """`sum_m Y_lm(v) Y_lm(w) = (2 l + 1) / 4 pi P_l(v.w)`, `P_l` by torch's own polynomials."""
    v, w = directions(6), directions(5, seed=1)
    features = SphericalHarmonics(degree)
    block = slice(degree**2, (degree + 1) ** 2)
    cosine = v @ w.T
    legendre = torch.special.legendre_polynomial_p(cosine, torch.full_like(cosine, degree))
    found = features(v)[:, block] @ features(w)[:, block].T
    assert_near(found, (2 * degree + 1) / (4 * pi) * legendre, loosen=100)


def test_correlation_is_what_dot_products_are() -> None:
    encoding, v, w = SphericalHarmonics(TOP), directions(6), directions(5, seed=1)
    assert_near(
        encoding(v) @ encoding(w).T, encoding.energy * encoding.correlation(v @ w.T), loosen=10
    )
    assert_near(encoding.correlation(torch.ones(2).double()), torch.ones(2).double())
    assert not encoding.is_stationary


def test_orthonormal() -> None:
    """Integrals over the sphere by a rule that is exact for these polynomials."""
    degree, n = 6, 16
    nodes = torch.arange(n).double()
    # Gauss-Legendre by the eigenvalues of its Jacobi matrix (Golub and Welsch).
    k = torch.arange(1, n).double()
    off = k / (4 * k**2 - 1).sqrt()
    z, vectors = torch.linalg.eigh(torch.diag(off, 1) + torch.diag(off, -1))
    weights = 2 * vectors[0] ** 2
    angle = 2 * pi * nodes / n
    ring = (1 - z**2).sqrt()[:, None]
    v = torch.stack([ring * angle.cos(), ring * angle.sin(), z[:, None].expand(n, n)], -1)
    features = SphericalHarmonics(degree)(v).flatten(0, 1)
    area = (weights[:, None] * 2 * pi / n).expand(n, n).flatten()
    assert_near(features.T @ (area[:, None] * features), torch.eye(49).double(), loosen=10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_derivatives_are_finite_at_the_poles(dtype: torch.dtype) -> None:
    """And those of `Y_1` are what they are anywhere: the projection onto the tangent plane."""
    v = POLES.to(dtype).requires_grad_()
    for degree in (1, TOP):
        (slope,) = torch.autograd.grad(SphericalHarmonics(degree)(v).sum(), v)
        assert slope.isfinite().all()
    jacobian = torch.func.vmap(torch.func.jacrev(SphericalHarmonics(1)))(POLES)[:, 1:]
    flat = torch.eye(3).double() - POLES[:, :, None] * POLES[:, None, :]
    assert_near(jacobian, sqrt(3 / (4 * pi)) * flat[:, [1, 2, 0]])


def test_derivatives_near_the_poles() -> None:
    encoding, v = SphericalHarmonics(3), near_poles()[1:3].requires_grad_()
    assert torch.autograd.gradcheck(encoding, v)
    assert torch.autograd.gradgradcheck(encoding, v)


def test_only_the_direction_counts() -> None:
    v, encoding = directions(4), SphericalHarmonics(5)
    assert_near(encoding(7.3 * v), encoding(v), loosen=10)
    assert encoding(torch.tensor([[1e-30, 0.0, 0.0], [0.0, 0.0, 1e30]])).isfinite().all()
    assert encoding(torch.zeros(1, 3))[:, 1:].isnan().all()
    assert_near(encoding(torch.tensor([[0, 0, 2]])), encoding(POLES[:1].float()))


def test_conventions() -> None:
    v = directions(5)
    plain = SphericalHarmonics(4)(v)
    phased = SphericalHarmonics(4, condon_shortley=True)(v)
    m = torch.cat([torch.arange(-n, n + 1) for n in range(5)])
    assert_near(phased, plain * (-1.0) ** m)
    cube = SphericalHarmonics(4, in_unit_cube=True)
    assert_near(cube((v + 1) / 2), plain, loosen=10)
    assert repr(cube) == "SphericalHarmonics(max_degree=4, in_unit_cube=True)"


def test_a_kernel_on_top_stays_the_same_after_a_rotation() -> None:
    net = nn.Sequential(
        SphericalHarmonics(4),
        Linear(25, 8, b_std=0.3, generator=seeded()),
        nn.ReLU(),
        Linear(8, 1, generator=seeded(1)),
    )
    kernel, v = ntkit.ntk(net), directions(6)
    turn = torch.linalg.qr(randn(3, 3, seed=4))[0]
    assert_near(kernel(v @ turn), kernel(v), loosen=100)


@pytest.mark.parametrize("degree", [-1, 41])
def test_degrees_that_are_refused(degree: int) -> None:
    with pytest.raises(ValueError, match=rf"`max_degree={degree}` must be 0 to 40"):
        SphericalHarmonics(degree)
