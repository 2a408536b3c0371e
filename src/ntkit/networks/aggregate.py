"""Aggregation over the nodes of a graph."""

from collections.abc import Sequence
from math import prod

from jaxtyping import Float
from torch import Tensor, nn

from ntkit._core.checks import entries, whole

__all__ = ["Aggregate"]


class Aggregate(nn.Module):
    """`pattern @ x`: each node becomes a sum of nodes, with weights that come with the graph.

    Args:
        axes: The axes of `x` whose positions are the nodes, counted from 1 (0 is the batch); all but the
            channels if left out.

    Raises:
        ValueError: `axes` is empty, or names an axis twice or below 1.

    Source: Du et al. 2019 (arXiv:1905.13192), section 3.

    Example:
        >>> import torch
        >>> ring = torch.eye(4).roll(1, 0)[None]
        >>> Aggregate()(torch.arange(4.0).reshape(1, 4, 1), ring).flatten()
        tensor([3., 0., 1., 2.])
    """

    def __init__(self, axes: Sequence[int] | None = None) -> None:
        super().__init__()
        self.axes: tuple[int, ...] | None = (
            None if axes is None else tuple(whole("axes", axis) for axis in entries("axes", axes))
        )
        if self.axes is not None and (
            not self.axes or len(set(self.axes)) < len(self.axes) or min(self.axes) < 1
        ):
            raise ValueError(
                f"`Aggregate(axes={axes!r})` must name axes of `x` once each, from 1 (0 is the batch)."
            )

    def forward(self, x: Float[Tensor, "n ..."], pattern: Float[Tensor, "n ..."]) -> Tensor:
        """Features of nodes `[n, *positions, c]`, and patterns `[n, *nodes_out, *nodes_in]`."""
        axes = list(self.axes or range(1, x.ndim - 1))
        n = x.shape[0]  # `len(x)` would fix the number of points in an exported program
        out = pattern.shape[1 : 1 + len(axes)]
        matrix = pattern.reshape(n, prod(out), -1).to(x.dtype)
        moved = x.movedim(axes, list(range(1, 1 + len(axes))))
        rest = moved.shape[1 + len(axes) :]
        y = matrix @ moved.reshape(n, matrix.shape[2], -1)
        return y.reshape(n, *out, *rest).movedim(list(range(1, 1 + len(axes))), axes)

    def extra_repr(self) -> str:
        """The axes, for `repr`."""
        return "" if self.axes is None else f"axes={self.axes}"
