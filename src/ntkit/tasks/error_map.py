"""Where a fit is wrong: on the samples trained on, and on those between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.tasks.samples import AbstractSamples

__all__ = ["ErrorMap", "error_map", "spread"]

_UNDER, _OVER = 0.5, 0.1
"""Shares that are named: see `verdict`."""


@dataclass(frozen=True, eq=False)
class ErrorMap:
    """Root mean square errors, cell by cell: a cell has one sample trained on and its neighbours between.

    Attributes:
        seen: `[*cells]`, on the sample trained on.
        unseen: `[*cells]`, on the others of the cell.

    Example:
        >>> import torch
        >>> ErrorMap(seen=torch.zeros(4, 4), unseen=torch.ones(4, 4)).verdict  # learned by heart
        'over'
    """

    seen: Float[Tensor, "..."]
    unseen: Float[Tensor, "..."]

    @property
    def share(self) -> float:
        """Mean square error on the samples trained on, over that between them."""
        between = float(self.unseen.square().mean())
        return float(self.seen.square().mean()) / between if between else 1.0

    @property
    def verdict(self) -> Literal["under", "over", "between"]:
        """A rule of thumb: it underfits where that is above a half, and overfits where it is below a tenth."""
        if self.share > _UNDER:
            return "under"
        return "over" if self.share < _OVER else "between"


def error_map(task: AbstractSamples, found: Float[Tensor, "..."]) -> ErrorMap:
    """The error of a field on a grid of which every other sample along each axis is trained on.

    Args:
        task: What is fitted; the last sample of an odd axis is left out.
        found: `[*shape, o]`, with or without the last samples of odd axes.

    Raises:
        ValueError: Other samples are trained on, or the field has another shape.

    Example:
        >>> from ntkit.tasks import Signal
        >>> ramp = Signal(torch.arange(8.0) / 8)
        >>> found = error_map(ramp, ramp.values + torch.tensor([0.0, 0.5] * 4)[:, None])
        >>> found.seen.tolist(), found.unseen.tolist(), found.verdict
        ([0.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.5, 0.5], 'over')
    """
    n_axes = len(task.shape)
    if task.measurement.steps != (2,) * n_axes:
        raise ValueError(
            "`error_map(task, ...)` needs every other sample along each axis trained on."
        )
    even = tuple(n - n % 2 for n in task.shape)
    if tuple(found.shape[:-1]) not in {even, task.shape} or found.shape[-1] != task.n_outputs:
        raise ValueError(
            f"`found` has shape {tuple(found.shape)}, the {task.kind} {tuple(task.values.shape)}."
        )
    inside = tuple(slice(0, n) for n in even)
    square = (found.cpu().double()[inside] - task.values[inside]).square().mean(-1)
    for axis in range(n_axes):
        square = square.unflatten(2 * axis, (-1, 2))
    cells = square.permute(*range(0, 2 * n_axes, 2), *range(1, 2 * n_axes, 2)).flatten(n_axes)
    return ErrorMap(cells[..., 0].sqrt(), cells[..., 1:].mean(-1).sqrt())


def spread(fields: Sequence[Float[Tensor, "..."]]) -> Float[Tensor, "..."]:
    """How much fields differ: their standard deviation at each sample, over channels the root mean square.

    Raises:
        ValueError: There are fewer than two.

    Example:
        >>> spread([torch.zeros(3, 1), torch.ones(3, 1)]).tolist()
        [0.7071067690849304, 0.7071067690849304, 0.7071067690849304]
    """
    if len(fields) < 2:
        raise ValueError(f"`fields` has {len(fields)}, and two at least differ.")
    return torch.stack([*fields]).var(0).mean(-1).sqrt()
