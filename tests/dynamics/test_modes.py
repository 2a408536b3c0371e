"""Modes and their bins, and gradient flow mode by mode."""

from math import inf

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntkit.dynamics.modes import Modes, bin_modes, flow_trajectory
from tests.cases import randn, seeded
from tests.tolerances import assert_near


def modes_of(eigenvalues: torch.Tensor, *, n_outputs: int = 2, lost: float = 0.0) -> Modes:
    """A problem with these eigenvalues `[g, k]` and some energy in every mode."""
    g, k = eigenvalues.shape
    return Modes(
        eigenvalues=eigenvalues,
        energy=randn(k, seed=5) ** 2,
        multiplicity=torch.ones(k).double(),
        diagonal=eigenvalues.mean(1),
        sizes=torch.arange(1, g + 1).double() * 100,
        norms=torch.arange(1, g + 1).double() * 10,
        n_samples=k,
        n_outputs=n_outputs,
        lost=lost,
    )


@given(n=st.integers(1, 3000), levels=st.integers(2, 500), seed=st.integers(0, 99))
def test_bins_are_a_partition_by_rank(n: int, levels: int, seed: int) -> None:
    values = (5 * randn(n, seed=seed)).exp()
    bins = bin_modes(values, levels=levels)
    in_order = bins[values.argsort(descending=True)]
    # Monotone, from 0, without a gap: each mode has one bin and no bin is empty.
    assert int(in_order[0]) == 0
    assert set(in_order.diff().tolist()) <= {0, 1}
    assert torch.equal(in_order[:64], torch.arange(min(n, 64)))  # the first 64 are alone
    assert int(in_order[-1]) + 1 <= 64 + levels + 1


@given(n=st.integers(65, 3000), levels=st.integers(20, 500), seed=st.integers(0, 99))
def test_eigenvalues_of_a_bin_are_within_one_step(n: int, levels: int, seed: int) -> None:
    """No bin straddles a gap: its ends differ by at most the factor of a level."""
    values = torch.cat([(3 * randn(n, seed=seed)).exp(), torch.zeros(3).double()])
    bins = bin_modes(values, levels=levels)
    logs = (values / values.max()).clamp_min(1e-12).log()
    step = -torch.log(torch.tensor(1e-12)) / levels
    high = torch.full((int(bins.max()) + 1,), -torch.inf).double()
    low = -high
    high = high.scatter_reduce(0, bins, logs, "amax")
    low = low.scatter_reduce(0, bins, logs, "amin")
    assert float((high - low).max()) <= float(step) * (1 + 1e-6)


def test_flow_is_the_exponential_of_every_mode() -> None:
    """All layers move at one rate; zero eigenvalues stay for ever."""
    values = torch.tensor([[3.0, 1.0, 1e-3, 0.0], [2.0, 0.5, 0.0, 0.0]], dtype=torch.float64)
    total, times = values.sum(0), [0.0, 1e-9, 0.3, 20.0, 1e4]
    run = flow_trajectory(modes_of(values), times)
    exact = torch.tensor(times, dtype=torch.float64)[:, None] * total
    assert_near(run.decay, (-exact).exp())
    learned = torch.where(total > 0, -(-exact).expm1() / total.clamp_min(1e-300), 0 * exact)
    learned[:, 3] = torch.tensor(times, dtype=torch.float64)
    for weights in run.weights.unbind(1):
        for found, expected in zip(weights, learned, strict=True):
            assert_near(found, expected)


def test_flow_without_end_is_interpolation() -> None:
    values = torch.tensor([[3.0, 1e-3, 0.0], [2.0, 0.0, 0.0]], dtype=torch.float64)
    run = flow_trajectory(modes_of(values), [inf])
    assert_near(run.decay[0], torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))
    assert_near(run.weights[0, 0], torch.tensor([0.2, 1e3, 0.0], dtype=torch.float64))


def test_flow_takes_rounding_for_zero() -> None:
    """A negative or tiny eigenvalue is noise: at `t = inf` its weight must not be huge."""
    values = torch.tensor([[1.0, 1e-17, -1e-17]], dtype=torch.float64)
    run = flow_trajectory(modes_of(values), [inf])
    assert_near(run.weights[0, 0], torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64))


def test_error_is_the_mean_square_of_the_residual() -> None:
    """By Parseval in a random orthonormal basis, with the part outside of all modes."""
    n, o = 9, 3
    basis = torch.linalg.qr(torch.randn(n, n, generator=seeded(), dtype=torch.float64)).Q
    residual, decay = randn(n, o, seed=1), torch.rand(5, n - 2, generator=seeded()).double()
    inside = basis[:, 2:].T @ residual
    modes = Modes(
        eigenvalues=torch.ones(1, n - 2).double(),
        energy=(inside**2).sum(1),
        multiplicity=torch.ones(n - 2).double(),
        diagonal=torch.ones(1).double(),
        sizes=torch.ones(1).double(),
        norms=torch.ones(1).double(),
        n_samples=n,
        n_outputs=o,
        lost=float(((basis[:, :2].T @ residual) ** 2).sum()),
    )
    left = [residual - basis[:, 2:] @ ((1 - d)[:, None] * inside) for d in decay]
    assert_near(modes.error(decay), torch.stack([(r**2).mean() for r in left]))


@pytest.mark.parametrize("t", [0.0, 0.7, inf])
def test_weights_and_decay_tell_one_story(t: float) -> None:
    """What is left is what was not learned: `decay = 1 - sum_g eigenvalues_g weights_g`."""
    modes = modes_of(randn(3, 40).exp())
    run = flow_trajectory(modes, [t])
    expected = 1 - (modes.eigenvalues * run.weights).sum(1)
    assert float((run.decay - expected).abs().max()) < 1e-14
