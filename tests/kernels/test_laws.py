"""Laws of every kernel: symmetric, positive semi-definite, consistent with itself."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntkit import kernels
from tests.cases import KERNELS, randn, seeded
from tests.tolerances import assert_near

CASES = [make() for makers in KERNELS.values() for make in makers]
every_kernel = pytest.mark.parametrize(
    "kernel", CASES, ids=[f"{i}-{k!r}" for i, k in enumerate(CASES)]
)
SIZES = st.integers(1, 9)
SEEDS = st.integers(0, 99)


@every_kernel
@given(n=SIZES, seed=SEEDS)
def test_symmetric_and_positive_semi_definite(kernel, n: int, seed: int) -> None:
    gram = kernel(randn(n, 2, seed=seed))
    assert_near(gram.T, gram)
    values = torch.linalg.eigvalsh(gram)
    assert values.min() >= -1e-12 * n * values.max()


@every_kernel
@pytest.mark.parametrize("digits", [1, 4, 8, 15])
def test_positive_semi_definite_on_clusters(kernel, digits: int) -> None:
    """Three clusters of three points, up to the last digit apart."""
    x = randn(3, 2).repeat(3, 1) + 10.0**-digits * randn(9, 2, seed=1)
    gram = kernel(x)
    assert_near(gram.T, gram)
    values = torch.linalg.eigvalsh(gram)
    assert values.min() >= -1e-12 * values.max()


@every_kernel
def test_batch_is_the_loop(kernel) -> None:
    x, y = randn(3, 2), randn(2, 2, seed=1)
    loop = torch.stack([torch.cat([kernel(a[None], b[None])[0] for b in y]) for a in x])
    assert_near(kernel(x, y), loop, loosen=10)
    assert_near(kernel.diag(x), torch.cat([kernel.diag(a[None]) for a in x]))


@every_kernel
@given(n=SIZES, seed=SEEDS)
def test_diagonal(kernel, n: int, seed: int) -> None:
    x = randn(n, 2, seed=seed)
    assert_near(kernel(x).diagonal(), kernel.diag(x))


@every_kernel
@given(n=SIZES, seed=SEEDS)
def test_permuted_points_permute_the_matrix(kernel, n: int, seed: int) -> None:
    x, p = randn(n, 2, seed=seed), torch.randperm(n, generator=seeded(seed))
    assert_near(kernel(x[p]), kernel(x)[p][:, p])


@every_kernel
@given(n=SIZES, m=SIZES, seed=SEEDS)
def test_blocks_and_transposes(kernel, n: int, m: int, seed: int) -> None:
    x = randn(n + m, 2, seed=seed)
    block = kernel(x[:n], x[n:])
    assert_near(block, kernel(x)[:n, n:], loosen=10)
    assert_near(kernel(x[n:], x[:n]), block.T)


@every_kernel
def test_coinciding_points_are_one(kernel) -> None:
    x = randn(4, 2)[[0, 1, 0, 1]]
    gram = kernel(x)
    assert_near(gram[:2, 2:], gram[:2, :2])
    assert_near(kernel(x, x.clone()), gram)


@every_kernel
def test_single_precision_in_and_out(kernel) -> None:
    x = randn(5, 2)
    single = kernel(x.float())
    assert single.dtype == kernel.diag(x.float()).dtype == torch.float32
    assert_near(single, kernel(x.float().double()))


@every_kernel
@given(shift=st.floats(-1, 1), seed=SEEDS)
def test_stationary_kernels_see_the_difference_alone(kernel, shift: float, seed: int) -> None:
    x = randn(4, 2, seed=seed)
    if isinstance(kernel, kernels.AbstractLagKernel) and kernel.is_stationary:
        assert_near(kernel(x + shift), kernel(x), loosen=100)  # the phases of the shifted points
    if isinstance(kernel, kernels.AbstractLagKernel) and kernel.has_unit_period:
        assert_near(kernel(x + 1), kernel(x), loosen=100)


@every_kernel
@pytest.mark.parametrize("origin", [0.0, 0.013], ids=["through zero", "off zero"])
def test_lag_table_is_the_kernel_at_lags(kernel, origin: float) -> None:
    lags = [origin + 0.07 * torch.arange(-3, 4).double(), 0.11 * torch.arange(-2, 3).double()]
    if not isinstance(kernel, kernels.AbstractLagKernel):
        return
    if not kernel.is_stationary:
        with pytest.raises(
            ValueError, match=r"needs (one stationary encoding in front|stationary parts)"
        ):
            kernel.lag_table(lags)
        return
    delta = torch.stack(torch.meshgrid(*lags, indexing="ij"), -1).flatten(0, -2)
    row = kernel(delta, torch.zeros(1, 2).double())
    assert_near(kernel.lag_table(lags), row.reshape(7, 5), loosen=10)
