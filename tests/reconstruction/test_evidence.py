"""Marginal likelihood and what goes with it: against normal densities, brute force, and the formulas."""

from math import log, pi, prod

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from ntkit import Grid
from ntkit.kernels import Matern
from ntkit.measurements import AbstractMeasurement, Fourier, Matrix, Radon, Samples
from ntkit.reconstruction.evidence import DataSpectrum, data_spectra, evidence, part_of_data
from ntkit.reconstruction.linear import kernel_fields
from ntkit.reconstruction.system import System
from ntkit.reconstruction.torus import TorusPrior, WavePrior, torus_prior
from tests.cases import randn, seeded
from tests.reconstruction.test_primal_dual import matrix_of
from tests.reconstruction.test_system import by_columns
from tests.tolerances import assert_near, relative_error

LINES = Radon.parallel((8, 7), torch.arange(4) * pi / 4, n_detectors=11)
COILS = Fourier(
    (6, 5), torch.rand(6, 5, generator=seeded()) > 0.4, randn(2, 6, 5, dtype=torch.complex128)
)

HOLE = Samples.mask(torch.arange(42).reshape(7, 6) % 7 > 3)
ONE_COIL = Fourier((6, 5), COILS.mask)


def problem(A: AbstractMeasurement, *, weighted: bool = True) -> tuple[System, TorusPrior]:
    count = prod(A.data_shape)
    weights = 0.1 + torch.rand(count, generator=seeded(3), dtype=torch.float64)
    system = System(A, weights if weighted else None, torch.arange(count) // 3)
    return system, torus_prior(Matern(0.5, 0.2), Grid(A.field_shape))


def covariance_of(system: System, prior: TorusPrior) -> Tensor:
    """`A K A^H` of real numbers; of complex ones real parts before imaginary ones."""
    matrix = by_columns(system)
    return matrix @ matrix_of(prior, 2 if system.measurement.is_complex else 1) @ matrix.T


def spectrum_under(system: System, prior: WavePrior, rows: Tensor) -> DataSpectrum:
    return data_spectra(system, [prior], rows)[0]


def drawn(system: System, prior: TorusPrior, parts: int, mean: float = 0.0) -> Tensor:
    field = mean + prior.sample(parts, seeded(1))
    y = system.forward(field[None])[0]
    return y + 0.2 * y.std() * randn(*y.shape, seed=2)


@pytest.mark.parametrize("at_once", [1, 2**24])
def test_the_spectrum_is_of_the_covariance_of_some_data(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ntkit.reconstruction.evidence._AT_ONCE", at_once)
    system, prior = problem(LINES)
    rows = torch.arange(1, system.n_data, 2)
    found = spectrum_under(system, prior, rows)
    again = (found.vectors * found.eigenvalues) @ found.vectors.T
    assert_near(again, covariance_of(system, prior)[rows][:, rows], loosen=10)
    assert_near(found.vectors @ found.vectors.T, torch.eye(len(rows)).double(), loosen=10)


def test_kernels_together_are_as_each_alone() -> None:
    """They share the products with the adjoint."""
    system, prior = problem(COILS)
    other = torus_prior(Matern(1.5, 0.3), Grid(COILS.field_shape), "other")
    rows = torch.arange(0, system.n_data, 3)
    for one, together in zip(
        (prior, other), data_spectra(system, [prior, other], rows), strict=True
    ):
        alone = spectrum_under(system, one, rows)
        assert together.name == one.name
        assert_near(together.eigenvalues, alone.eigenvalues, loosen=10)


def test_complex_data_have_a_hermitian_covariance() -> None:
    system, prior = problem(COILS)
    n = system.n_data
    found = spectrum_under(system, prior, torch.arange(n))
    again = (found.vectors * found.eigenvalues.to(found.vectors)) @ found.vectors.mH
    whole = covariance_of(system, prior)
    expected = torch.complex(whole[:n, :n], whole[n:, :n])
    assert_near(torch.view_as_real(again), torch.view_as_real(expected), loosen=100)


def test_it_is_the_normal_density_of_the_data() -> None:
    """Of two channels, at its own ridge, scale and mean; and no other of them is likelier."""
    system, prior = problem(LINES)
    y = drawn(system, prior, 2, mean=0.5)
    flat = system.forward(torch.ones(1, 2, 8, 7).double())[0]
    rows = torch.arange(0, system.n_data, 2)
    row = evidence(spectrum_under(system, prior, rows), y, flat, is_complex=False)
    matrix, eye = covariance_of(system, prior)[rows][:, rows], torch.eye(len(rows)).double()

    def density(scale: float, weight: float, mean: float) -> float:
        normal = MultivariateNormal(mean * flat[0, rows], scale**2 * (matrix + weight * eye))
        return float(normal.log_prob(y[:, rows]).sum())

    best = density(row.scale, row.weight, row.mean)
    assert row.log_evidence == pytest.approx(best, rel=1e-9)
    assert row.noise == pytest.approx(row.scale * row.weight**0.5, rel=1e-12)
    for factor in (0.99, 1.01):
        assert density(factor * row.scale, row.weight, row.mean) < best
        assert density(row.scale, row.weight, factor * row.mean) < best
    for ridge in torch.logspace(-8, 1, 40).tolist():
        assert (
            density(row.scale, ridge * float(torch.linalg.eigvalsh(matrix)[-1]), row.mean)
            < best + 0.05
        )


def test_a_given_mean_stays() -> None:
    system, prior = problem(LINES)
    spectrum = spectrum_under(system, prior, torch.arange(system.n_data))
    row = evidence(spectrum, drawn(system, prior, 1), None, is_complex=False, given=0.25)
    assert row.mean == 0.25


def test_complex_data_have_the_circular_normal_density() -> None:
    """`-n log(pi) - log det C - y^H C^-1 y` of each channel."""
    system, prior = problem(COILS)
    y, n = drawn(system, prior, 4), system.n_data
    row = evidence(spectrum_under(system, prior, torch.arange(n)), y, None, is_complex=True)
    whole = covariance_of(system, prior)
    C = torch.complex(whole[:n, :n], whole[n:, :n]) + row.weight * torch.eye(n)
    C = row.scale**2 * C
    value = 0.0
    for k in range(2):
        data = torch.complex(y[2 * k], y[2 * k + 1])
        square = torch.vdot(data, torch.linalg.solve(C, data)).real
        value -= n * log(pi) + float(torch.linalg.slogdet(C)[1] + square)
    assert row.log_evidence == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("A", [LINES, COILS], ids=["real", "complex"])
def test_leave_one_out_leaves_each_out(A: AbstractMeasurement) -> None:
    """And generalised cross-validation is its formula, `sqrt(mean |r|^2) / mean(1 - H_ii)`."""
    system, prior = problem(A)
    n, parts = system.n_data, 2 if A.is_complex else 1
    y = drawn(system, prior, parts)
    row = evidence(spectrum_under(system, prior, torch.arange(n)), y, None, is_complex=A.is_complex)
    whole = covariance_of(system, prior)
    K = torch.complex(whole[:n, :n], whole[n:, :n]) if A.is_complex else whole
    data = torch.complex(y[0], y[1]) if A.is_complex else y[0]
    gram = K + row.weight * torch.eye(n).to(K)
    errors = []
    for i in range(n):
        others = [j for j in range(n) if j != i]
        foretold = K[i, others] @ torch.linalg.solve(gram[others][:, others], data[others])
        errors.append(abs(complex(foretold - data[i])) ** 2)
    assert row.leave_one_out == pytest.approx((sum(errors) / n) ** 0.5, rel=1e-8)
    hat = K @ torch.linalg.inv(gram)
    rest = float((data - hat @ data).abs().square().mean().sqrt())
    assert row.cross_validation == pytest.approx(
        rest / (1 - float(hat.diagonal().real.mean())), rel=1e-8
    )


def test_noise_and_scale_are_found() -> None:
    """Of data that the model made: within a step of the ridges that are tried, a tenth of the noise."""
    A = Samples.everywhere((16, 16))
    system = System(A, None, torch.arange(256))
    prior = torus_prior(Matern(1.5, 0.3), Grid((16, 16)))
    field = 2.0 + 3.0 * prior.sample(40, seeded(4))
    y = field.flatten(1) + 0.5 * randn(40, 256, seed=5)
    flat = torch.ones(40, 256).double()
    row = evidence(spectrum_under(system, prior, torch.arange(256)), y, flat, is_complex=False)
    assert row.noise == pytest.approx(0.5, rel=0.12)
    assert row.scale == pytest.approx(3.0, rel=0.12)
    assert row.mean == pytest.approx(2.0, abs=1.0)


def test_a_mean_that_explains_all_leaves_next_to_no_scale() -> None:
    """A constant, and a single datum: finite numbers."""
    system, prior = problem(Samples.everywhere((4, 4)), weighted=False)
    for rows in (torch.arange(16), torch.tensor([3])):
        y = torch.full((1, 16), 3.0).double()
        spectrum = spectrum_under(system, prior, rows)
        row = evidence(spectrum, y, torch.ones(1, 16).double(), is_complex=False)
        assert row.mean == pytest.approx(3.0)
        assert 0 < row.scale < 1e-9
        assert abs(row.log_evidence) < 1e4


def test_data_that_see_no_constant_have_no_mean() -> None:
    steps = torch.eye(9).double().diff(dim=0)
    system, prior = problem(Matrix(steps), weighted=False)
    y, flat = drawn(system, prior, 1), system.forward(torch.ones(1, 1, 9).double())[0]
    row = evidence(spectrum_under(system, prior, torch.arange(8)), y, flat, is_complex=False)
    plain = evidence(spectrum_under(system, prior, torch.arange(8)), y, None, is_complex=False)
    assert row == plain
    assert row.mean == 0


def test_a_part_of_the_data_is_of_all_groups_and_of_any_weight() -> None:
    A = Samples.everywhere((60, 50))
    group = (torch.arange(3000) * 7 % 3000) // 60  # 50 groups, their data scattered
    weights = (torch.rand(3000, generator=seeded(), dtype=torch.float64) > 0.5).double()
    system = System(A, weights, group)
    rows = part_of_data(system, most=400)
    assert 200 <= len(rows) <= 400
    assert len(rows.unique()) == len(rows)
    assert bool(weights[rows].all())
    assert len(group[rows].unique()) >= 12
    few = part_of_data(System(Samples.everywhere((5,)), None, torch.zeros(5, dtype=torch.long)))
    assert few.tolist() == [0, 1, 2, 3, 4]
    assert len(part_of_data(system)) <= 640


@pytest.mark.parametrize(
    "A", [LINES, COILS, HOLE, ONE_COIL], ids=["real", "complex", "a hole", "one coil"]
)
def test_the_linear_fields_are_dense_solves(A: AbstractMeasurement) -> None:
    """`K A^H (A K A^H + a)^-1 d` at every ridge, for several data at once."""
    system, prior = problem(A)
    parts = 2 if A.is_complex else 1
    data, ridges = randn(3, parts, system.n_data), [1e-3, 0.1, 10.0]
    found = kernel_fields(system, prior, data, ridges, tolerance=1e-12, keeps_waves=True)
    assert found.waves is not None
    assert_near(prior.of_waves(found.waves), found.fields, loosen=10)
    matrix, K = by_columns(system), matrix_of(prior, parts)
    gram = matrix @ K @ matrix.T
    for ridge, fields in zip(ridges, found.fields, strict=True):
        weights = torch.linalg.solve(
            gram + ridge * torch.eye(len(gram)).double(), data.flatten(1).T
        )
        assert relative_error(fields.flatten(1), (K @ matrix.T @ weights).T) < 1e-8
    assert float(found.residuals.max()) <= 1e-12
