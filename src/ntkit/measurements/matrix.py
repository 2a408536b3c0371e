"""Any linear map: a matrix, dense or sparse, or its products."""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from ntkit._core.checks import positive_int
from ntkit.measurements.base import AbstractMeasurement, Composed, numbered, row_numbers
from ntkit.measurements.coils import as_complex
from ntkit.measurements.linear import linear
from ntkit.measurements.matrix_products import products_of
from ntkit.measurements.rows import rows_of

__all__ = ["Matrix"]


class Matrix(AbstractMeasurement):
    """The product of a matrix `[n, m]` with the flattened field.

    Args:
        matrix: A tensor, dense or sparse; a NumPy array; a SciPy sparse matrix or array; or what has `shape`, `dtype`,
            `matmat` and `rmatmat`, as `scipy.sparse.linalg.LinearOperator` does. Real or complex.
        field_shape: Shape of the field, `m` numbers in all, row-major; `(m,)` by default.
        groups: `[n]`, whole numbers: what is held out together. Each row is its own group by default, which is too
            little where neighbouring rows are alike.

    Raises:
        TypeError: The matrix is none of these.
        ValueError: It does not fit the field, or the groups do not fit it.

    Example:
        >>> A = Matrix(torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]), (2, 2))
        >>> A(torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]]])).flatten()
        tensor([3., 7.])
    """

    def __init__(
        self,
        matrix: Any,
        field_shape: Sequence[int] | None = None,
        groups: Int[Tensor, " n"] | Sequence[int] | None = None,
    ) -> None:
        self._products = products_of(matrix)
        n, m = self._products.shape
        shape = (m,) if field_shape is None else field_shape
        self.field_shape: tuple[int, ...] = tuple(positive_int("field_shape", k) for k in shape)
        if prod(self.field_shape) != m:
            raise ValueError(
                f"`field_shape={self.field_shape}` has {prod(self.field_shape)} points, and the matrix {m} columns."
            )
        self.data_shape: tuple[int, ...] = (n,)
        self.dtype: torch.dtype = torch.complex128 if self._products.is_complex else torch.float64
        self.is_complex: bool = self._products.is_complex
        labels = torch.arange(n) if groups is None else torch.as_tensor(groups)
        if labels.shape != (n,) or labels.is_floating_point() or labels.is_complex():
            raise ValueError(
                f"`groups` has shape {tuple(labels.shape)}, {labels.dtype}; one whole number for each of {n} rows is "
                "needed."
            )
        self._labels = labels

    @property
    def device(self) -> torch.device:
        """That of the matrix."""
        return self._products.device

    @property
    def groups(self) -> Int[Tensor, " n"]:
        """As given."""
        return numbered(self._labels).to(self.device)

    def _forward(self, field: Shaped[Tensor, "..."]) -> Shaped[Tensor, "n o"]:
        return linear(self._there, self._back, field)

    def _adjoint(self, data: Shaped[Tensor, "n o"]) -> Shaped[Tensor, "..."]:
        return linear(self._back, self._there, data)

    def _there(self, field: Tensor) -> Tensor:
        flat = field.reshape(prod(self.field_shape), -1)
        return self._products.times(as_complex(flat) if self.is_complex else flat)

    def _back(self, data: Tensor) -> Tensor:
        found = self._products.adjoint_times(as_complex(data) if self.is_complex else data)
        return found.reshape(*self.field_shape, -1)

    def __getitem__(self, rows: slice | Tensor) -> "Matrix | Composed":
        """Some of the rows; of a map known by its products alone, all are computed."""
        picked = row_numbers(rows, self.data_shape[0])
        part = self._products.rows(picked.to(self.device))
        if part is None:
            return rows_of(self, rows)
        return Matrix(part, self.field_shape, self._labels[picked.to(self._labels.device)])

    def __repr__(self) -> str:
        n, m = self._products.shape
        return f"Matrix({n} x {m}, field of {self.field_shape})"
