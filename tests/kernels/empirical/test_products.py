"""Sums of products that grow: against float64, and their digits in float32."""

import pytest
import torch

from ntkit.kernels.empirical.products import GramSum, RowsSum
from tests.cases import randn
from tests.tolerances import assert_near


@pytest.mark.parametrize("is_symmetric", [True, False])
@pytest.mark.parametrize("n", [1, 7, 300])
def test_rows_of_few_and_of_many_columns(*, n: int, is_symmetric: bool) -> None:
    """Those of few columns wait until there are enough: none is lost or counted twice."""
    m = n if is_symmetric else 5
    total = RowsSum(n, None if is_symmetric else m, randn(0))
    expected = torch.zeros(n, m).double()
    for k, columns in enumerate((3, 5000, 1500, 1500, 1500, 1)):
        a = randn(n, columns, seed=k)
        b = a if is_symmetric else randn(m, columns, seed=k + 10)
        total.add(a, b)
        expected += a @ b.T
    assert_near(total.finished(), expected)


@pytest.mark.parametrize("is_symmetric", [True, False])
def test_sums_over_outputs(*, is_symmetric: bool) -> None:
    """`sum_k a_k b_k^T`, times another product, with a second such sum added."""
    n, m = 300, 300 if is_symmetric else 5
    sums, expected = [], torch.zeros(n, m).double()
    for k, terms in enumerate((20, 9000)):
        a = randn(3, n, terms, seed=k)
        b = a if is_symmetric else randn(3, m, terms, seed=k + 10)
        x = randn(n, 4, seed=k + 20)
        y = x if is_symmetric else randn(m, 4, seed=k + 30)
        sums.append(GramSum(n, None if is_symmetric else m, randn(0)))
        sums[-1].add(a[:1], b[:1])
        sums[-1].add(a[1:], b[1:])
        sums[-1].multiply(x, y, 0.5)
        expected += torch.bmm(a, b.mT).sum(0) * (x @ y.T + 0.5)
    sums[0].merge(sums[1])
    assert_near(sums[0].finished(), expected)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_sums_of_many_terms_keep_their_digits(order: tuple[int, int]) -> None:
    """Of one sign: half a million float32 terms at once lose 3e-5, blocks of them some 1e-6."""
    a = [randn(1, 2, terms, seed=terms).abs().float() for terms in (64, 500_000)]
    sums = []
    for k in order:
        sums.append(GramSum(2, None, a[k][0]))
        sums[-1].add(a[k], a[k])
    sums[0].merge(sums[1])
    expected = sum((each[0].double() @ each[0].double().T for each in a), torch.zeros(2, 2))
    assert float((sums[0].finished() / expected - 1).abs().max()) < 2e-6
