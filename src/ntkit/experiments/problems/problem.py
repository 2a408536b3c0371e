"""Data and the measurement that they come from, with what a report needs to know of both."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxtyping import Int, Shaped
from torch import Tensor

from ntkit.measurements import AbstractMeasurement
from ntkit.tasks import Domain

__all__ = ["Problem"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Problem:
    """What `ntkit.reconstruct` is given, and what the result is shown beside.

    Attributes:
        y: Data, `[*data_shape]`, or `[*data_shape, o]` where the picture has colours.
        A: The measurement.
        domain: What the picture's axes and numbers stand for.
        baseline: What it is compared with: a name, and a picture.
        bounds: Least and largest value by default, as `ntkit.reconstruct` takes them.
        unit: Of the picture's values; empty for levels.
        notes: What was assumed and converted.
        truth: What it should be, if that is known.
        groups: What is held out together, one number a row of the data; None for the measurement's own.
        held: That in words.
        arranged: Data as a picture whose neighbours were measured beside each other, NaN where nothing was measured.
    """

    y: Shaped[Tensor, "..."]
    A: AbstractMeasurement
    domain: Domain
    baseline: tuple[str, Shaped[Tensor, "..."]]
    bounds: Any
    unit: str
    notes: tuple[str, ...]
    truth: Shaped[Tensor, "..."] | None
    groups: Int[Tensor, " n"] | None = None
    held: str
    arranged: Callable[[AbstractMeasurement, Shaped[Tensor, "..."]], Shaped[Tensor, "..."]]

    @property
    def axis_counts(self) -> tuple[float, ...]:
        """Samples along each axis."""
        return tuple(float(n) for n in self.domain.shape)

    def spread(self, residual: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """What is left of the data as a picture, of colours their mean: `arranged`, without an axis of outputs."""
        found = self.arranged(self.A, residual)
        several = residual.ndim > len(self.A.data_shape)
        return found.mean(-1) if several else found
