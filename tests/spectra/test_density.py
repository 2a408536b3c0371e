"""Stochastic Lanczos quadrature against the eigenvalues themselves, within its stated error."""

import pytest
import torch

import ntkit
from ntkit.kernels import Matern
from ntkit.operators import DenseOperator
from ntkit.spectra import spectral_density
from tests.cases import randn, seeded
from tests.tolerances import assert_near

OP = ntkit.gram(Matern(0.5, 0.2), ntkit.Grid(500))
VALUES = torch.linalg.eigvalsh(OP.dense())


def test_the_stated_error_is_the_error() -> None:
    """Over forty draws, the error in units of the stated one has a spread near one."""
    exact = float((VALUES / (VALUES + 0.5)).sum())
    scores = []
    for seed in range(40):
        found = spectral_density(OP, n_probes=12, steps=40, generator=seeded(seed))
        estimate = found.effective_dimension(0.5)
        scores.append((estimate.value - exact) / estimate.error)
        assert estimate.error < 0.1 * exact
    assert 0.6 < float(torch.tensor(scores).square().mean().sqrt()) < 1.7


def test_moments_are_those_of_the_probes() -> None:
    """`v* K^3 v` of signs, exactly; for a diagonal operator that is the trace."""
    values = torch.linspace(0.1, 2, 30).double()
    density = spectral_density(DenseOperator(torch.diag(values)), steps=4)
    found = torch.tensor(density.trace(lambda s: s**3).value, dtype=torch.float64)
    assert_near(found, values.pow(3).sum(), loosen=10)


def test_counts_and_density_follow_the_eigenvalues() -> None:
    density = spectral_density(OP, n_probes=32, steps=60)
    for threshold in (0.1, 1.0, 10.0):
        exact = int((threshold < VALUES).sum())
        found = density.count_above(threshold)
        assert abs(found.value - exact) < max(4 * found.error, 0.02 * 500)
    places = torch.logspace(-4, 3, 700).double()
    total = torch.trapezoid(density.density(places), places.log10())
    assert float(total) == pytest.approx(500, rel=1e-3)


def test_low_rank_operators_end_early() -> None:
    """A Krylov space of three dimensions: no NaN, and the zeros are counted."""
    factor = randn(50, 3)
    density = spectral_density(DenseOperator(factor @ factor.T), steps=20)
    assert bool(torch.isfinite(density.nodes).all())
    assert density.trace(torch.ones_like).value == pytest.approx(50)
    assert density.effective_dimension(1e-3).value == pytest.approx(3, abs=1)


def test_figure_draws_the_density() -> None:
    pytest.importorskip("matplotlib")
    density = spectral_density(OP, n_probes=4, steps=20)
    left, _ = density.figure().axes
    x, y = (torch.as_tensor(v) for v in left.lines[0].get_data())
    assert_near(y, density.density(x))


def test_refusals() -> None:
    with pytest.raises(ValueError, match="`op` must be square"):
        spectral_density(DenseOperator(randn(3, 2)))
    with pytest.raises(ValueError, match="`n_probes=1` has no spread"):
        spectral_density(OP, n_probes=1)
