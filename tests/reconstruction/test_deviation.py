"""Error bars: against the dense posterior, within the sampling error."""

from dataclasses import replace
from math import pi

import pytest
import torch
from torch import Tensor

from ntkit.kernels import Matern
from ntkit.measurements import AbstractMeasurement, Radon, Samples
from ntkit.reconstruction import reconstruct
from ntkit.reconstruction.deviation import deviation_of, exact_deviation
from ntkit.reconstruction.evidence import evidence
from ntkit.reconstruction.local_prior import LocalPrior, local_prior
from ntkit.reconstruction.result import PriorRow
from ntkit.reconstruction.system import System
from ntkit.reconstruction.torus import torus_prior
from tests.cases import randn, seeded
from tests.reconstruction.test_evidence import COILS, LINES, problem, spectrum_under
from tests.reconstruction.test_primal_dual import matrix_of
from tests.reconstruction.test_system import by_columns
from tests.tolerances import assert_near

ROW = PriorRow(
    "", 0.0, weight=0.05, noise=0.0, scale=3.0, mean=0.0, leave_one_out=0.0, cross_validation=0.0
)


def posterior(matrix: Tensor, K: Tensor, ridge: float) -> Tensor:
    gram = matrix @ K @ matrix.T + ridge * torch.eye(len(matrix)).double()
    return (K - K @ matrix.T @ torch.linalg.solve(gram, matrix @ K)).diagonal()


@pytest.mark.parametrize(
    "A", [LINES, Samples.every_other((9,)), Samples.every((4, 3, 5), 2), COILS], ids=str
)
@pytest.mark.parametrize("local", [False, True], ids=["stationary", "local"])
def test_it_is_the_posterior_deviation(A: AbstractMeasurement, local: bool) -> None:
    """The variance of 2000 draws is known to `sqrt(2 / 2000)` at a point; of complex fields both parts' sum."""
    system, prior = problem(A)
    parts, n = 2 if A.is_complex else 1, torch.Size(A.field_shape).numel()
    K, used = matrix_of(prior, parts), prior
    if local:
        used = LocalPrior("mine", prior, 0.2 + randn(*A.field_shape).abs())
        K = used.local.flatten().repeat(parts)[:, None] * K * used.local.flatten().repeat(parts)
    found = deviation_of(system, used, ROW, generator=seeded(2), samples=2000)
    variance = posterior(by_columns(system), K, ROW.weight)
    expected = 9 * variance.reshape(parts, n).mean(0)
    ratio = found.flatten() ** 2 / expected
    assert found.shape == A.field_shape
    assert float((ratio - 1).abs().max()) < 5 * (2 / 2000) ** 0.5
    assert float(ratio.mean() - 1) == pytest.approx(0, abs=0.03)
    assert_near(exact_deviation(system, used, ROW).flatten() ** 2, expected, loosen=100)


@pytest.mark.parametrize("local", [False, True], ids=["stationary", "local"])
def test_samples_agree_with_the_exact_deviation_where_noise_is_small(local: bool) -> None:
    """In the mean of the variance, where problems are hard: at a ridge of a ten-thousandth, from few views."""
    A = Radon.parallel((24, 24), torch.arange(8) * pi / 8)
    system = System(A, None, torch.arange(A.data_shape[0]).repeat_interleave(A.data_shape[1]))
    prior = torus_prior(Matern(0.5, 0.2), A.grid)
    row = replace(ROW, weight=1e-4)
    across = torch.linspace(-1, 1, 24).double()
    used = LocalPrior("mine", prior, 0.3 + 5 * (-80 * across**2).exp().expand(24, 24))
    used = used if local else prior
    found = deviation_of(system, used, row, generator=seeded(), samples=100)
    expected = exact_deviation(system, used, row)
    assert float(found.norm() / expected.norm()) == pytest.approx(1, abs=0.03)


def test_a_local_prior_is_scaled_on_both_sides() -> None:
    _, prior = problem(LINES)
    local = 0.2 + randn(8, 7).abs()
    scaled, K = LocalPrior("mine", prior, local), matrix_of(prior, 1)
    unit = torch.eye(56).double().reshape(56, 8, 7)
    expected = local.flatten()[:, None] * K * local.flatten()
    assert_near(scaled.covariance(unit).flatten(1), expected, loosen=10)
    draws = scaled.sample(20000, seeded()).flatten(1)
    error = (draws.T @ draws / len(draws) - expected).norm() / expected.norm()
    size = float((1 + expected.trace() ** 2 / expected.norm() ** 2).sqrt())
    assert 0.3 < float(error) / (size / len(draws) ** 0.5) < 2


def test_the_local_scale_follows_the_slopes_of_the_estimate() -> None:
    """Large at an edge, and alike on both sides of the field; what the data say of it is its own evidence."""
    system, prior = problem(Samples.everywhere((12, 12)), weighted=False)
    step = torch.zeros(1, 12, 12).double()
    step[:, :, 6:] = 1
    rows = torch.arange(144)
    y = system.forward(step[None])[0] + 0.01 * randn(1, 144)
    scaled, row = local_prior(system, prior, step, y - y.mean(), rows)
    across = scaled.local[5]
    assert int(across.argmax()) in {5, 6}
    assert float(across.max() / across.min()) > 3
    assert_near(scaled.local, scaled.local[:1].expand(12, 12), loosen=10)
    own = evidence(spectrum_under(system, scaled, rows), y - y.mean(), None, is_complex=False)
    for name, value in vars(own).items():  # of sums in another order
        assert vars(row)[name] == (value if name == "name" else pytest.approx(value, rel=1e-6))
    plain = evidence(spectrum_under(system, prior, rows), y - y.mean(), None, is_complex=False)
    assert row.log_evidence > plain.log_evidence


def test_smoothing_is_mirrored_alike_at_both_ends() -> None:
    """A Gaussian mean of the slopes and their mirror images, of one of the floors and widths that are tried."""
    system, prior = problem(Samples.everywhere((10,)), weighted=False)
    line = randn(10)
    found, _ = local_prior(system, prior, line[None], randn(1, 10), torch.arange(10))
    steep = line.diff().abs()
    mirrored = torch.cat([steep, torch.zeros(1).double()])
    mirrored = torch.cat([mirrored.flip(0), mirrored, mirrored.flip(0)])
    options = []
    for sigma in (1.0, 2.0):
        reach = int(3 * sigma) + 1
        taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1).double() / sigma) ** 2)
        taps = taps / taps.sum()
        smooth = torch.stack([
            (mirrored[10 + i - reach : 11 + i + reach] * taps).sum() for i in range(10)
        ])
        options += [floor + smooth / smooth.square().mean().sqrt() for floor in (0.1, 0.3, 1.0)]
    assert min(float((found.local - each).abs().max()) for each in options) < 1e-12


def test_a_flat_estimate_has_one_scale() -> None:
    system, prior = problem(Samples.everywhere((5, 4)), weighted=False)
    found, _ = local_prior(
        system, prior, torch.ones(1, 5, 4).double(), randn(1, 20), torch.arange(20)
    )
    assert float(found.local.std()) == 0
    assert float(found.local.min()) > 0


@pytest.mark.parametrize("noise", [0.02, 0.3])
def test_nine_in_ten_values_of_fields_of_the_prior_are_within_their_error_bars(
    noise: float,
) -> None:
    """Also with noise, scale and mean found from the data; ten fields know the share to 0.02 or so."""
    measurement = Radon.parallel((12, 12), torch.arange(8) * pi / 8)
    points, kernel = measurement.grid.points(), Matern(0.5, 0.3)
    root = torch.linalg.cholesky(kernel(points, points) + 1e-9 * torch.eye(144))
    inside = []
    for seed in range(10):
        field = 1 + 2 * (root @ randn(144, seed=seed)).reshape(12, 12, 1)
        y = measurement(field)[..., 0]
        y = y + noise * y.std() * randn(*y.shape, seed=100 + seed)
        found = reconstruct(y, measurement, prior=kernel, total_variation=False, bounds=None)
        assert found.deviation is not None
        inside.append((found.field - field[..., 0]).abs() <= 1.6449 * found.deviation)
    assert 0.86 < float(torch.stack(inside).double().mean()) < 0.94
