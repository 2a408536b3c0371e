"""The conventions of scikit-learn, where it has the same kernel."""

from math import inf

import pytest
import torch

from ntkit import kernels
from tests.cases import randn
from tests.tolerances import assert_near

pairwise = pytest.importorskip("sklearn.metrics.pairwise")
gaussian_process = pytest.importorskip("sklearn.gaussian_process.kernels")

X, Y = randn(5, 3), randn(4, 3, seed=1)


@pytest.mark.parametrize(
    ("kernel", "theirs"),
    [
        (kernels.Linear(), lambda x, y: pairwise.linear_kernel(x, y)),
        (
            kernels.Polynomial(3, 0.5),
            lambda x, y: pairwise.polynomial_kernel(x, y, degree=3, gamma=1, coef0=0.5),
        ),
        (kernels.RBF(0.7), lambda x, y: pairwise.rbf_kernel(x, y, gamma=1 / (2 * 0.7**2))),
        (kernels.RBF([0.3, 1.0, 2.0]), lambda x, y: gaussian_process.RBF([0.3, 1.0, 2.0])(x, y)),
        (kernels.Laplace(0.7), lambda x, y: pairwise.laplacian_kernel(x, y, gamma=1 / 0.7)),
        *[
            (kernels.Matern(nu, 0.7), lambda x, y, nu=nu: gaussian_process.Matern(0.7, nu=nu)(x, y))
            for nu in (0.5, 1.5, 2.5, inf)
        ],
        (
            kernels.Linear() + 0.25,
            lambda x, y: gaussian_process.DotProduct(sigma_0=0.5)(x, y),
        ),
        (
            2 * kernels.RBF(0.7) + 1,
            lambda x, y: (2 * gaussian_process.RBF(0.7) + 1)(x, y),
        ),
    ],
    ids=lambda value: repr(value) if isinstance(value, kernels.AbstractKernel) else "",
)
def test_same_kernel(kernel, theirs) -> None:
    assert_near(kernel(X, Y), torch.from_numpy(theirs(X.numpy(), Y.numpy())), loosen=10)
