"""Some rows of what another measurement gives."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from ntkit.measurements.base import AbstractMeasurement, Composed, numbered, row_numbers

__all__ = ["Rows", "rows_of"]


@dataclass(frozen=True, eq=False)
class Rows(AbstractMeasurement):
    """Rows of the first axis of a field, in the order of `index`: `Rows(...) @ A` measures all of `A` and keeps them.

    Attributes:
        field_shape: Of what rows are taken of.
        index: `[n]`, numbers of rows.
        labels: `[n]`, of each its group.

    Example:
        >>> last = Rows((3, 2), torch.tensor([2]), torch.tensor([0]))
        >>> last(torch.arange(6.0).reshape(3, 2, 1)).flatten()
        tensor([4., 5.])
    """

    field_shape: tuple[int, ...]
    index: Int[Tensor, " n"] = field(repr=False)
    labels: Int[Tensor, " n"] = field(repr=False)

    @property
    def data_shape(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """That of the field, with fewer rows."""
        return (len(self.index), *self.field_shape[1:])

    @property
    def device(self) -> torch.device:
        """That of the index."""
        return self.index.device

    @property
    def groups(self) -> Int[Tensor, " n"]:
        """The labels without gaps."""
        return numbered(self.labels)

    def _forward(self, field: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        return field[self.index.to(field.device)]

    def _adjoint(self, data: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        empty = data.new_zeros(*self.field_shape, data.shape[-1])
        return empty.index_add(0, self.index.to(data.device), data)

    def __getitem__(self, rows: slice | Tensor) -> "Rows":
        """Some of them."""
        picked = row_numbers(rows, len(self.index)).to(self.device)
        return Rows(self.field_shape, self.index[picked], self.labels[picked])


def rows_of(A: AbstractMeasurement, rows: slice | Tensor) -> Composed:
    """Some rows of a measurement that has no way to measure them alone.

    Args:
        A: It is measured as a whole each time.
        rows: A slice, a mask, or numbers, of the first axis of its data.

    Example:
        >>> from ntkit.measurements import Samples
        >>> last = rows_of(Samples.everywhere((3,)), slice(2, None))
        >>> last(torch.tensor([[1.0], [2.0], [3.0]])).flatten()
        tensor([3.])
    """
    picked = row_numbers(rows, A.data_shape[0]).to(A.device)
    return Composed(Rows(A.data_shape, picked, A.groups[picked]), A)
