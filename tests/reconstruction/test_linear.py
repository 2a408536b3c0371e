"""The field of the kernel alone, against the dense posterior, in standard deviations of it."""

from math import pi

import pytest
import torch

from ntkit.kernels import Matern
from ntkit.measurements import AbstractMeasurement, Blur, Radon, Samples
from ntkit.reconstruction.linear import kernel_fields
from ntkit.reconstruction.torus import torus_prior
from tests.cases import seeded
from tests.reconstruction.test_primal_dual import matrix_of, system_of
from tests.reconstruction.test_system import by_columns

SIDE = 10
HOLE = torch.ones(SIDE, SIDE, dtype=torch.bool)
HOLE[3:7, 2:6] = False
BLUR = Blur((SIDE, SIDE), 1.0)


@pytest.mark.parametrize(
    "A",
    [
        BLUR,
        Samples.mask(HOLE) @ BLUR,
        Samples.mask(HOLE),
        Radon.parallel((SIDE, SIDE), torch.arange(3) * pi / 3),
        Radon.parallel((1, 40), torch.arange(2) * pi / 2),
    ],
    ids=["blur", "blur with a hole", "hole", "three views", "one row"],
)
def test_excess_bounds_the_distance_from_the_end_by_its_error_bar(A: AbstractMeasurement) -> None:
    """Where noise is small, too: the gradient alone ended a standard deviation from the end. Two ridges at once."""
    system = system_of(A)
    prior = torus_prior(Matern(0.5, 0.2), A.grid)
    matrix, K = by_columns(system), matrix_of(prior, 1)
    gram = matrix @ K @ matrix.T
    ridges = [1e-6 * float(gram.diagonal().mean()), 1e-3 * float(gram.diagonal().mean())]
    noise = torch.randn(system.n_data, generator=seeded(1), dtype=torch.float64)
    data = matrix @ (torch.arange(len(K)) % 7 > 3).double() + ridges[0] ** 0.5 * noise
    found = kernel_fields(
        system, prior, data[None, None], ridges, tolerance=1e-6, excess=1e-2, iterations=3000
    )
    for field, ridge in zip(found.fields[:, 0, 0], ridges, strict=True):
        solved = torch.linalg.solve(gram + ridge * torch.eye(len(gram)).double(), matrix @ K).mT
        deviation = (K - solved @ matrix @ K).diagonal().sqrt()
        assert float(((field.flatten() - solved @ data) / deviation).abs().max()) < 0.1


def test_rounding_does_not_grow_at_waves_that_the_kernel_lacks() -> None:
    """In single precision, hundreds of iterations after the last that gains anything."""
    A = Blur((16, 16), 1.0)
    system, prior = system_of(A), torus_prior(Matern(2.5, 0.3), A.grid)
    assert bool((prior.spectrum == 0).any())
    data = system.forward((torch.arange(256) % 7 > 3).double().reshape(1, 1, 16, 16))
    found = kernel_fields(system, prior, data.float(), [1e-6], tolerance=0.0, iterations=400)
    left = system.forward(found.fields[0].double()) - data
    assert float(left.norm()) < 1e-2 * float(data.norm())
