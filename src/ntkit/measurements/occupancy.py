"""Where in a box there may be anything: what is empty costs a rendering nothing."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ntkit._core.checks import positive, positive_int

__all__ = ["OccupancyGrid"]

_EVERY = 16  # steps between updates
_DECAY = 0.7  # of what a cell held, each time it is looked at: one lucky point does not empty it
_UNKNOWN = -1.0  # of a cell that nobody looked at yet: what is held is 0 or more


class OccupancyGrid(nn.Module):
    """Cells of `[0, 1]^3` that may hold something, learned from a density while it is trained.

    A cell counts as empty once it was looked at, and it and its 26 neighbours hold less than `threshold`. Cells that
    are empty are still looked at, so that they may fill again. All that it knows is in buffers, and so is saved
    with the network that it is a part of.

    Args:
        resolution: Cells along each axis.
        threshold: Optical depth of a cell below which it is empty.
        n_points: Points that an update looks at, half of them in cells that are not empty.
        possible: `[r, r, r]`, False where it is known from the start that nothing is.

    Raises:
        ValueError: `possible` has another shape.

    Source: Mueller et al. 2022 (arXiv:2201.05989), appendix E.2; ours widens by the neighbours and keeps unknown
    cells.

    Example:
        >>> grid = OccupancyGrid(8)
        >>> grid(torch.tensor([[0.1, 0.5, 0.9]]))
        tensor([True])
    """

    occupied: Tensor
    possible: Tensor
    held: Tensor
    steps: Tensor

    def __init__(
        self,
        resolution: int = 64,
        *,
        threshold: float = 0.01,
        n_points: int = 2**14,
        possible: Bool[Tensor, "r r r"] | None = None,
    ) -> None:
        super().__init__()
        shape = (positive_int("resolution", resolution),) * 3
        if possible is not None and tuple(possible.shape) != shape:
            raise ValueError(
                f"`possible` has shape {tuple(possible.shape)}; a grid of `resolution={resolution}` needs {shape}."
            )
        self.resolution = resolution
        self.threshold: float = positive("threshold", threshold)
        self.n_points: int = positive_int("n_points", n_points)
        known = torch.ones(shape, dtype=torch.bool) if possible is None else possible.clone()
        self.register_buffer("possible", known)
        self.register_buffer("occupied", known.clone())
        self.register_buffer("held", torch.full(shape, _UNKNOWN))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, points: Float[Tensor, "*batch 3"]) -> Bool[Tensor, "*batch"]:
        """Whether points are in cells that may hold something."""
        return self.occupied.flatten()[self._cells(points)]

    @property
    def share(self) -> float:
        """How much of the box may hold something, from 0 to 1."""
        return float(self.occupied.double().mean())

    def step(self, density: Callable[[Tensor], Tensor], generator: torch.Generator) -> None:
        """Count a step of training; every 16th looks at some cells.

        Args:
            density: From points `[n, 3]` to densities `[n]`, per unit of length.
            generator: Source of the points, on the CPU.
        """
        self.steps += 1
        if int(self.steps) % _EVERY == 0:
            self.update(density, generator)

    @torch.no_grad()
    def update(self, density: Callable[[Tensor], Tensor], generator: torch.Generator) -> None:
        """Look at a point each of some cells, half of them of all that are possible, half of those not empty."""
        half = self.n_points // 2
        drawn = [_some(self.possible, half, generator), _some(self.occupied, half, generator)]
        cells = torch.cat(drawn)
        if not len(cells):
            return
        r = self.resolution
        corner = torch.stack([cells // (r * r), cells // r % r, cells % r], 1)
        within = torch.rand(len(cells), 3, generator=generator).to(corner.device)
        found = density((corner + within) / r).to(self.held)
        held = self.held.flatten()
        before = torch.where(held == _UNKNOWN, 0.0, held * _DECAY)
        held[cells] = before[cells]
        held.scatter_reduce_(0, cells, found, "amax")
        full = (self.held > self.threshold * r) | ((self.held == _UNKNOWN) & self.possible)
        wide = nn.functional.max_pool3d(full[None, None].float(), 3, stride=1, padding=1)
        self.occupied.copy_((wide[0, 0] > 0) & self.possible)

    def _cells(self, points: Tensor) -> Tensor:
        """Places in the flattened grid."""
        r = self.resolution
        at = (points * r).long().clamp_(0, r - 1)
        return (at[..., 0] * r + at[..., 1]) * r + at[..., 2]

    def extra_repr(self) -> str:
        """Size and threshold."""
        return f"resolution={self.resolution}, threshold={self.threshold:g}"


def _some(mask: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Places where a mask is True, drawn evenly; all of them once where there are fewer."""
    places = mask.flatten().nonzero()[:, 0]
    if len(places) <= count:
        return places
    return places[torch.randint(len(places), (count,), generator=generator).to(places.device)]
