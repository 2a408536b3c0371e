"""Sums, products and numbers: the algebra, and what stays stationary."""

import numpy as np
import pytest
import torch

from ntkit import GradientFlow, Grid, encodings, gram, kernels, networks, ntk
from ntkit.kernels import (
    RBF,
    Constant,
    Laplace,
    Linear,
    Matern,
    Polynomial,
    Product,
    Stationary,
    Sum,
)
from tests.cases import layered, randn, seeded
from tests.tolerances import assert_near

X, Y = randn(4, 2), randn(3, 2, seed=1)


def test_values_add_and_multiply() -> None:
    network = ntk(layered(encodings.Basic(2)))
    kernel = 2 * RBF(0.5) * network + Linear() * 0.5 + 1
    expected = 2 * RBF(0.5)(X, Y) * network(X, Y) + 0.5 * X @ Y.T + 1
    assert_near(kernel(X, Y), expected)
    assert_near(kernel.diag(X), kernel(X).diagonal())


def test_powers_are_polynomials() -> None:
    """`(x.y + c)^3` written out."""
    affine = Linear() + 0.5
    assert_near((affine * affine * affine)(X, Y), Polynomial(3, 0.5)(X, Y))


def test_products_of_axes_are_the_whole() -> None:
    first, second = kernels.FeatureMap(lambda x: x[:, :1]), kernels.FeatureMap(lambda x: x[:, 1:])
    assert_near((first + second)(X, Y), Linear()(X, Y))
    apart = Laplace([0.3, 1e9])(X, Y) * Laplace([1e9, 0.5])(X, Y)
    assert_near(
        apart, Laplace([0.3, 0.5])(X, Y), loosen=1e4
    )  # an axis of length 1e9 is not quite off


def test_sums_and_products_are_flat() -> None:
    assert len((RBF() + 1 + (Linear() + 2)).parts) == 4
    assert len((RBF() * 2 * (Linear() * RBF())).parts) == 4
    assert repr(2 * (Linear() + 1)) == "Constant(2) * (Linear() + Constant(1))"
    assert isinstance(sum([RBF(), Linear()]), Sum)


def test_numbers_of_other_libraries() -> None:
    for number in (np.float64(2.0), torch.tensor(2.0), 2):
        assert_near((number * Linear())(X), 2 * Linear()(X))
        assert_near((Linear() + number)(X), Linear()(X) + 2)
        assert isinstance(number * RBF(), Product)


def test_single_precision_is_rounded_once() -> None:
    """Two parts that cancel no digits of their sum: the sum is that of float64, rounded."""
    kernel = 1e-3 * RBF(0.3) + Matern(1.5)
    exact = kernel(X.float().double())
    assert torch.equal(kernel(X.float()), exact.float())


def test_what_stays_stationary() -> None:
    waves, network = Stationary(encodings.Basic(2)), ntk(layered(encodings.Basic(2)))
    assert (RBF() + network).is_stationary
    assert not (RBF() + network).has_unit_period
    assert (waves * network * 2 + 1).has_unit_period
    assert not (RBF() * Linear()).is_stationary
    assert not (RBF() + Linear()).has_unit_period
    grid = Grid((6, 6))
    assert gram(RBF() + network, grid).kind == "toeplitz"
    assert gram(waves * network * 2 + 1, grid).kind == "circulant"
    assert gram(RBF() + Linear(), grid).kind == "dense"


def test_flows_take_sums() -> None:
    kernel = RBF(0.2) + 0.1 * ntk(layered(encodings.Basic(1)))
    grid = Grid(24)
    y = torch.sin(7 * grid.points()[:, 0])
    fast = GradientFlow(kernel, grid[::2], y[::2])
    slow = GradientFlow(kernel, grid.points()[::2], y[::2])
    assert (fast.kind, slow.kind) == ("toeplitz", "dense")
    assert_near(fast.predict(grid, [0.5, 5.0]), slow.predict(grid.points(), [0.5, 5.0]), loosen=1e5)


def test_no_table_of_lags_without_stationary_parts() -> None:
    with pytest.raises(ValueError, match=r"needs stationary parts, and `Linear\(\)` is not"):
        (RBF() + Linear()).lag_table([torch.zeros(2).double()])


def test_parts_must_give_one_matrix() -> None:
    images = ntk(
        torch.nn.Sequential(
            networks.Conv1d(2, 4, 3, padding=1, generator=seeded()),
            torch.nn.ReLU(),
            networks.Conv1d(4, 1, 1, generator=seeded(1)),
        )
    )
    with pytest.raises(ValueError, match=r"one table of shape \(3, 3\); .* gave shape \(3, 3, 5\)"):
        (images + Linear())(randn(3, 2, 5))


def test_numbers_must_keep_the_kernel_positive(unchecked) -> None:
    with pytest.raises(ValueError, match=r"`value=-1` must be 0 or more"):
        -1 * RBF()
    with pytest.raises(TypeError, match="`value='a'` must be a number"):
        RBF() + "a"
    with pytest.raises(ValueError, match="`value=inf` must be finite"):
        RBF() * float("inf")


@pytest.mark.parametrize("kind", [Sum, Product])
def test_empty(kind) -> None:
    with pytest.raises(ValueError, match=rf"`{kind.__name__}\(\)` needs one kernel or more"):
        kind()


def test_constant_zero_is_the_zero_kernel() -> None:
    assert not Constant(0.0)(X).any()
