"""Measurements given by a small matrix, real or complex, and sums along parallel lines."""

from dataclasses import dataclass
from math import cos, pi, sin

import torch
from torch import Tensor

from ntkit.measurements import AbstractMeasurement


@dataclass(frozen=True, eq=False)
class Dense(AbstractMeasurement):
    """A matrix `[*data, *field]` whose first axis are the rows that are held out together."""

    matrix: Tensor
    n_data_axes: int = 1

    @property
    def data_shape(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return tuple(self.matrix.shape[: self.n_data_axes])

    @property
    def field_shape(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return tuple(self.matrix.shape[self.n_data_axes :])

    @property
    def is_complex(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.matrix.is_complex()

    @property
    def device(self) -> torch.device:
        return self.matrix.device

    def _forward(self, field: Tensor) -> Tensor:
        n = len(self.field_shape)
        return torch.tensordot(self.matrix.to(field.dtype), field, n)

    def _adjoint(self, data: Tensor) -> Tensor:
        m = len(data.reshape(-1, data.shape[-1]))
        found = self.matrix.to(data.dtype).reshape(m, -1).mH @ data.reshape(m, -1)
        return found.reshape(*self.field_shape, -1)

    def __getitem__(self, rows: slice | Tensor) -> "Dense":
        return Dense(self.matrix[rows], self.n_data_axes)


def parallel(n: int, views: int) -> Dense:
    """Sums along parallel lines over an `n x n` field, each pixel's share split between two detectors."""
    lines = int(n * 2**0.5) + 3
    at = torch.arange(n).double() - (n - 1) / 2
    y, x = torch.meshgrid(at, at, indexing="ij")
    matrix = torch.zeros(views, lines, n, n, dtype=torch.float64)
    for view in range(views):
        angle = pi * view / views
        place = x * cos(angle) + y * sin(angle) + (lines - 1) / 2
        low = place.floor()
        for detector, share in ((low, 1 - place + low), (low + 1, place - low)):
            matrix[view].scatter_add_(0, detector.long()[None], share[None] / n)
    return Dense(matrix, 2)
