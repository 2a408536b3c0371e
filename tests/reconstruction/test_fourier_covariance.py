"""Fourier samples of one coil: their covariance from lags, against fields, and the solver that uses it."""

import pytest
import torch
from torch import Tensor

from ntkit import Grid
from ntkit.kernels import Matern
from ntkit.measurements import Fourier
from ntkit.reconstruction.fourier_covariance import (
    fourier_covariances,
    fourier_variances,
    is_one_coil,
)
from ntkit.reconstruction.linear import kernel_fields
from ntkit.reconstruction.local_prior import LocalPrior
from ntkit.reconstruction.system import System
from ntkit.reconstruction.torus import TorusPrior, WavePrior, torus_prior
from tests.cases import randn, seeded
from tests.reconstruction.test_primal_dual import matrix_of
from tests.reconstruction.test_system import by_columns
from tests.tolerances import assert_near, relative_error

SHAPES = pytest.mark.parametrize("shape", [(7,), (6, 5), (1, 8), (4, 5, 3)], ids=str)


def problem(shape: tuple[int, ...], *, weighted: bool = False) -> tuple[System, TorusPrior]:
    A = Fourier(shape, torch.rand(shape, generator=seeded()) > 0.4)
    weights = torch.rand(A.data_shape[0], generator=seeded(1), dtype=torch.float64)
    weights[::5] = 0
    system = System(A, weights if weighted else None, torch.arange(A.data_shape[0]))
    return system, torus_prior(Matern(0.5, 0.2), Grid(shape))


def covariance_of(system: System, prior: WavePrior) -> Tensor:
    """Of real numbers, real parts before imaginary ones."""
    matrix = by_columns(system)
    plain = prior.prior if isinstance(prior, LocalPrior) else prior
    assert isinstance(plain, TorusPrior)
    kernel = matrix_of(plain, 2)
    if isinstance(prior, LocalPrior):
        local = prior.local.flatten().repeat(2)
        kernel = local[:, None] * kernel * local
    return matrix @ kernel @ matrix.T


@pytest.mark.parametrize("at_once", [1, 2**21])
@pytest.mark.parametrize("weighted", [False, True])
@SHAPES
def test_lags_give_the_covariance_of_samples(
    shape: tuple[int, ...], weighted: bool, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two kernels, among some rows in any order; and the variances of all."""
    monkeypatch.setattr("ntkit.reconstruction.fourier_covariance._AT_ONCE", at_once)
    system, prior = problem(shape, weighted=weighted)
    other = torus_prior(Matern(2.5, 0.7), Grid(shape))
    rows = torch.randperm(system.n_data, generator=seeded(2))[: system.n_data // 2 + 1]
    spectra = [prior.spectrum, other.spectrum]
    found = fourier_covariances(system, system.torus, spectra, rows)
    n = system.n_data
    for entries, one in zip(found, (prior, other), strict=True):
        whole = covariance_of(system, one)
        dense = torch.complex(whole[:n, :n], whole[n:, :n])
        expected = torch.view_as_real(dense[rows][:, rows])
        assert_near(torch.view_as_real(entries), expected, loosen=100)
        variances = fourier_variances(system, system.torus, one.spectrum)
        assert_near(variances, dense.diagonal().real, loosen=100)


def test_coils_are_none_of_it() -> None:
    system, _ = problem((6, 5))
    assert is_one_coil(system)
    assert isinstance(system.measurement, Fourier)
    maps = randn(1, 6, 5, dtype=torch.complex128)
    coils = Fourier((6, 5), system.measurement.mask, maps)
    assert not is_one_coil(System(coils, None, torch.arange(len(system.group))))


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("ridge", [1e-12, 1e-6, 1.0])
@pytest.mark.parametrize("is_local", [False, True], ids=["stationary", "local"])
def test_fields_of_one_coil_are_dense_solves(is_local: bool, ridge: float, size: float) -> None:
    """At next to no noise, too, with data that do not count, of any unit."""
    system, prior = problem((8, 6), weighted=True)
    local = 0.1 + torch.rand(8, 6, generator=seeded(3), dtype=torch.float64)
    used = LocalPrior("", prior, local) if is_local else prior
    data = size * randn(2, 2, system.n_data, seed=4)
    data[..., ~system.counts] = 0
    found = kernel_fields(system, used, data, [ridge, 10 * ridge], tolerance=1e-10)
    matrix, gram = by_columns(system), covariance_of(system, used)
    plain = matrix_of(prior, 2)
    scale = local.flatten().repeat(2) if is_local else torch.ones(len(plain)).double()
    back = (scale[:, None] * plain * scale) @ matrix.T
    for weight, fields in zip((ridge, 10 * ridge), found.fields, strict=True):
        inner = gram + weight * torch.eye(len(gram)).double()
        expected = back @ torch.linalg.solve(inner, data.flatten(1).T)
        assert relative_error(fields.flatten(1), expected.T) < 1e-7


def test_few_iterations_do_whatever_the_noise() -> None:
    """Samples of a stationary field are next to independent."""
    A = Fourier((32, 32), torch.rand(32, 32, generator=seeded()) > 0.7)
    system = System(A, None, torch.arange(A.data_shape[0]))
    prior = torus_prior(Matern(0.5, 0.1), Grid((32, 32)))
    data = system.forward(prior.sample(2, seeded(1))[None])
    found = kernel_fields(system, prior, data, [1e-8, 1e-2], tolerance=1e-3)
    assert float(found.residuals.max()) <= 1e-3
    assert found.iterations <= 12
