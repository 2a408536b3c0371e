"""Reconstructions through a physics are those through the measurement that it stands for."""

import pytest
import torch

from ntkit import kernels, reconstruct
from ntkit.measurements import AbstractMeasurement, Fourier, Samples, physics_parts
from tests.cases import randn
from tests.measurements.stand_ins import Scan, Weighted

MASK = randn(10, 12) > -0.3
COILS = torch.polar(torch.ones(2, 10, 12).double(), randn(2, 1, 1, seed=4) * torch.arange(12.0) / 9)
PRIOR = kernels.Matern(1.5, 0.3)
SMOOTH = torch.linspace(0, 3, 12).sin().double() * torch.linspace(0, 2, 10).cos()[:, None]


@pytest.mark.parametrize(
    ("physics", "y", "expected"),
    [
        (Weighted(MASK.double()), torch.zeros(1, 2, 10, 12), Samples.mask(MASK)),
        (Scan(MASK, COILS), torch.zeros(1, 2, 2, 10, 12), Fourier((10, 12), MASK, COILS)),
    ],
    ids=["mask", "coils"],
)
def test_the_field_is_that_of_the_measurement(
    physics: Weighted | Scan, y: torch.Tensor, expected: AbstractMeasurement
) -> None:
    (A,) = physics_parts(physics, y.double(), spacing=(1 / 10, 1 / 12))
    assert A.data_shape == expected.data_shape
    field = torch.stack([SMOOTH, 1 - SMOOTH], -1)
    data = expected(field.to(torch.complex128) if A.is_complex else field)
    data = data + 0.01 * randn(*data.shape, dtype=data.dtype)
    found, wanted = (
        reconstruct(data, B, prior=PRIOR, total_variation=False, error_bars=False)
        for B in (A, expected)
    )
    assert found.choice.weight == pytest.approx(wanted.choice.weight, rel=1e-6)
    assert float((found.field - wanted.field).abs().max()) < 1e-5  # sums in another order
    assert float((found.field - field).abs().mean()) < 0.05
