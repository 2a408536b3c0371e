"""Every operator multiplies as its dense matrix does."""

import pytest
import torch

from ntkit.operators import AbstractOperator
from tests.cases import OPERATORS, randn
from tests.tolerances import assert_near

CASES = [make for makers in OPERATORS.values() for make in makers]
parametrised = pytest.mark.parametrize("op", [make() for make in CASES], ids=repr)


@parametrised
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_products_agree_with_the_dense_matrix(op: AbstractOperator, dtype: torch.dtype) -> None:
    matrix, fast = op.dense(), op.to(dtype)
    assert matrix.shape == op.shape
    v = randn(op.shape[1], 3)
    assert_near(fast @ v, matrix @ v)
    assert_near(fast @ v[:, 0], matrix @ v[:, 0])
    assert_near(fast.rows(v.T.to(dtype)), (matrix @ v).T)


@parametrised
def test_the_parts_of_complex_vectors(op: AbstractOperator) -> None:
    real, imaginary = randn(op.shape[1], 2), randn(op.shape[1], 2, seed=1)
    found = op @ torch.complex(real, imaginary)
    assert_near(found.real, op @ real)
    assert_near(found.imag, op @ imaginary)


@parametrised
def test_vectors_of_other_kinds(op: AbstractOperator, unchecked) -> None:
    v = torch.arange(op.shape[1])
    assert torch.equal(op @ v, op @ v.double())
    with pytest.raises(TypeError, match=r"`op @ v`: `v` must be a torch.Tensor, got ndarray"):
        op @ v.numpy()
    with pytest.raises(TypeError, match=r"`v` must be dense, .* Pass `v.to_dense\(\)`"):
        op @ v.double().to_sparse()


@parametrised
def test_linear(op: AbstractOperator) -> None:
    u, v = randn(op.shape[1]), randn(op.shape[1], seed=1)
    assert_near(op @ (2 * u - 3 * v), 2 * (op @ u) - 3 * (op @ v), loosen=10)


@parametrised
def test_diagonal(op: AbstractOperator) -> None:
    if op.shape[0] == op.shape[1]:
        assert_near(op.diagonal(), op.dense().diagonal())


@parametrised
def test_the_argument_is_not_changed(op: AbstractOperator) -> None:
    v = randn(2, op.shape[1])
    before = v.clone()
    op.rows(v)
    assert torch.equal(v, before)


@parametrised
def test_wrong_lengths_are_refused(op: AbstractOperator) -> None:
    n = op.shape[1]
    with pytest.raises(ValueError, match=rf"`v` must be \[{n}\] or \[{n}, c\]"):
        op @ torch.zeros(n + 1)
    with pytest.raises(ValueError, match="`op @ v`"):
        op @ torch.zeros(n, 1, 1)


@parametrised
def test_repr_names_size_kind_and_precision(op: AbstractOperator) -> None:
    n, m = op.shape
    assert repr(op) == f"<{n} x {m} {op.kind} operator, float64>"
    assert repr(op.to(torch.float32)).endswith("float32>")
