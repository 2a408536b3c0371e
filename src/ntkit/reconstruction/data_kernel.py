"""The kernel of the measurements, `A K A^H`, between data in rows of real numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ntkit.measurements import AbstractMeasurement
from ntkit.operators import AbstractOperator, DenseOperator, MatrixFreeOperator

__all__ = ["DataKernel", "DataStructure"]

DataStructure = Literal["auto", "dense", "matrix-free"]

_DENSE = 1024
"""Up to so many real numbers of data, "auto" stores the matrix and takes its eigenvectors."""

_COLUMNS = 128
"""Unit vectors at a time, where entries are asked for."""


@dataclass(frozen=True, eq=False)
class DataKernel:
    """What a kernel on a grid is for data measured of it.

    Data `[*data_shape, c]` are `c` rows here: of `m` real numbers, or of `m` complex ones as pairs, `2 m` numbers. So
    `A K A^H` is one real symmetric matrix in both cases.

    Attributes:
        measurement: `A`.
        prior: `K`, on the points of the grid.

    Example:
        >>> from ntkit.measurements import Samples
        >>> kernel = DataKernel(Samples.every_other((4,)), DenseOperator(torch.eye(4).double()))
        >>> kernel.operator("dense").dense()
        tensor([[1., 0.],
                [0., 1.]], dtype=torch.float64)
    """

    measurement: AbstractMeasurement
    prior: AbstractOperator

    @property
    def size(self) -> int:
        """Real numbers a row."""
        return prod(self.measurement.data_shape) * (2 if self.measurement.is_complex else 1)

    def rows(self, data: Shaped[Tensor, "..."]) -> Float[Tensor, "c n"]:
        """Data `[*data_shape, c]` as rows."""
        flat = data.reshape(-1, data.shape[-1]).T
        return torch.view_as_real(flat.contiguous()).flatten(1) if flat.is_complex() else flat

    def data(self, rows: Float[Tensor, "c n"]) -> Shaped[Tensor, "..."]:
        """Back from `rows`."""
        if self.measurement.is_complex:
            rows = torch.view_as_complex(rows.reshape(len(rows), -1, 2).contiguous())
        return rows.T.reshape(*self.measurement.data_shape, -1)

    def smoothed(self, rows: Float[Tensor, "c n"]) -> Shaped[Tensor, "..."]:
        """`K A^H d`: what a change of the network by the gradients of data changes in the field, `[*field_shape, c]`."""
        field = self.measurement.adjoint(self.data(rows))
        return (self.prior @ field.reshape(-1, field.shape[-1])).reshape(field.shape)

    def product(self, rows: Float[Tensor, "c n"]) -> Float[Tensor, "c n"]:
        """`A K A^H d`, for each row."""
        return self.rows(self.measurement(self.smoothed(rows)))

    def operator(
        self, structure: DataStructure = "auto", on_step: Callable[[], None] | None = None
    ) -> AbstractOperator:
        """The matrix `A K A^H`, stored or as products.

        Args:
            structure: "dense" or "matrix-free"; "auto" is dense up to 1,024 numbers a row.
            on_step: Called with each block of a matrix that is stored.

        Raises:
            ValueError: There is no such structure.
        """
        if structure not in {"auto", "dense", "matrix-free"}:
            raise ValueError(f'`structure={structure!r}` must be "auto", "dense" or "matrix-free".')
        if structure == "dense" or (structure == "auto" and self.size <= _DENSE):
            matrix = self._entries(lambda found, _: found, on_step)
            return DenseOperator((matrix + matrix.T) / 2)
        return MatrixFreeOperator(
            self.product,
            lambda: self._entries(lambda found, first: found.diagonal(first), None),
            (self.size, self.size),
            inner=torch.float64,
            device=self.prior.device,
            about=f"one product with the {self.prior.kind} kernel, and one each with A and its adjoint",
        )

    def _entries(
        self, taken: Callable[[Tensor, int], Tensor], on_step: Callable[[], None] | None
    ) -> Tensor:
        """What is taken of the rows of the matrix, block by block, each with the number of its first."""
        parts = []
        for first in range(0, self.size, _COLUMNS):
            n = min(_COLUMNS, self.size - first)
            unit = torch.zeros(n, self.size, dtype=torch.float64, device=self.prior.device)
            unit[:, first : first + n].fill_diagonal_(1.0)
            parts.append(taken(self.product(unit), first))
            if on_step:
                on_step()
        return torch.cat(parts)
