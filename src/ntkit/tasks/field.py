"""What the jobs on grids share: where their samples come from, and how a fit of them is rendered."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ntkit._core.checks import positive, positive_int
from ntkit.measurements import Samples
from ntkit.tasks.domain import Domain
from ntkit.tasks.files import Content, Levels
from ntkit.tasks.files.levels import depth_of, levels_of
from ntkit.tasks.jobs import AbstractJob
from ntkit.tasks.signal import Signal

__all__ = ["AbstractField", "array_content"]


class AbstractField(Signal, AbstractJob):
    """A job whose field is on a grid.

    Attributes:
        domain: What its axes and numbers stand for.
        notes: What was converted while it was read.
    """

    domain: Domain
    notes: tuple[str, ...]

    def __init__(self, content: Content, *, mask: Tensor | None = None, factor: int = 1) -> None:
        factor = positive_int("factor", factor)
        super().__init__(
            torch.from_numpy(np.ascontiguousarray(content.values)),
            n_axes=len(content.shape),
            mask=mask,
        )
        self.domain = Domain.of_content(self.kind, content, scale=factor)
        self.notes = content.notes
        if factor > 1:
            everywhere = self.keep_out(0.0)
            self.measurement: Samples = everywhere.measurement
            self.held_out: Tensor = everywhere.held_out


def array_content(
    values: np.ndarray | Tensor,
    n_axes: int,
    *,
    units: tuple[str, ...],
    spacing: Sequence[float] | None,
    symmetric: bool = False,
) -> Content:
    """Samples in memory, by the same levels as those of an array file.

    Args:
        values: `[*shape]` or `[*shape, o]`.
        n_axes: Axes of the grid.
        units: Of each axis.
        spacing: Distance of neighbours.
        symmetric: Whether 0 stays 0, and the largest absolute value becomes 1.

    Raises:
        ValueError: They have other axes, or `spacing` has.
    """
    array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if array.ndim == n_axes:
        array = array[..., None]
    if array.ndim != n_axes + 1:
        raise ValueError(
            f"`source` of shape {array.shape} has not {n_axes} axes of samples, or one more of channels."
        )
    levels, notes = levels_of(array)
    if symmetric:
        levels, notes = Levels(0.0, float(np.abs(array).max()) or 1.0), []
    step = None if spacing is None else tuple(positive("spacing", s) for s in spacing)
    if step is not None and len(step) != n_axes:
        raise ValueError(f"`spacing={step}` must be {n_axes} distances, one an axis.")
    unit = levels.to_unit(array)
    return Content(unit, levels, tuple(notes), step, units, depth_of(array), 0)
