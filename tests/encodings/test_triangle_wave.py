"""Triangle waves against two independent formulas, and their slopes."""

import torch

from ntkit.encodings import TriangleWave
from tests.cases import randn
from tests.tolerances import assert_near


def turns(x: torch.Tensor) -> torch.Tensor:
    """Periods gone by of each octave: `2^k x / 2 + k / 4`."""
    k = torch.arange(5, dtype=torch.float64)
    return x * 2**k / 2 + k / 4


def test_it_is_a_straightened_cosine() -> None:
    """`1 - 2 / pi arccos(cos(2 pi t))`, which keeps half of the digits where the cosine is 1."""
    x = randn(20, 1)
    expected = 1 - 2 / torch.pi * (2 * torch.pi * turns(x)).cos().arccos()
    assert_near(TriangleWave(1, 5)(x), expected, loosen=1e5)


def test_its_fourier_series() -> None:
    """`8 / pi^2 sum cos(2 pi k t) / k^2` over odd `k`; cut at `n`, the rest is below `4 / (pi^2 n)`."""
    x, odd = randn(20, 1), torch.arange(1, 4001, 2, dtype=torch.float64)
    waves = (2 * torch.pi * turns(x)[..., None] * odd).cos() / odd**2
    error = TriangleWave(1, 5)(x) - 8 / torch.pi**2 * waves.sum(-1)
    assert float(error.abs().max()) < 4 / (torch.pi**2 * 4000)


def test_slopes_are_four_a_cycle() -> None:
    x = randn(20, 1).requires_grad_()
    for k in range(5):
        (slope,) = torch.autograd.grad(TriangleWave(1, 5)(x)[:, k].sum(), x)
        assert torch.equal(slope.abs(), torch.full_like(slope, 4 * 2**k / 2))


def test_axes_follow_each_other() -> None:
    x = randn(5, 2)
    expected = torch.cat([TriangleWave(1, 4)(x[:, :1]), TriangleWave(1, 4)(x[:, 1:])], 1)
    assert torch.equal(TriangleWave(2, 4)(x), expected)
    assert torch.equal(
        TriangleWave(1, 4)(torch.tensor([[4]])), TriangleWave(1, 4)(torch.zeros(1, 1))
    )
    assert not TriangleWave(2, 4).is_stationary
    assert repr(TriangleWave(2, 4)) == "TriangleWave(in_dim=2, out_dim=8)"
