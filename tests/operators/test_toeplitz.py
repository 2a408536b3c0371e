"""Toeplitz and circulant products by FFT, against the matrix written out entry by entry."""

from math import prod

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntkit.operators import CirculantOperator, ToeplitzOperator
from ntkit.operators.toeplitz import fast_length
from tests import oracles
from tests.cases import randn
from tests.tolerances import assert_near

SHAPES = st.integers(1, 3).flatmap(
    lambda d: st.tuples(*[st.lists(st.integers(1, 5), min_size=d, max_size=d)] * 2)
)


@given(shapes=SHAPES, seed=st.integers(0, 9))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_toeplitz_is_the_matrix_of_its_table(shapes, seed: int, dtype: torch.dtype) -> None:
    rows, cols = map(tuple, shapes)
    table = randn(*[n + m - 1 for n, m in zip(rows, cols, strict=True)], seed=seed)
    op = ToeplitzOperator(table, rows, cols, dtype=dtype)
    assert_near(op.dense(), oracles.toeplitz_matrix(table, rows, cols))


@pytest.mark.parametrize("shape", [(9,), (31,), (7, 9), (4, 11), (3, 5, 4)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_symmetric_tables_with_their_real_spectrum(shape, dtype: torch.dtype) -> None:
    table = randn(*[2 * n - 1 for n in shape])
    table = table + table.flip(list(range(len(shape))))
    op = ToeplitzOperator(table, shape, dtype=dtype)
    assert op.is_symmetric
    assert_near(op.dense(), oracles.toeplitz_matrix(table, shape, shape))


@pytest.mark.parametrize("working_set", [1, 200, 1000])
@pytest.mark.parametrize(
    ("rows", "cols"), [((9,), (7,)), ((6, 7), (6, 5)), ((4, 7), (6, 5)), ((3, 4, 5), (2, 4, 3))]
)
def test_blocks_and_batches_change_nothing(monkeypatch, rows, cols, working_set: int) -> None:
    table = randn(*[n + m - 1 for n, m in zip(rows, cols, strict=True)])
    v = randn(5, prod(cols))
    whole = ToeplitzOperator(table, rows, cols).rows(v)
    monkeypatch.setattr("ntkit.operators.toeplitz._WORKING_SET", working_set)
    assert_near(ToeplitzOperator(table, rows, cols).rows(v), whole)
    assert_near(whole, v @ oracles.toeplitz_matrix(table, rows, cols).T)


def test_symmetry_is_of_shape_and_table() -> None:
    assert not ToeplitzOperator(randn(9), (5,)).is_symmetric
    assert not ToeplitzOperator(torch.ones(9).double(), (6,), (4,)).is_symmetric


@given(shape=st.lists(st.integers(1, 6), min_size=1, max_size=3))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_circulant_is_the_matrix_of_its_table(shape, dtype: torch.dtype) -> None:
    table = randn(*shape)
    op = CirculantOperator(table, dtype=dtype)
    assert_near(op.dense(), oracles.circulant_matrix(table))


@pytest.mark.parametrize("shape", [(9,), (4, 6), (3, 4, 5)], ids=str)
def test_circulant_eigenvalues(shape) -> None:
    table = randn(*shape)
    mirrored = table.flip(list(range(len(shape)))).roll([1] * len(shape), list(range(len(shape))))
    op = CirculantOperator(table + mirrored)
    whole = torch.fft.fftn(op.table).real.flatten().sort().values
    assert_near(whole, torch.linalg.eigvalsh(op.dense()), loosen=10)
    assert_near(op.eigenvalues(), torch.fft.rfftn(op.table).real)


@given(n=st.integers(1, 5000))
def test_fast_length_is_the_least_even_smooth_one(n: int) -> None:
    length = fast_length(n)

    def is_smooth(k: int) -> bool:
        for p in (2, 3, 5):
            while k % p == 0:
                k //= p
        return k == 1

    expected = next(k for k in range(n, 3 * n + 3) if is_smooth(k) and (k % 2 == 0 or n == 1))
    assert length == expected


def test_a_table_of_the_wrong_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`table` must hold every lag .* shape \(9, 5\)"):
        ToeplitzOperator(randn(9, 6), (5, 3))
