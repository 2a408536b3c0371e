"""Products with the matrix of a beam's line integrals: kept where it fits, else computed again each time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from ntkit.measurements.beams import AbstractBeam
from ntkit.measurements.joseph import joseph_means
from ntkit.measurements.sparse_matrix import Entries, SparseMatrix, added, both_parts

__all__ = ["LineProducts", "line_products"]

_KEPT = 100_000_000
"""Weights at most: about half of them fall into the grid, 12 bytes each in float64."""
_BOTH = 25_000_000  # of those in the grid, up to which the transpose is kept as well: 600 MB in all
_AT_ONCE = 1_000_000  # weights computed together


@dataclass(frozen=True, eq=False)
class LineProducts:
    """The matrix `[data, cells]` of a beam through a grid, computed some rows after the other for each product.

    Attributes:
        beam: Its lines.
        shape: Of the grid.
        spacing: Of the grid's cells along each axis, in the beam's unit of length.
        centre: Where the centre of rotation is, in cells.
    """

    beam: AbstractBeam
    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    centre: tuple[float, ...]

    @property
    def n_weights(self) -> int:
        """Weights that are looked at, of which those outside of the grid are dropped."""
        return len(self.beam) * self._each

    @property
    def _each(self) -> int:
        lines = self.beam.n_rays ** len(self.beam.n_detectors)
        return lines * max(self.shape) * 2 ** (len(self.shape) - 1)

    def batches(self) -> Iterator[tuple[slice, Entries]]:
        """Rows, and their entries."""
        size = max(1, _AT_ONCE // self._each)
        for first in range(0, len(self.beam), size):
            part = slice(first, min(first + size, len(self.beam)))
            yield part, self.entries(torch.arange(part.start, part.stop))

    def entries(self, rows: Int[Tensor, " n"]) -> Entries:
        """Weights of the cells in some of the data."""
        origin, direction = self.beam.lines(rows.to(self.beam.angles.device))
        spacing, centre = origin.new_tensor(self.spacing), origin.new_tensor(self.centre)
        return joseph_means(origin / spacing + centre, direction / spacing, self.shape)

    def times(self, v: Shaped[Tensor, "m o"]) -> Shaped[Tensor, "n o"]:
        """The data of a flattened field."""
        return both_parts(self._times, v)

    def transposed_times(self, v: Shaped[Tensor, "n o"]) -> Shaped[Tensor, "m o"]:
        """The field that the adjoint makes of data."""
        return both_parts(lambda c: added(self.batches(), c, prod(self.shape)), v)

    def _times(self, v: Tensor) -> Tensor:
        found = v.new_zeros(len(self.beam), v.shape[1])
        for part, entries in self.batches():
            rows, columns, values = entries.like(v)
            for k in range(v.shape[1]):  # along one axis index_add is many times faster
                found[part, k].index_add_(0, rows, v[:, k].index_select(0, columns) * values)
        return found


def line_products(
    beam: AbstractBeam,
    shape: Sequence[int],
    spacing: Sequence[float],
    centre: Sequence[float],
) -> LineProducts | SparseMatrix:
    """The matrix of a beam's line integrals: a sparse one up to about 600 MB, else computed again each time.

    Between 300 and 600 MB its transpose is not kept, and the adjoint takes ten times as long as the product.
    """
    lazy = LineProducts(beam, tuple(shape), tuple(spacing), tuple(centre))
    if lazy.n_weights > _KEPT:
        return lazy
    return SparseMatrix.of_rows((entries for _, entries in lazy.batches()), prod(shape), _BOTH)
