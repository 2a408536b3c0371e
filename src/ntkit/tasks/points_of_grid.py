"""A network at all points of a grid, again and again, as a training through a measurement needs it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ntkit.grids import Grid
from ntkit.tasks.split import split_encoding

__all__ = ["PointsOfGrid"]

_TOGETHER = 2**16  # points; of more, what backpropagation needs is computed twice in place of kept
_ENCODED = 2**28  # features that are kept, a gigabyte


class PointsOfGrid:
    """The points of a grid in front of networks.

    Args:
        grid: The points.
        keeps: Whether to keep the features that a leading encoding makes of them: for one training, in which they are
            the same in each step.

    Cost: a forward pass at all points; with gradients of more than 65,536 points a second one, in place of memory.
    """

    def __init__(self, grid: Grid, *, keeps: bool = False) -> None:
        self.grid = grid
        self._keeps = keeps
        self._kept: tuple[nn.Module, Tensor] | None = None

    def __call__(self, network: nn.Module, device: torch.device) -> Float[Tensor, "n k"]:
        """The outputs of a network at all points, in its precision, on a device."""
        x, body = self._inputs(network, device)
        again = torch.is_grad_enabled() and len(x) > _TOGETHER
        parts = [
            checkpoint(body, part, use_reentrant=False) if again else body(part)
            for part in x.split(_TOGETHER)
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _inputs(self, network: nn.Module, device: torch.device) -> tuple[Tensor, nn.Module]:
        """The points of the grid as they go into what is trained, and that: features are computed once a training."""
        parameter = next(network.parameters(), None)
        dtype = torch.float32 if parameter is None else parameter.dtype
        encoding, body = split_encoding(network)
        if self._kept and _alike(self._kept[0], encoding):
            features = self._kept[1]
            if features.device == device and features.dtype == dtype:
                return features, body
        points = self.grid.points().to(device=device, dtype=dtype)
        if self._keeps:
            with torch.no_grad():
                if encoding(points[:1]).numel() * len(points) <= _ENCODED:
                    self._kept = encoding, encoding(points)
                    return self._kept[1], body
        return points, network


def _alike(one: nn.Module, other: nn.Module) -> bool:
    """Whether an encoding is another one, or a copy of it, as an average of weights has one."""
    mine, theirs = one.state_dict(), other.state_dict()
    return one is other or (
        type(one) is type(other) and all(torch.equal(v, theirs[k]) for k, v in mine.items())
    )
