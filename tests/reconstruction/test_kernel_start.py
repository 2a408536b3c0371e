"""Where the iterations begin: the linear problem's own solution, against dense matrices."""

import torch
from torch import Tensor

import ntkit
from ntkit import Grid
from ntkit.kernels import Matern
from ntkit.measurements import Samples
from ntkit.reconstruction.kernel_start import kernel_start, of_kept_data
from ntkit.reconstruction.primal_dual import PrimalDual, Terms
from ntkit.reconstruction.system import System
from ntkit.reconstruction.torus import torus_prior
from tests.cases import randn
from tests.reconstruction.test_primal_dual import matrix_of
from tests.tolerances import relative_error

N, MEAN, RIDGE = 16, 0.4, 1e-4
PRIOR = torus_prior(Matern(1.5, 0.3), Grid((N, N)))


def with_a_hole() -> tuple[System, Tensor]:
    """A smooth field without a square of 8 x 8, and its data."""
    mask = torch.ones(N, N, dtype=torch.bool)
    mask[4:12, 5:13] = False
    system = System(Samples.mask(mask), None, torch.arange(int(mask.sum())) % 9)
    field = MEAN + PRIOR.sample(1, torch.Generator().manual_seed(0))
    return system, system.forward(field[None])[0] + 0.01 * randn(1, system.n_data)


def dense(system: System, y: Tensor, keep: Tensor, ridge: float) -> Tensor:
    """`m + K A^T (A K A^T + ridge)^-1 (y - m)` of what is kept, `[n, n]`."""
    places = system.measurement.index[keep]  # pyright: ignore[reportAttributeAccessIssue]
    K = matrix_of(PRIOR, 1)
    inner = K[places][:, places] + ridge * torch.eye(len(places)).double()
    weights = torch.linalg.solve(inner, y[0, keep] - MEAN)
    return MEAN + (K[:, places] @ weights).reshape(N, N)


def problems(system: System, weight: float, keeps: list[Tensor]) -> Terms:
    count = len(keeps)
    return Terms(
        torch.stack([keep.double() for keep in keeps])[:, None],
        torch.full((count,), weight, dtype=torch.float64),
        torch.zeros(count, dtype=torch.float64),
        PRIOR.spectrum,
        MEAN,
        None,
    )


def test_it_is_the_end_of_the_linear_problem_also_in_a_hole() -> None:
    """Of all data and of two thirds of them; the iterations stay there."""
    system, y = with_a_hole()
    keeps = [torch.ones(system.n_data, dtype=torch.bool), system.group % 3 != 0]
    terms = problems(system, RIDGE, keeps)
    method = PrimalDual(system, y, scale=1.0, ridge=RIDGE)
    start = kernel_start(method, of_kept_data(system, y, terms), terms)
    after = method.solve(terms, start=start, iterations=50, tolerance=1e-9)
    for state in (start, after):
        for field, keep in zip(method.field(state, terms)[:, 0], keeps, strict=True):
            assert relative_error(field, dense(system, y, keep, RIDGE)) < 2e-3


def test_bounds_that_do_not_bind_change_nothing_in_a_hole() -> None:
    """The iterations begin at the end."""
    system, y = with_a_hole()
    found = ntkit.reconstruct(
        y[0],
        system.measurement,
        prior=Matern(1.5, 0.3),
        mean=MEAN,
        total_variation=False,
        bounds=(-100, 100),
        error_bars=False,
    )
    every = torch.ones(system.n_data, dtype=torch.bool)
    exact = dense(system, y, every, found.choice.weight)
    assert relative_error(found.field, exact) < 2e-3
