"""Posteriors and evidence: the formulas, their limits, calibration, gradients."""

from math import log, pi

import pytest
import torch

from ntkit import Ensemble, GaussianProcess, encodings, nngp, ntk
from ntkit._core.errors import NumericalError
from ntkit.dynamics import Normal
from ntkit.kernels import RBF, Constant
from tests.cases import layered, randn, seeded
from tests.tolerances import assert_near

X, OTHER, Y = randn(10, 2), randn(6, 2, seed=1), randn(10, 2, seed=2)
KERNEL = RBF(0.6)


def parameter(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64, requires_grad=True)


def test_posterior_by_the_formula() -> None:
    found = GaussianProcess(KERNEL, X, Y, noise=0.1).predict(OTHER)
    noisy = KERNEL(X) + 0.1 * torch.eye(10).double()
    cross = KERNEL(OTHER, X)
    assert_near(found.mean, cross @ torch.linalg.solve(noisy, Y), loosen=100)
    expected = KERNEL(OTHER) - cross @ torch.linalg.solve(noisy, cross.T)
    assert_near(found.covariance, expected, loosen=100)
    one = GaussianProcess(KERNEL, X, Y[:, 0], noise=0.1).predict(OTHER)
    assert_near(one.mean, found.mean[:, 0])
    assert_near(one.deviation, found.deviation[:, 0])


def test_no_noise_interpolates_and_is_the_limit_of_little() -> None:
    exact = GaussianProcess(KERNEL, X, Y)
    at_data = exact.predict(X)
    assert_near(at_data.mean, Y, loosen=1e4)
    assert float(at_data.covariance.abs().max()) < 1e-9
    little = GaussianProcess(KERNEL, X, Y, noise=1e-10).predict(OTHER)
    assert_near(exact.predict(OTHER).mean, little.mean, loosen=1e6)


def test_points_given_twice() -> None:
    """The posterior is that of the points given once, with the mean of the values."""
    twice = torch.cat([X, X[:3]])
    values = torch.cat([Y, Y[:3] + 0.2])
    once = Y.clone()
    once[:3] += 0.1
    found = GaussianProcess(KERNEL, twice, values).predict(OTHER)
    expected = GaussianProcess(KERNEL, X, once).predict(OTHER)
    assert_near(found.mean, expected.mean, loosen=1e5)
    assert_near(found.covariance, expected.covariance, loosen=1e5)
    with pytest.raises(NumericalError, match=r"singular to working precision"):
        GaussianProcess(KERNEL, twice, values).log_marginal_likelihood()


def test_evidence_and_its_gradients() -> None:
    size, length, noise = (parameter(v) for v in (1.3, 0.6, 0.2))
    process = GaussianProcess(size * RBF(length), X, Y, noise=noise)
    value = process.log_marginal_likelihood()
    covariance = 1.3 * RBF(0.6)(X) + 0.2 * torch.eye(10).double()
    fit = (Y * torch.linalg.solve(covariance, Y)).sum()
    direct = -fit / 2 - torch.logdet(covariance) - 10 * log(2 * pi)  # two outputs
    assert_near(value.detach(), direct, loosen=100)
    slopes = torch.autograd.grad(value, [size, length, noise])
    for p, slope in zip((size, length, noise), slopes, strict=True):
        ends = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                p += step
            ends.append(process.log_marginal_likelihood().item())
            with torch.no_grad():
                p -= step
        assert abs((ends[0] - ends[1]) / 2e-5 - float(slope)) < 1e-6 * (1 + abs(float(slope)))


def test_learning_finds_what_made_the_data() -> None:
    x = torch.rand(150, 1, generator=seeded(), dtype=torch.float64)
    truth = GaussianProcess(1.5 * RBF(0.15), x[:1], torch.zeros(1).double(), noise=1e9)
    y = truth.sample(x, 3, generator=seeded(1)).T + 0.1 * randn(150, 3, seed=2)
    size, length, noise = (parameter(v) for v in (0.5, 1.0, 1.0))
    process = GaussianProcess(size * RBF(length), x, y, noise=noise)
    before = process.log_marginal_likelihood().item()
    fit = process.fit([size, length, noise])
    assert fit.converged
    assert fit.log_marginal_likelihood > before
    assert abs(process.log_marginal_likelihood().item() - fit.log_marginal_likelihood) < 1e-6
    assert abs(length.item() / 0.15 - 1) < 0.25
    assert abs(noise.item() / 0.01 - 1) < 0.25
    slopes = torch.autograd.grad(process.log_marginal_likelihood(), [size, length, noise])
    assert max(abs(float(s)) for s in slopes) < 1e-1


def test_intervals_hold_as_often_as_they_say() -> None:
    """Functions drawn from the prior, seen with noise: coverage of 90 % intervals, and the density."""
    runs, n, m = 400, 12, 3
    x = torch.rand(n + m, 2, generator=seeded(), dtype=torch.float64)
    root = torch.linalg.cholesky(KERNEL(x) + 1e-10 * torch.eye(n + m))
    f = root @ randn(n + m, runs, seed=1)
    y = f[:n] + 0.3 * randn(n, runs, seed=2)
    found = GaussianProcess(KERNEL, x[:n], y, noise=0.09).predict(x[n:])
    low, high = found.interval(0.9)
    inside = ((low < f[n:]) & (f[n:] < high)).double().mean(1)
    spread = (0.9 * 0.1 / runs) ** 0.5
    assert bool(((inside - 0.9).abs() < 3.5 * spread).all())
    scores = (f[n:] - found.mean) / found.deviation
    assert abs(float(scores.square().mean()) - 1) < 0.15


def test_samples_have_the_distribution() -> None:
    process = GaussianProcess(KERNEL, X, Y, noise=0.1)
    found, draws = process.predict(OTHER), process.sample(OTHER, 20000, generator=seeded())
    assert draws.shape == (20000, 6, 2)
    assert float((draws.mean(0) - found.mean).abs().max()) < 0.03
    for o in range(2):
        assert float((draws[:, :, o].T.cov() - found.covariance).abs().max()) < 0.03
    flat = Normal(found.mean[:, 0], torch.zeros(6, 6).double()).sample(2)
    assert torch.equal(flat, found.mean[:, 0].expand(2, 6))


NET = layered(encodings.Identity(2))
NNGP, NTK = nngp(NET), ntk(NET)


def test_an_ensemble_against_its_members() -> None:
    """Starts drawn from the prior, each trained by the flow: the sample mean and covariance."""
    x, t, count = randn(8, 2), 0.7, 40000
    joint = torch.cat([x, OTHER])
    values, vectors = torch.linalg.eigh(NNGP(joint))
    starts = vectors * values.clamp_min(0).sqrt() @ randn(14, count)
    y = randn(8, seed=3)
    s, v = torch.linalg.eigh(NTK(x))
    moved = v * (-torch.expm1(-t * s) / s) @ v.T @ (y[:, None] - starts[:8])
    members = starts[8:] + NTK(OTHER, x) @ moved
    found = Ensemble(NNGP, NTK, x, y).predict(OTHER, [t])
    scale = float(found.covariance.diagonal(dim1=1, dim2=2).max())
    assert float((members.mean(1) - found.mean[0]).abs().max()) < 0.03 * scale**0.5
    assert float((members.cov() - found.covariance[0]).abs().max()) < 0.03 * scale


def test_an_ensemble_begins_at_the_prior_and_a_last_layer_ends_at_the_posterior() -> None:
    x, y = randn(8, 2), randn(8, 2)
    ensemble = Ensemble(NNGP, NTK, x, y).predict(OTHER, [0.0, float("inf")])
    assert_near(ensemble.covariance[0], NNGP(OTHER))
    assert float(ensemble.mean[0].abs().max()) == 0
    assert_near(ensemble.mean[1], NTK(OTHER, x) @ torch.linalg.solve(NTK(x), y), loosen=1e4)
    posterior = GaussianProcess(NNGP, x, y).predict(OTHER)
    last_layer = Ensemble(NNGP, NNGP, x, y).predict(OTHER, [float("inf")])
    assert_near(last_layer.mean[0], posterior.mean, loosen=1e4)
    assert_near(last_layer.covariance[0], posterior.covariance, loosen=1e4)
    noisy = GaussianProcess(NNGP, x, y, noise=0.1).predict(OTHER)
    last_layer = Ensemble(NNGP, NNGP, x, y, ridge=0.1, noise=0.1).predict(OTHER, [float("inf")])
    assert_near(last_layer.mean[0], noisy.mean, loosen=1e3)
    assert_near(last_layer.covariance[0], noisy.covariance, loosen=1e3)


def test_an_ensemble_on_points_given_twice() -> None:
    """The limits of the problem in which the two points are one, at their mean and double weight."""
    x, y = randn(6, 2), randn(6)
    twice, values = torch.cat([x, x[:1]]), torch.cat([y, y[:1] + 1])
    once = y.clone()
    once[0] += 0.5
    found = Ensemble(NNGP, NTK, twice, values).predict(OTHER, [1e3, float("inf")])
    assert bool(torch.isfinite(found.covariance).all())
    expected = Ensemble(NNGP, NTK, x, once).predict(OTHER, [float("inf")])
    assert_near(found.mean[1:], expected.mean, loosen=1e5)
    assert_near(found.covariance[1:], expected.covariance, loosen=1e5)
    zero = Constant(0.0)
    nothing = Ensemble(zero, zero, x, y).predict(OTHER, [5.0, float("inf")])
    assert float(nothing.mean.abs().max() + nothing.covariance.abs().max()) == 0


def test_intervals_of_a_normal() -> None:
    normal = Normal(torch.zeros(1).double(), torch.eye(1).double())
    assert abs(float(normal.interval(0.95)[1]) - 1.959963985) < 1e-8
    with pytest.raises(ValueError, match="`level=2` must be between 0 and 1"):
        normal.interval(2)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: GaussianProcess(KERNEL, X, Y, noise=-1.0), "`noise=-1.0` must be 0 or more"),
        (lambda: GaussianProcess(KERNEL, X, Y).fit([torch.tensor(1.0)]), "must be a leaf tensor"),
        (lambda: Ensemble(KERNEL, KERNEL, X, Y[:3]), "`y` has shape"),
    ],
)
def test_errors(call, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        call()
