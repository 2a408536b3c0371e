"""A field's values at points off its grid."""

from itertools import product
from math import prod

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from ntkit._core.checks import finite, floating_tensor
from ntkit.grids import Grid
from ntkit.measurements.base import AbstractMeasurement, row_numbers
from ntkit.measurements.blocks import blocks_of
from ntkit.measurements.linear import linear
from ntkit.measurements.sparse_matrix import Entries, SparseMatrix

__all__ = ["Interpolation"]


class Interpolation(AbstractMeasurement):
    """The field's values at `points`, interpolated linearly along each axis from the `2^d` points of the grid around.

    Up to one spacing beyond the grid's first and last points the field is taken to be constant.

    Groups are blocks of the grid, about 64 in all, as far as they hold a point.

    Args:
        field_grid: Where the field is known.
        points: `[n, d]`, in the coordinates of the grid.

    Raises:
        TypeError: `field_grid` is no Grid, or `points` no real floating tensor.
        ValueError: The points have another number of coordinates, or one is farther outside.

    Example:
        >>> A = Interpolation(Grid(4), torch.tensor([[0.25], [0.375], [0.9]]))
        >>> A(torch.tensor([[0.0], [1.0], [3.0], [7.0]])).flatten()
        tensor([1., 2., 7.])
    """

    def __init__(self, field_grid: Grid, points: Float[Tensor, "n d"]) -> None:
        floating_tensor("points", points)
        if not isinstance(field_grid, Grid):
            raise TypeError(
                f"`field_grid` must be a Grid, got {type(field_grid).__name__}. Of a shape, `ntkit.Grid(shape)`."
            )
        d = field_grid.ndim
        if points.ndim != 2 or points.shape[1] != d or not len(points):
            raise ValueError(f"`points` has shape {tuple(points.shape)}; [n, {d}] is needed.")
        self.field_grid = field_grid
        self.field_shape: tuple[int, ...] = field_grid.shape
        self.points: Tensor = finite("points", points).detach().double()
        spacing = self.points.new_tensor(field_grid.spacing)
        cells = (self.points - self.points.new_tensor(field_grid.origin)) / spacing
        last = self.points.new_tensor(field_grid.shape) - 1
        rounding = 1e-9  # of a cell: points on the border are inside
        outside = ((cells < -1 - rounding) | (cells > last + 1 + rounding)).any(1)
        if bool(outside.any()):
            raise ValueError(
                f"`points` has {int(outside.sum())} of {len(points)} points more than a spacing outside of the grid, the "
                f"first at {self.points[outside][0].tolist()}. They must be in the grid's coordinates."
            )
        self._cells = torch.minimum(cells.clamp_min(0), last)
        self.matrix: SparseMatrix = _weights(self._cells, field_grid.shape)

    @property
    def data_shape(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """One axis: how many points there are."""
        return (len(self.points),)

    @property
    def device(self) -> torch.device:
        """That of the points."""
        return self.points.device

    @property
    def grid(self) -> Grid:
        """The grid of the field."""
        return self.field_grid

    @property
    def groups(self) -> Int[Tensor, " n"]:
        """Blocks of the grid."""
        place = torch.zeros(len(self.points), dtype=torch.int64, device=self.device)
        for axis, size in enumerate(self.field_shape):
            place = place * size + self._cells[:, axis].round().long()
        return blocks_of(self.field_shape, place)

    def _forward(self, field: Shaped[Tensor, "..."]) -> Shaped[Tensor, "n o"]:
        return linear(self._read, self._write, field)

    def _adjoint(self, data: Shaped[Tensor, "n o"]) -> Shaped[Tensor, "..."]:
        return linear(self._write, self._read, data)

    def _read(self, field: Tensor) -> Tensor:
        return self.matrix.times(field.reshape(len(self.field_grid), -1))

    def _write(self, data: Tensor) -> Tensor:
        return self.matrix.transposed_times(data).reshape(*self.field_shape, -1)

    def __getitem__(self, rows: slice | Tensor) -> "Interpolation":
        """Some of the points."""
        picked = row_numbers(rows, len(self.points)).to(self.device)
        return Interpolation(self.field_grid, self.points[picked])

    def __repr__(self) -> str:
        return f"Interpolation({self.field_grid}, {len(self.points)} points)"


def _weights(cells: Float[Tensor, "n d"], shape: tuple[int, ...]) -> SparseMatrix:
    """Of the corners of the cell around each point; those of weight zero are left out."""
    last = cells.new_tensor(shape) - 1
    low = cells.floor()
    part = cells - low
    strides = [prod(shape[k + 1 :]) for k in range(len(shape))]
    columns, values = [], []
    for corner in product((0, 1), repeat=len(shape)):
        shift = cells.new_tensor(corner)
        place = torch.minimum(low + shift, last).long()
        columns.append((place * place.new_tensor(strides)).sum(1))
        values.append((1 - (part - shift).abs()).prod(1))
    column, value = torch.stack(columns, 1), torch.stack(values, 1)
    kept = value > 0
    return SparseMatrix.of_rows([Entries(kept.sum(1), column[kept], value[kept])], prod(shape))
