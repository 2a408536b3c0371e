"""Sines of few uniform inputs: exact at any number of inputs, where Gaussian units are not."""

import warnings
from math import sqrt

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ntkit
from ntkit.networks import Sine, siren
from tests import oracles
from tests.cases import seeded
from tests.rates import fitted_exponent
from tests.tolerances import assert_near

POINTS = torch.tensor([[0.1], [0.12], [0.5], [0.9]], dtype=torch.float64)


def layered(wave: nn.Module, width: int = 64, seed: int = 0) -> nn.Sequential:
    """A first layer with PyTorch's draw of one input, sines, a read-out."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(1, width), wave, nn.Linear(width, 1)).double()


def by_quadrature(wave: Sine, x: Tensor, a: float, c: float) -> tuple[Tensor, Tensor]:
    """`E[s s']` and `E[ds ds']` under `w ~ U(-a, a)`, `b ~ U(-c, c)`, by Gauss and Legendre."""
    nodes, weights = (torch.from_numpy(t) for t in np.polynomial.legendre.leggauss(120))
    u = (a * nodes[:, None] * x[:, 0])[:, None] + (c * nodes)[None, :, None]
    share = (weights[:, None] * weights / 4)[..., None]
    s = wave.amplitude * torch.sin(wave.frequency * u)
    slope = wave.amplitude * wave.frequency * torch.cos(wave.frequency * u)
    return tuple(torch.einsum("abn,abm->nm", share * t, t) for t in (s, slope))


@pytest.mark.parametrize("wave", [Sine(), Sine(9.0), Sine(4.0, amplitude=0.7)], ids=str)
def test_one_layer_against_quadrature(wave: Sine) -> None:
    """`n E[s s'] + 1` of the read-out, and `n v E[ds ds'] (x x' + 1)` of the first layer."""
    net, n = layered(wave), 64
    cov, slope = by_quadrature(wave, POINTS, 1.0, 1.0)
    v = 1 / (3 * n)
    expected = n * cov + 1 + n * v * slope * (POINTS @ POINTS.T + 1)
    kernel = ntkit.ntk(net, variances="default")
    assert_near(kernel(POINTS), expected, loosen=100)
    assert_near(kernel.diag(POINTS), expected.diagonal(), loosen=100)
    assert_near(kernel(POINTS[:2], POINTS), expected[:2], loosen=100)
    assert_near(ntkit.nngp(net, variances="default")(POINTS), n * v * cov + v, loosen=100)


def test_measured_bounds_are_those_of_the_entries() -> None:
    """A uniform law of the entries' own mean square."""
    net = layered(Sine(3.0), 4096)
    cov, _ = by_quadrature(
        Sine(3.0),
        POINTS,
        *(sqrt(3 * float(p.detach().square().mean())) for p in net[0].parameters()),
    )
    v = float(net[2].weight.detach().square().mean())
    u = float(net[2].bias.detach().square().mean())
    assert_near(ntkit.nngp(net)(POINTS), 4096 * v * cov + u, loosen=100)


def test_functions_of_torch_and_no_biases_are_taken_as_well() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(1, 64, bias=False), nn.Linear(64, 1, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(torch.sin(self.first(x)))

    cov, _ = by_quadrature(Sine(), POINTS, 1.0, 0.0)
    found = ntkit.nngp(Plain().double(), variances="default")(POINTS)
    assert_near(found, cov / 3, loosen=100)


@pytest.mark.parametrize("d", [1, 2])
def test_wide_sirens_near_their_limit_without_a_warning(d: int) -> None:
    """Of several layers, at the rate `width^-1/2`; nothing is off by the law of the first weights."""
    x = torch.rand(4, d, generator=seeded(3), dtype=torch.float64)
    widths, errors = (16, 64, 256), []
    for width in widths:
        found = []
        for seed in range(8):
            net = siren(d, 1, bandwidth=1.0, width=width, depth=2, generator=seeded(seed)).double()
            limit = ntkit.ntk(net)(x)
            found.append(float((oracles.jacobian_kernel(net, x) - limit).norm() / limit.norm()))
        errors.append(sum(found) / len(found))
    assert errors[-1] < 0.12
    assert -0.8 < fitted_exponent(widths, errors) < -0.3


def test_the_gaussian_law_is_another_kernel() -> None:
    """What the exact moments are for: with Gaussian weights of the same variance it is off by per cents."""
    net = siren(1, 1, bandwidth=1.0, width=512, depth=2, generator=seeded()).double()
    exact = ntkit.ntk(net)(POINTS)
    with torch.no_grad():
        for p in net[1].parameters():
            size = p.square().mean().sqrt()
            p.normal_(generator=seeded(1))
            p.mul_(size / p.square().mean().sqrt())
    off = (ntkit.ntk(net)(POINTS) - exact).norm() / exact.norm()
    assert 0.01 < float(off) < 0.2


def test_kernels_have_derivatives_in_the_points() -> None:
    net = siren(2, 1, bandwidth=1.0, width=16, depth=2, generator=seeded()).double()
    x = torch.rand(3, 2, generator=seeded(1), dtype=torch.float64, requires_grad=True)
    y = torch.rand(2, 2, generator=seeded(2), dtype=torch.float64)
    kernel = ntkit.ntk(net)
    assert torch.autograd.gradcheck(lambda points: kernel(points, y), (x,))


def test_what_takes_the_sines_besides_weights_goes_by_gaussian_units() -> None:
    """Sums with other functions of the units are integrated as before."""

    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(1, 64), nn.Linear(64, 1)

        def forward(self, x: Tensor) -> Tensor:
            u = self.first(x)
            return self.last(torch.sin(u) + torch.tanh(u))

    kernel = ntkit.ntk(Mixed().double(), variances="default")
    assert "uniform" not in str(kernel.plan(POINTS))
    assert kernel(POINTS).shape == (4, 4)


def test_many_inputs_and_normal_weights_are_left_as_they_were() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        many = nn.Sequential(nn.Linear(40, 64), Sine(), nn.Linear(64, 1)).double()
        points = torch.rand(5, 40, dtype=torch.float64, generator=seeded())
        rows = str(ntkit.ntk(many).plan(points))
    assert "uniform Sine" not in rows
    assert "uniform Sine" in str(ntkit.ntk(layered(Sine())).plan(POINTS))
    net = layered(Sine())
    for p in net[0].parameters():
        nn.init.normal_(p, generator=seeded())
    assert "uniform Sine" not in str(ntkit.ntk(net).plan(POINTS))
    assert float(net[0].weight.detach().abs().max()) > 1


def test_a_kernel_sees_that_its_weights_were_drawn_again() -> None:
    net = layered(Sine(4.0))
    kernel = ntkit.ntk(net)
    before = kernel(POINTS)
    for p in net[0].parameters():
        nn.init.normal_(p, generator=seeded())
    after = kernel(POINTS)
    assert torch.equal(after, ntkit.ntk(net)(POINTS))
    assert not torch.allclose(after, before, rtol=0.01)
