"""Data of a measurement, checked: in which units a network fits their field, and which of them go together."""

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from ntkit._core.checks import finite
from ntkit.grids import Grid
from ntkit.measurements import AbstractMeasurement
from ntkit.tasks.field_units import Bounds, FieldUnits
from ntkit.tasks.least_squares import constant_fit, first_fit

__all__ = [
    "as_row",
    "checked_data",
    "data_of_constant",
    "grid_of",
    "groups_of",
    "roots_of",
    "rows_of",
    "units_of",
]


def checked_data(y: Tensor, A: AbstractMeasurement) -> Shaped[Tensor, "..."]:
    """Data `[*data_shape, o]`, in double precision.

    Raises:
        TypeError: They are complex, and the measurement is real, or the other way round.
        ValueError: They have another shape.
    """
    shape = tuple(A.data_shape)
    if tuple(y.shape[: len(shape)]) != shape or y.ndim > len(shape) + 1:
        raise ValueError(
            f"`y` has shape {tuple(y.shape)}, and the data of the measurement {shape}; one more axis may follow, for "
            "outputs."
        )
    if y.is_complex() != A.is_complex:
        raise TypeError(
            f"`y` is {y.dtype}, and the data of {type(A).__name__} are {'complex' if A.is_complex else 'real'}."
        )
    finite("y", torch.view_as_real(y) if y.is_complex() else y)
    wide = torch.complex128 if y.is_complex() else torch.float64
    return y.detach().to(device=A.device, dtype=wide).reshape(*shape, -1)


def grid_of(A: AbstractMeasurement, grid: Grid | None) -> Grid:
    """The points of the field.

    Raises:
        ValueError: There are others.
    """
    if grid is not None and grid.shape != tuple(A.field_shape):
        raise ValueError(
            f"`grid` has shape {grid.shape}, and the field of the measurement {tuple(A.field_shape)}."
        )
    return A.grid if grid is None else grid


def groups_of(A: AbstractMeasurement, groups: Tensor | None) -> Int[Tensor, " n"]:
    """Numbers of groups from 0 on, one a row.

    Raises:
        ValueError: There are not as many as rows.
    """
    found = A.groups if groups is None else groups
    if tuple(found.shape) != (A.data_shape[0],):
        raise ValueError(
            f"`groups` has shape {tuple(found.shape)}, and the data {A.data_shape[0]} rows along their first axis."
        )
    return found.cpu().unique(return_inverse=True)[1]


def roots_of(A: AbstractMeasurement, weights: Tensor | None) -> Float[Tensor, "..."] | None:
    """Square roots of the weights of data `[*data_shape, 1]`, whose mean (without zeros) becomes 1.

    Raises:
        ValueError: There is not one for each datum, or they are no weights.
    """
    if weights is None:
        return None
    if tuple(weights.shape) != tuple(A.data_shape):
        raise ValueError(
            f"`weights` has shape {tuple(weights.shape)}; one number a datum is needed, {tuple(A.data_shape)}: one over the "
            "noise's variance."
        )
    wide = weights.detach().to(device=A.device, dtype=torch.float64)
    if not bool((torch.isfinite(wide) & (wide >= 0)).all()) or not bool(wide.any()):
        raise ValueError("`weights` must be finite, none below 0, and not all 0.")
    return (wide / wide[wide > 0].mean()).sqrt()[..., None]


def units_of(
    data: Tensor, A: AbstractMeasurement, bounds: Bounds, grid: Grid, roots: Tensor | None = None
) -> FieldUnits:
    """Offset and scale.

    Raises:
        ValueError: The data have no signal.
    """
    low, high = bounds
    if low is not None and high is not None:
        return FieldUnits(low, high - low, bounds, False, grid.origin, grid.spacing)
    bound = low if low is not None else high
    offset = constant_fit(data, A, roots) if bound is None else bound
    scale = float(first_fit(data - data_of_constant(offset, data, A), A, roots).abs().max())
    if not scale > 1e-12 * abs(offset):
        raise ValueError("`y` has no signal: its data are those of a constant field.")
    return FieldUnits(offset, scale, bounds, A.is_complex, grid.origin, grid.spacing)


def data_of_constant(value: float, data: Tensor, A: AbstractMeasurement) -> Tensor:
    """The data of a constant field, like others."""
    return A(data.new_full((*A.field_shape, data.shape[-1]), value))


def rows_of(A: AbstractMeasurement, which: Bool[Tensor, " n"]) -> AbstractMeasurement:
    """Some rows; all, where none is asked for: then nothing asks for their data."""
    if bool(which.all()) or not bool(which.any()):
        return A
    return A[which.nonzero()[:, 0].to(A.device)]


def as_row(data: Tensor) -> Tensor:
    """All numbers in one row, those of complex data as two."""
    return (torch.view_as_real(data) if data.is_complex() else data).reshape(1, -1)
