"""The Gaussian of a piece of a cone: integrals, pieces put together, float32 far away."""

from itertools import pairwise

import mpmath
import pytest
import torch
from torch import Tensor

from ntkit.encodings import conical_frustum
from tests.cases import randn
from tests.tolerances import assert_near


def tensor(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def integrals(near: float, far: float, radius: float) -> tuple[float, float, float]:
    """Mean and variance of `t`, and variance across, with the density `t^2`."""
    with mpmath.workdps(40):
        volume, first, second = (
            mpmath.quad(lambda t, k=k: t ** (2 + k), [near, far]) for k in range(3)
        )
        mean = first / volume
        along = second / volume - mean**2
        return float(mean), float(along), float(radius**2 * second / volume / 4)


PIECES = [(1.0, 1.5, 0.1), (0.0, 2.0, 0.3), (2.0, 2.001, 0.01), (1e4, 1e4 + 0.5, 1e-3)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("piece", PIECES, ids=str)
def test_moments_are_those_of_the_integrals(piece, dtype: torch.dtype) -> None:
    """Thin pieces far away too, where differences of powers have no digit left in float32."""
    tip, axis = torch.zeros(3, dtype=dtype), torch.tensor([0.0, 0.0, 1.0], dtype=dtype)
    near, far, radius = torch.tensor(piece, dtype=dtype)
    mean, variance = conical_frustum(tip, axis, near, far, radius)
    at, along, across = integrals(*(float(v) for v in (near, far, radius)))
    assert_near(mean[2], tensor(at)[0])
    for found, expected in zip(variance, (across, across, along), strict=True):
        assert_near(found, tensor(expected)[0])


def test_points_drawn_in_the_cone_have_these_moments() -> None:
    """Within five standard errors of 100,000 points."""
    n, (near, far, radius) = 100_000, (0.5, 1.5, 0.4)
    axis, tip = tensor(1.0, -2.0, 0.5), tensor(0.3, 0.1, -0.2)
    frame = torch.linalg.qr(torch.cat([axis[:, None], randn(3, 2)], 1))[0][:, 1:]
    draw = torch.Generator().manual_seed(0)
    u, v, angle = torch.rand(3, n, generator=draw, dtype=torch.float64)
    t = (near**3 + u * (far**3 - near**3)) ** (1 / 3)
    disc = torch.stack([(2 * torch.pi * angle).cos(), (2 * torch.pi * angle).sin()], 1)
    x = tip + t[:, None] * axis + (radius * t * v.sqrt())[:, None] * (disc @ frame.T)
    mean, s = conical_frustum(tip, axis, *tensor(near, far, radius), is_diagonal=False)
    size = float(s.diagonal().max())
    assert float((x.mean(0) - mean).abs().max()) < 5 * (size / n) ** 0.5
    assert float((x.T.cov() - s).abs().max()) < 5 * size * (2 / n) ** 0.5


def test_two_pieces_make_the_whole() -> None:
    """Means and covariances add by volume, with the spread of the means."""
    tip, axis, radius = randn(3), randn(3, seed=1), tensor(0.2)[0]
    edges = tensor(0.0, 1.0, 2.5)
    parts = [
        conical_frustum(tip, axis, a, b, radius, is_diagonal=False) for a, b in pairwise(edges)
    ]
    share = (edges**3).diff() / edges[-1] ** 3
    mean, s = conical_frustum(tip, axis, edges[0], edges[-1], radius, is_diagonal=False)
    assert_near(sum(w * m for w, (m, _) in zip(share, parts, strict=True)), mean)
    mixed = [
        w * (c + torch.outer(m - mean, m - mean)) for w, (m, c) in zip(share, parts, strict=True)
    ]
    assert_near(sum(mixed), s)


def test_rays_in_a_batch_and_the_diagonal() -> None:
    tip, axis = randn(4, 1, 3), randn(4, 1, 3, seed=1)
    edges = torch.linspace(0.1, 3, 6, dtype=torch.float64)
    near, far, radius = edges[:-1], edges[1:], tensor(0.2)
    mean, s = conical_frustum(tip, axis, near, far, radius, is_diagonal=False)
    same, variance = conical_frustum(tip, axis, near, far, radius)
    assert (mean.shape, s.shape) == ((4, 5, 3), (4, 5, 3, 3))
    assert torch.equal(mean, same)
    assert_near(variance, s.diagonal(dim1=-2, dim2=-1))
    one, _ = conical_frustum(tip[2, 0], axis[2, 0], near[3], far[3], radius[0])
    assert_near(mean[2, 3], one)


def test_the_length_of_the_axis_is_a_unit_of_t() -> None:
    tip, axis = randn(3), randn(3, seed=1)
    found = conical_frustum(tip, axis, *tensor(1.0, 2.0, 0.3))
    other = conical_frustum(tip, 4 * axis, *tensor(0.25, 0.5, 1.2))
    assert_near(found[0], other[0])
    assert_near(found[1], other[1])


def test_the_tip_alone_is_a_point() -> None:
    mean, variance = conical_frustum(randn(3), randn(3, seed=1), *tensor(0.0, 0.0, 0.3))
    assert torch.equal(mean, randn(3))
    assert torch.equal(variance, torch.zeros_like(mean))
