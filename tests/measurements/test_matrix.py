"""Matrices of all kinds are the same map, and an adjoint that is none shows."""

import re

import numpy as np
import pytest
import torch
from torch import Tensor

from ntkit.measurements import Matrix, Samples, adjoint_mismatch
from ntkit.measurements.base import AbstractMeasurement
from ntkit.measurements.sparse_matrix import SparseMatrix
from tests.cases import randn
from tests.tolerances import assert_near

REAL = randn(6, 12) * (randn(6, 12, seed=1) > 0)
COMPLEX = torch.complex(REAL, REAL.roll(1, 1))


def parts(v: Tensor) -> Tensor:
    return torch.view_as_real(v.resolve_conj()) if v.is_complex() else v


@pytest.mark.parametrize("matrix", [REAL, COMPLEX], ids=["real", "complex"])
@pytest.mark.parametrize("complex_field", [False, True])
def test_every_kind_is_the_same_map(matrix: Tensor, complex_field: bool) -> None:
    kinds = [matrix, matrix.to_sparse(), matrix.to_sparse_csr(), matrix.numpy()]
    field, data = randn(3, 4, 2), randn(6, 2)
    if complex_field:
        field, data = field * (1 + 2j), data * (2 - 1j)
    wide = torch.promote_types(matrix.dtype, field.dtype)
    there = matrix.to(wide) @ field.reshape(12, 2).to(wide)
    back = (matrix.to(wide).mH @ data.to(wide)).reshape(3, 4, 2)
    for kind in kinds:
        A = Matrix(kind, (3, 4))
        assert_near(parts(A(field)), parts(there))
        assert_near(parts(A.adjoint(data)), parts(back))


def test_scipys_kinds_are_the_same_map() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    linalg = pytest.importorskip("scipy.sparse.linalg")
    field, data = randn(12, 2), randn(6, 2)
    for matrix in (REAL, COMPLEX):
        whole = sparse.csr_array(matrix.numpy())
        for kind in (
            whole,
            whole.tocoo(),
            sparse.csc_matrix(whole),
            linalg.aslinearoperator(whole),
        ):
            A = Matrix(kind)
            assert_near(parts(A(field)), parts(matrix @ field.to(matrix.dtype)))
            assert_near(parts(A.adjoint(data)), parts(matrix.mH @ data.to(matrix.dtype)))
            assert adjoint_mismatch(A) < 1e-14


def test_whole_numbers_multiply() -> None:
    A = Matrix(np.array([[1, 2], [3, 4]]))
    assert A(torch.tensor([[1.0], [1.0]])).flatten().tolist() == [3.0, 7.0]


def test_groups_are_those_given() -> None:
    A = Matrix(REAL, groups=[7, 7, 3, 3, 9, 7])
    assert A.groups.tolist() == [1, 1, 0, 0, 2, 1]
    assert A[torch.tensor([4, 2])].groups.tolist() == [1, 0]
    assert Matrix(REAL).groups.tolist() == [0, 1, 2, 3, 4, 5]


def test_rows_of_a_sparse_matrix() -> None:
    whole = Matrix(REAL.to_sparse())._products.matrix  # pyright: ignore
    assert isinstance(whole, SparseMatrix)
    index = torch.tensor([4, 0, 4])
    v = randn(12, 3)
    assert_near(whole.rows(index).times(v), REAL[index] @ v)
    assert_near(whole.rows(index).transposed_times(v[:3]), REAL[index].T @ v[:3])


class Wrong(AbstractMeasurement):
    """Its adjoint is too large."""

    field_shape = (8, 8)
    data_shape = (64,)
    device = torch.device("cpu")

    def _forward(self, field: Tensor) -> Tensor:
        return field.reshape(64, -1)

    def _adjoint(self, data: Tensor) -> Tensor:
        return 1.5 * data.reshape(8, 8, -1)

    def __getitem__(self, rows: slice | Tensor) -> "Wrong":
        raise NotImplementedError


def test_an_adjoint_that_is_none_shows() -> None:
    assert adjoint_mismatch(Wrong()) > 0.01
    assert adjoint_mismatch(Samples.every_other((8, 8)), seed=3) < 1e-14
    assert adjoint_mismatch(Matrix(torch.zeros(3, 3))) == 0


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: Matrix(torch.ones(3)), ValueError, "`matrix` has shape (3,); two axes"),
        (lambda: Matrix([[1.0]]), TypeError, "or a `LinearOperator`"),
        (lambda: Matrix(torch.full((2, 2), float("nan"))), ValueError, "`matrix` has 4 NaN"),
        (lambda: Matrix(REAL, (3, 3)), ValueError, "has 9 points, and the matrix 12 columns"),
        (lambda: Matrix(REAL, groups=[0, 1]), ValueError, "each of 6 rows is needed"),
        (lambda: Matrix(REAL, groups=torch.ones(6)), ValueError, "each of 6 rows is needed"),
    ],
)
def test_refusals(make, kind: type[Exception], message: str, unchecked: None) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        make()
