"""Chebyshev series and their recurrence."""

import numpy as np
import pytest
import torch

from ntkit._core.errors import NumericalError
from ntkit.operators import DenseOperator
from ntkit.solvers import chebyshev_apply, chebyshev_series, phi
from ntkit.solvers.chebyshev import flow_degree
from tests.cases import randn
from tests.tolerances import assert_near, relative_error

SCALES = [0.0, 1e-3, 1.0, 30.0, 1e3, 1e5]


def positive_definite(n: int, top: float = 1.0) -> torch.Tensor:
    """Eigenvalues from `top` down to `1e-6 top`, evenly in the logarithm."""
    basis, _ = torch.linalg.qr(randn(n, n))
    return basis * (top * torch.logspace(0, -6, n, dtype=torch.float64)) @ basis.T


def no_modes(n: int) -> torch.Tensor:
    return torch.zeros(0, n, dtype=torch.float64)


@pytest.mark.parametrize("tolerance", [1e-4, 1e-8, 1e-12])
@pytest.mark.parametrize("t", SCALES)
def test_series_is_within_its_tolerance_everywhere(t: float, tolerance: float) -> None:
    upper = 2.5
    coefficients = chebyshev_series(
        [lambda s: torch.exp(-t * s)],
        upper=upper,
        tolerances=[tolerance],
        degree=flow_degree(t * upper / 2, tolerance * 1e-6),
    )
    x = 2 * torch.linspace(0, 1, 4001, dtype=torch.float64) ** 2 - 1
    s = upper * (x + 1) / 2  # exact near -1, where the function is steep
    series = np.polynomial.chebyshev.chebval(x.numpy(), coefficients[0].numpy())
    error = (torch.from_numpy(series) - torch.exp(-t * s)).abs().max()
    assert float(error) <= 1.01 * tolerance + 1e-12


@pytest.mark.parametrize("tolerance", [1e-4, 1e-8])
def test_degree_grows_with_the_square_root_of_time(tolerance: float) -> None:
    lengths = [
        chebyshev_series(
            [lambda s, t=t: torch.exp(-t * s)],
            upper=1.0,
            tolerances=[tolerance],
            degree=flow_degree(t / 2, tolerance * 1e-6),
        ).shape[1]
        for t in (1e3, 1e5)
    ]
    assert 8 < lengths[1] / lengths[0] < 10.5


def test_each_function_is_cut_on_its_own() -> None:
    short, long = chebyshev_series(
        [lambda s: torch.exp(-s), lambda s: torch.exp(-1e3 * s)],
        upper=1.0,
        tolerances=[1e-8, 1e-8],
        degree=flow_degree(500, 1e-14),
    )
    assert int(short.count_nonzero()) < 20 < 100 < int(long.count_nonzero())


@pytest.mark.parametrize("n_modes", [0, 3])
@pytest.mark.parametrize("t", SCALES)
def test_applied_to_vectors(t: float, n_modes: int) -> None:
    """`exp(-tK) v` and `phi_t(K) v` on what is left beside the deflated modes."""
    matrix = positive_definite(30, top=2.0)
    values, vectors = torch.linalg.eigh(matrix)
    modes = vectors[:, 30 - n_modes :].T
    v = randn(2, 30)
    v = v - (v @ modes.T) @ modes
    upper = 1.01 * float(values[29 - n_modes])
    functions = [lambda s: torch.exp(-t * s), lambda s: phi(s, t)]
    series = chebyshev_series(
        functions, upper=upper, tolerances=[1e-12, 1e-12 / upper],
        degree=flow_degree(t * upper / 2, 1e-18),
    )  # fmt: skip
    out = chebyshev_apply(DenseOperator(matrix), v, series, upper=upper, deflate=modes)
    for actual, function in zip(out, functions, strict=True):
        expected = v @ vectors * function(values.clamp_min(0)) @ vectors.T
        assert relative_error(actual, expected) < 1e-10  # a thousand terms of rounding


def test_series_of_any_lengths_in_any_order() -> None:
    """Short series stop adding terms before long ones do."""
    op, v, modes = DenseOperator(positive_definite(20, top=0.95)), randn(2, 20), no_modes(20)
    series = torch.zeros(4, 30, dtype=torch.float64)
    for row, length in zip(series, [30, 1, 17, 9], strict=True):
        row[:length] = randn(length)
    together = chebyshev_apply(op, v, series, upper=1.0, deflate=modes)
    for row, found in zip(series, together, strict=True):
        assert_near(chebyshev_apply(op, v, row[None], upper=1.0, deflate=modes)[0], found)


def test_one_product_a_degree_is_reported() -> None:
    steps = []
    series = chebyshev_series(
        [lambda s: torch.exp(-s)], upper=1.0, tolerances=[1e-10], degree=flow_degree(0.5, 1e-16)
    )
    op = DenseOperator(positive_definite(5))
    chebyshev_apply(
        op, randn(1, 5), series, upper=1.0, deflate=no_modes(5), on_step=lambda: steps.append(1)
    )
    assert len(steps) == series.shape[1] - 1


def test_a_bound_below_the_spectrum_is_noticed() -> None:
    series = torch.ones(1, 200, dtype=torch.float64)
    op, v = DenseOperator(positive_definite(30)), randn(2, 30)
    with pytest.raises(NumericalError, match=r"grew past its bound at degree .* `upper=0.9`"):
        chebyshev_apply(op, v, series, upper=0.9, deflate=no_modes(30))


def test_entries_that_are_not_finite_are_noticed() -> None:
    op = DenseOperator(torch.full((4, 4), torch.nan, dtype=torch.float64))
    series = torch.ones(1, 20, dtype=torch.float64)
    with pytest.raises(NumericalError, match="entries that are not finite"):
        chebyshev_apply(op, randn(1, 4), series, upper=1.0, deflate=no_modes(4))


def test_phi_and_its_limits() -> None:
    s = torch.tensor([0.0, 1e-12, 1e-3, 1.0, 50.0], dtype=torch.float64)
    direct = [2.0, 2.0 - 2e-12, -np.expm1(-2e-3) / 1e-3, -np.expm1(-2.0), -np.expm1(-100.0) / 50]
    assert_near(phi(s, 2.0), torch.tensor(direct, dtype=torch.float64))
    assert_near(phi(s, 0.0), torch.zeros(5, dtype=torch.float64))
    infinite = phi(s, float("inf"))
    assert float(infinite[0]) == 0  # nothing is learned where the kernel is zero
    assert_near(infinite[2:], 1 / s[2:])
