"""The curvature of a measurement, as the solvers take it."""

import pytest
import torch

from ntkit.measurements import AbstractMeasurement, Blur, Fourier, Samples
from ntkit.reconstruction.asked import asked_system
from tests.cases import randn

MASK = randn(7, 6) > 0
MASK[3, 3] = False


@pytest.mark.parametrize(
    "A",
    [
        Samples.mask(MASK),
        Blur((7, 6), 0.4),
        Fourier((7, 6), MASK),
        Samples.mask(MASK) @ Blur((7, 6), 0.4),
    ],
    ids=["a mask without its middle", "blur", "k-space", "blur and mask"],
)
def test_the_curvature_is_above_the_measurement(A: AbstractMeasurement) -> None:
    """`<f, C f> >= |A f|^2` for random fields, with `C` not too far above for one of them."""
    system = asked_system(A, None, None)
    field = randn(50, 2 if A.is_complex else 1, *A.field_shape)
    measured = system.forward(field).square().flatten(1).sum(1)
    image = system.torus.times(system.curvature, field)
    above = (field * image).flatten(1).sum(1)
    assert bool(torch.isfinite(above).all())
    assert bool((above >= measured * (1 - 1e-9)).all())
    assert float((above / measured).min()) < 10
