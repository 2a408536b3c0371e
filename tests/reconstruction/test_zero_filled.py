"""Zero filling: the identity where all is measured, and near it where paths through k-space are dense."""

from math import pi

import pytest
import torch
from torch import Tensor

from ntkit.measurements import Fourier, NonuniformFourier
from ntkit.reconstruction import zero_filled
from tests.cases import randn
from tests.tolerances import assert_near

COMPLEX = torch.complex128


def bump(n: int) -> Tensor:
    x = (torch.arange(n, dtype=torch.float64) - n // 2) / n
    squares = (x[:, None] - 0.1).square() + (x[None] + 0.05).square()
    return torch.exp(-squares / 0.02).to(COMPLEX)[..., None]


def same(a: Tensor, b: Tensor) -> None:
    assert_near(torch.view_as_real(a), torch.view_as_real(b), loosen=10)


def test_where_all_is_measured_it_is_the_field() -> None:
    field = randn(6, 8, 2, dtype=COMPLEX)
    for coils in (None, randn(3, 6, 8, dtype=COMPLEX)):
        A = Fourier((6, 8), None, coils)
        same(zero_filled(A(field), A), field)


def test_the_rest_is_zero() -> None:
    mask = randn(8, 8) > 0
    A, field = Fourier((8, 8), mask), randn(8, 8, 1, dtype=COMPLEX)
    again = Fourier((8, 8))(zero_filled(A(field), A))[:, 0].reshape(8, 8)
    same(again, Fourier((8, 8))(field)[:, 0].reshape(8, 8) * mask)


@pytest.mark.parametrize("coils", [0, 3])
def test_spokes_bring_a_smooth_field_back(coils: int) -> None:
    pytest.importorskip("finufft")
    angle = torch.arange(50).double() * pi / 50
    radius = torch.linspace(-16, 16, 65).double()
    spokes = radius[None, :, None] * torch.stack([angle.sin(), angle.cos()], -1)[:, None]
    maps = None
    if coils:
        maps = torch.stack([torch.roll(bump(32)[..., 0], 8 * c, c % 2) + 0.3 for c in range(coils)])
    A = NonuniformFourier((32, 32), spokes, maps)
    field = bump(32)
    found = zero_filled(A(field), A)
    assert float((found - field).norm() / field.norm()) < 0.15
    plain = A.adjoint(A(field))  # without areas, at its best scale
    scale = torch.vdot(plain.flatten(), field.flatten()) / plain.norm().square()
    assert float((scale * plain - field).norm() / field.norm()) > 0.35
