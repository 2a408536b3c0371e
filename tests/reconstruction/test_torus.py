"""A stationary prior on a torus: against the kernel's dense matrix between the points of the grid."""

import pytest
import torch

from ntkit import Grid, encodings, ntk
from ntkit.kernels import RBF, Constant, Linear, Matern
from ntkit.kernels.base import AbstractKernel
from ntkit.networks import mlp
from ntkit.reconstruction.torus import Torus, TorusPrior, torus_prior
from tests.cases import randn, seeded
from tests.tolerances import assert_near, relative_error

GRIDS = [
    Grid(9),
    Grid((6, 7)),
    Grid((8, 3)),
    Grid((1, 5)),
    Grid((4, 3, 5)),
    Grid((5, 4), 0.2, [0.1, 0.3]),
]
EACH = pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: f"{grid.shape}")


def network_kernel(ndim: int) -> AbstractKernel:
    encoding = encodings.Gaussian(ndim, 16, 1.5, seeded())
    return ntk(mlp(encoding, 1, width=16, depth=2))


def by_columns(prior: TorusPrior) -> torch.Tensor:
    n = torch.Size(prior.torus.shape).numel()
    unit = torch.eye(n, dtype=torch.float64).reshape(n, *prior.torus.shape)
    return prior.covariance(unit).flatten(1)


@EACH
@pytest.mark.parametrize("kind", ["short", "network"])
def test_the_covariance_is_the_kernel_on_the_points(grid: Grid, kind: str) -> None:
    """Divided by its value at lag zero; to the last digit where nothing of the torus is below zero."""
    kernel = Matern(0.5, 0.05) if kind == "short" else network_kernel(grid.ndim)
    prior, gram = torus_prior(kernel, grid), kernel(grid.points()).double()
    error = relative_error(by_columns(prior), gram / gram[0, 0])
    if kind == "short":
        assert prior.clipped < 1e-12
    assert error <= (1e-12 if prior.clipped < 1e-14 else 3 * len(grid) * prior.clipped)


def test_what_is_left_out_is_said() -> None:
    """A long kernel on a torus has eigenvalues below zero: the error is theirs, and no larger."""
    grid, kernel = Grid((12, 9)), RBF(0.7)
    prior, gram = torus_prior(kernel, grid), kernel(grid.points())
    assert prior.clipped > 1e-4
    error = torch.linalg.matrix_norm(by_columns(prior) - gram, 2)
    whole = float(prior.spectrum.max())
    assert 0 < float(error) < whole * 0.05


@EACH
def test_it_is_symmetric_and_nowhere_below_zero(grid: Grid) -> None:
    for kernel in (RBF(0.5), network_kernel(grid.ndim), Matern(1.5, 0.3)):
        prior = torus_prior(kernel, grid)
        matrix = by_columns(prior)
        assert float(prior.spectrum.min()) >= 0
        assert_near(matrix, matrix.T)
        assert float(torch.linalg.eigvalsh(matrix).min()) >= -1e-12 * float(matrix.diag().sum())


@EACH
def test_a_torus_holds_all_lags(grid: Grid) -> None:
    torus = Torus.around(grid.shape)
    assert all(m >= 2 * n - 1 for n, m in zip(grid.shape, torus.lengths, strict=True))
    field = randn(2, *grid.shape)
    assert_near(torus.crop(torus.on_torus(torus.to_waves(field))), field)
    first = torch.zeros(torus.lengths, dtype=torch.float64)
    first[(0,) * grid.ndim] = 1
    moved = first.roll([1] * grid.ndim, list(range(grid.ndim)))
    waves = torch.fft.rfftn(first)
    for k in torus.frequencies():
        waves = waves * torch.exp(-2j * torch.pi * k)
    assert_near(torus.on_torus(waves), moved, loosen=10)


@EACH
def test_waves_are_those_of_the_padded_field(grid: Grid) -> None:
    """Axis by axis as all at once, and back; a wave and its opposite count twice in a scalar product."""
    torus, (u, v) = Torus.around(grid.shape), randn(2, *grid.shape)
    waves, others = torus.to_waves(u), torus.to_waves(v)
    expected = torch.fft.rfftn(u, s=torus.lengths, dim=torus.axes)
    assert_near(torch.view_as_real(waves), torch.view_as_real(expected), loosen=10)
    assert_near(torus.on_grid(waves), u, loosen=10)
    count = torch.Size(torus.lengths).numel()
    product = ((waves.conj() * others).real * torus.multiplicity()).sum() / count
    assert float(product) == pytest.approx(float((u * v).sum()), rel=1e-10)


def test_samples_have_the_covariance() -> None:
    """Errors fall as one over the root of the number of draws."""
    prior = torus_prior(Matern(0.5, 0.3), Grid((4, 3)))
    matrix, counts, errors = by_columns(prior), [400, 6400, 102400], []
    for count in counts:
        draws = prior.sample(count, seeded(1)).flatten(1)
        errors.append(float((draws.T @ draws / count - matrix).norm() / matrix.norm()))
    # Of Gaussian draws the squared error of the covariance is (|K|^2 + tr(K)^2) / count in the mean.
    size = float((1 + matrix.trace() ** 2 / matrix.norm() ** 2).sqrt())
    for count, error in zip(counts, errors, strict=True):
        assert 0.3 < error / (size / count**0.5) < 2


def test_single_precision_is_taken_and_given() -> None:
    prior, field = torus_prior(Matern(0.5, 0.3), Grid((6, 5))), randn(3, 6, 5)
    found = prior.covariance(field.float())
    assert found.dtype == torch.float32
    assert relative_error(found, prior.covariance(field)) < 1e-6


def test_names() -> None:
    kernel = Matern(0.5, 0.3)
    assert torus_prior(kernel, Grid(4)).name == repr(kernel)
    assert torus_prior(kernel, Grid(4), "mine").name == "mine"


def test_other_kernels_are_refused() -> None:
    with pytest.raises(ValueError, match="must be a stationary kernel"):
        torus_prior(Linear(), Grid(4))
    with pytest.raises(ValueError, match="is 0 at lag zero"):
        torus_prior(Constant(0.0), Grid(4))
