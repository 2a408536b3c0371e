"""Products of a matrix and of its adjoint, whatever it is kept in."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ntkit._core.checks import finite
from ntkit.measurements.sparse_matrix import Entries, SparseMatrix, both_parts

__all__ = ["AbstractMatrixProducts", "products_of"]


class AbstractMatrixProducts(ABC):
    """A matrix known by its products with the columns of a tensor."""

    shape: tuple[int, int]
    is_complex: bool
    device: torch.device

    @abstractmethod
    def times(self, v: Tensor) -> Tensor:
        """`A v`; of a real matrix for complex columns too."""

    @abstractmethod
    def adjoint_times(self, v: Tensor) -> Tensor:
        """`A^H v`."""

    @abstractmethod
    def rows(self, index: Tensor) -> "AbstractMatrixProducts | None":
        """Those of some rows; None where they cannot be had alone."""


class _Dense(AbstractMatrixProducts):
    def __init__(self, matrix: Tensor) -> None:
        self.matrix = matrix
        self.shape = (matrix.shape[0], matrix.shape[1])
        self.is_complex, self.device = matrix.is_complex(), matrix.device

    def times(self, v: Tensor) -> Tensor:
        return (
            both_parts(lambda c: self.matrix.to(c) @ c, v)
            if not self.is_complex
            else self._in(v) @ v
        )

    def adjoint_times(self, v: Tensor) -> Tensor:
        if self.is_complex:
            return self._in(v).mH @ v
        return both_parts(lambda c: self.matrix.to(c).T @ c, v)

    def _in(self, v: Tensor) -> Tensor:
        return self.matrix.to(v)

    def rows(self, index: Tensor) -> "_Dense":
        return _Dense(self.matrix[index])


class _Sparse(AbstractMatrixProducts):
    def __init__(self, matrix: SparseMatrix) -> None:
        self.matrix = matrix
        self.shape = (matrix.n_rows, matrix.n_columns)
        values = matrix.forward.values
        self.is_complex, self.device = values.is_complex(), values.device

    def times(self, v: Tensor) -> Tensor:
        return self.matrix.times(v)

    def adjoint_times(self, v: Tensor) -> Tensor:
        if self.is_complex:
            return self.matrix.transposed_times(v.conj().resolve_conj()).conj().resolve_conj()
        return self.matrix.transposed_times(v)

    def rows(self, index: Tensor) -> "_Sparse":
        return _Sparse(self.matrix.rows(index))


class _Operator(AbstractMatrixProducts):
    """SciPy's, in NumPy."""

    def __init__(self, operator: Any) -> None:
        self.operator = operator
        self.shape = (int(operator.shape[0]), int(operator.shape[1]))
        self.is_complex = np.issubdtype(operator.dtype, np.complexfloating)
        self.device = torch.device("cpu")

    def times(self, v: Tensor) -> Tensor:
        return self._call(self.operator.matmat, v)

    def adjoint_times(self, v: Tensor) -> Tensor:
        return self._call(self.operator.rmatmat, v)

    def rows(self, index: Tensor) -> None:
        return None

    def _call(self, product: Any, v: Tensor) -> Tensor:
        def real(columns: Tensor) -> Tensor:
            found = np.asarray(product(columns.detach().cpu().numpy()))
            return torch.from_numpy(np.ascontiguousarray(found)).to(columns)

        return real(v.resolve_conj()) if self.is_complex else both_parts(real, v)


def products_of(matrix: Any) -> AbstractMatrixProducts:
    """Of whatever was given.

    Raises:
        TypeError: It is nothing that multiplies.
        ValueError: It has not two axes.
    """
    if isinstance(matrix, _Dense | _Sparse):
        return matrix
    if isinstance(matrix, np.ndarray):
        matrix = torch.from_numpy(matrix)
    if hasattr(matrix, "tocsr"):
        csr = matrix.tocsr()
        starts, columns, values = (
            torch.from_numpy(np.array(part)) for part in (csr.indptr, csr.indices, csr.data)
        )
        return _of_compressed(starts, columns, values, csr.shape[1])
    if isinstance(matrix, Tensor):
        if matrix.ndim != 2:
            raise ValueError(f"`matrix` has shape {tuple(matrix.shape)}; two axes are needed.")
        if matrix.layout == torch.strided:
            return _Dense(_numbers(matrix.detach()))
        coo = matrix.detach().to_sparse_coo().coalesce()
        counts = torch.bincount(coo.indices()[0], minlength=matrix.shape[0])
        entries = Entries(counts, coo.indices()[1], _numbers(coo.values()))
        return _Sparse(SparseMatrix.of_rows([entries], matrix.shape[1]))
    if all(hasattr(matrix, name) for name in ("shape", "dtype", "matmat", "rmatmat")):
        return _Operator(matrix)
    raise TypeError(
        f"`matrix` must be a tensor, an array, a SciPy sparse matrix, or a `LinearOperator` with `matmat` and `rmatmat`, "
        f"got {type(matrix).__name__}."
    )


def _of_compressed(starts: Tensor, columns: Tensor, values: Tensor, n_columns: int) -> _Sparse:
    """SciPy's compressed rows."""
    entries = Entries(starts.long().diff(), columns, _numbers(values))
    return _Sparse(SparseMatrix.of_rows([entries], n_columns))


def _numbers(values: Tensor) -> Tensor:
    """Finite ones; whole ones as float64."""
    if not (values.is_floating_point() or values.is_complex()):
        return values.double()
    finite("matrix", torch.view_as_real(values.resolve_conj()) if values.is_complex() else values)
    return values
