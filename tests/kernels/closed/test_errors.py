"""What the closed forms refuse, and what they say."""

import pytest
import torch

from ntkit import Grid, encodings, gram, kernels
from ntkit.kernels import RBF, ArcCosine, Laplace, Linear, Matern, Polynomial, Stationary
from tests.cases import randn


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: RBF(0.0), ValueError, "`lengthscale=0.0` must be a finite number above 0"),
        (lambda: RBF([1.0, -1.0]), ValueError, r"`lengthscale\[1\]=-1.0` must be"),
        (
            lambda: RBF(torch.tensor([1.0, 0.0])),
            ValueError,
            "`lengthscale` has an entry 0; .*above 0",
        ),
        (lambda: RBF(torch.ones(2, 2)), ValueError, "`lengthscale` must have 0 or 1 axes"),
        (lambda: RBF(torch.tensor(torch.nan)), ValueError, "`lengthscale` has 1 NaN or infinite"),
        (
            lambda: RBF(torch.tensor(1.0).half()),
            TypeError,
            "`lengthscale` must be float32 or float64",
        ),
        (lambda: Polynomial(0), ValueError, "`degree=0` must be at least 1"),
        (lambda: Polynomial(2, -1.0), ValueError, "`offset=-1.0` must be 0 or more"),
        (lambda: Polynomial(2, torch.tensor(-1.0)), ValueError, "has an entry -1; .* 0 or more"),
        (lambda: Matern(1.0), ValueError, "`nu=1.0` must be 0.5, 1.5, 2.5 or infinity"),
        (lambda: ArcCosine(3), ValueError, "`order=3` must be 0, 1 or 2"),
        (
            lambda: Stationary(encodings.NeRF(2, 3, include_input=True)),
            ValueError,
            "not stationary: .* Use `FeatureMap",
        ),
    ],
)
def test_hyperparameters(make, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_stationary_needs_waves(unchecked) -> None:
    with pytest.raises(TypeError, match="must be a Fourier encoding, got Identity"):
        Stationary(encodings.Identity(2))


@pytest.mark.parametrize("kernel", [Linear(), RBF(), kernels.FeatureMap(lambda x: x)], ids=repr)
def test_points(kernel, unchecked) -> None:
    with pytest.raises(ValueError, match=r"`x1` must be \[n, ...\] with at least 2 axes"):
        kernel(torch.zeros(3))
    with pytest.raises(ValueError, match="`x2` has 1 NaN or infinite"):
        kernel(randn(2, 1), torch.tensor([[torch.nan]]))
    with pytest.raises(TypeError, match="`x` must be float32 or float64"):
        kernel.diag(torch.zeros(3, 2, dtype=torch.int64))


def test_coordinates_must_agree() -> None:
    with pytest.raises(ValueError, match="`x2` has points of 3 coordinates, and `x1` of 2"):
        Linear()(randn(2, 2), randn(2, 3))
    with pytest.raises(ValueError, match="has 2 lengths, and `x1` 3 axes"):
        Laplace([1.0, 2.0])(randn(2, 3))
    with pytest.raises(ValueError, match="has 2 lengths, and `lags` 1 axes"):
        gram(RBF([1.0, 2.0]), Grid(4))
