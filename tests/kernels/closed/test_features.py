"""The kernel trick: explicit features give the kernel, and their number is what the formula says."""

from math import comb

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntkit import encodings, kernels, ntk
from tests.cases import KERNELS, layered, lift, randn, seeded
from tests.tolerances import assert_near

WITH_FEATURES = [
    *[
        make()
        for kind in (kernels.Constant, kernels.FeatureMap, kernels.Linear, kernels.Stationary)
        for make in KERNELS[kind]
    ],
    kernels.FeatureMap(lift),
    kernels.Stationary(encodings.Basic(2)),
    *[kernels.Polynomial(p, c) for p in (1, 2, 3, 5) for c in (0.0, 0.5)],
    kernels.Polynomial(3, torch.tensor(0.5)),
    2 * kernels.Linear() + kernels.Polynomial(2) * kernels.Stationary(encodings.Basic(2)) + 1,
]


@pytest.mark.parametrize("kernel", WITH_FEATURES, ids=repr)
@given(n=st.integers(1, 6), m=st.integers(1, 6), seed=st.integers(0, 99))
def test_dot_products_of_features_are_the_kernel(kernel, n: int, m: int, seed: int) -> None:
    x, y = randn(n, 2, seed=seed), randn(m, 2, seed=seed + 100)
    scale = (
        kernel.diag(x).max() * kernel.diag(y).max()
    ).sqrt() + 1  # of the terms of a dot product
    difference = kernel.features(x) @ kernel.features(y).T - kernel(x, y)
    assert float(difference.abs().max() / scale) < 1e-13
    assert kernel.features(x.float()).dtype == torch.float32


@pytest.mark.parametrize("degree", [1, 2, 4])
@pytest.mark.parametrize("d", [1, 3])
def test_monomials_are_counted(degree: int, d: int) -> None:
    x = randn(2, d)
    with_offset = kernels.Polynomial(degree, 1.0).features(x)
    assert with_offset.shape == (2, comb(d + degree, degree))
    without = kernels.Polynomial(degree, 0.0).features(x)
    assert without.shape == (2, comb(d + degree - 1, degree))
    assert torch.linalg.matrix_rank(kernels.Polynomial(degree, 1.0)(randn(99, d))) == comb(
        d + degree, degree
    )


def test_monomials_of_a_point() -> None:
    """`(2 a + 3 b + 1)^2`, term by term."""
    features = kernels.Polynomial(2, 1.0).features(torch.tensor([[2.0, 3.0]]).double())
    roots = 2**0.5
    expected = [[4.0, 6 * roots, 2 * roots, 9.0, 3 * roots, 1.0]]
    assert_near(features, torch.tensor(expected, dtype=torch.float64))


def test_products_pair_each_feature_with_each() -> None:
    x = randn(3, 2)
    product = (kernels.Linear() * kernels.FeatureMap(lift)).features(x)
    expected = torch.stack([torch.kron(a, b) for a, b in zip(x, lift(x), strict=True)])
    assert_near(product, expected)


@pytest.mark.parametrize(
    "kernel",
    [
        kernels.RBF(),
        kernels.Laplace(),
        kernels.Matern(1.5),
        kernels.ArcCosine(1),
        ntk(layered(encodings.Basic(2))),
        kernels.Linear() + kernels.RBF(),
        kernels.Linear() * kernels.RBF(),
    ],
    ids=repr,
)
def test_kernels_without_finite_features_say_so(kernel) -> None:
    with pytest.raises(ValueError, match=r"(RBF|Laplace|Matern|ArcCosine|ntk of).* has no finite"):
        kernel.features(randn(3, 2))


def test_a_module_maps_in_double_precision() -> None:
    layer = torch.nn.Linear(2, 5, bias=False)
    with torch.no_grad():
        layer.weight.normal_(generator=seeded())
    x = randn(4, 2)
    kernel = kernels.FeatureMap(layer)
    exact = x @ layer.weight.detach().double().T
    assert_near(kernel(x).detach(), exact @ exact.T)
    kernel(x).sum().backward()
    gradient = 2 * torch.outer(exact.sum(0), x.sum(0))
    assert_near(layer.weight.grad, gradient.float())


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x.sum(), r"map 3 points to \[3, features\], got \(\)"),
        (lambda x: (x, x), r"map 3 points to \[3, features\], got tuple"),
    ],
    ids=["scalar", "tuple"],
)
def test_functions_that_give_no_features(unchecked, function, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kernels.FeatureMap(function)(randn(3, 2))


def test_features_must_be_a_function(unchecked) -> None:
    with pytest.raises(TypeError, match="`function` must be a function of a tensor, got"):
        kernels.FeatureMap(3)
