"""Networks on graphs, whose patterns come with the points."""

from typing import Any

import torch
from torch import Tensor, nn

from ntkit.networks import Aggregate
from tests.kernels.infinite.zoo.base import Example, dense

__all__ = ["GRAPHS"]


class OnGraph(nn.Module):
    """What each subclass has: sums over neighbours, by the transposed pattern (tails come first)."""

    def __init__(self, n_in: int = 3, n_last: int = 8, axes: Any = None) -> None:
        super().__init__()
        self.first, self.second, self.last = dense(n_in), dense(8), dense(n_last, 1)
        self.sums = Aggregate() if axes is None else Aggregate(axes)


class Pooled(OnGraph):
    def forward(self, x: Tensor, pattern: Tensor) -> Tensor:
        y = self.sums(self.first(x).relu(), pattern.mT)
        return self.last(self.sums(self.second(y).relu(), pattern.mT).mean(1))


class FromInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.sums, self.first, self.last = Aggregate(), dense(3), dense(8, 1)

    def forward(self, x: Tensor, pattern: Tensor) -> Tensor:
        return self.last(self.first(self.sums(x, pattern.mT)).relu().sum(1))


class Flat(OnGraph):
    def __init__(self) -> None:
        super().__init__(n_last=32)

    def forward(self, x: Tensor, pattern: Tensor) -> Tensor:
        y = torch.bmm(pattern.mT, torch.erf(self.first(x)))
        return self.last(self.second(y).relu().flatten(1))


class ResidualGraph(OnGraph):
    def forward(self, x: Tensor, pattern: Tensor) -> Tensor:
        y = self.first(x)
        y = y + self.second(self.sums(y, pattern.mT).relu())
        return self.last(y.relu().mean(1))


class OnGrid(OnGraph):
    """Positions of two axes, all with all."""

    def __init__(self) -> None:
        super().__init__(2, axes=(1, 2))

    def forward(self, x: Tensor, pattern: Tensor) -> Tensor:
        y = self.sums(self.first(x).relu(), pattern.permute(0, 3, 4, 1, 2))
        return self.last(self.second(y).relu().mean((1, 2)))


class OnRows(OnGraph):
    """The first of two axes."""

    def __init__(self) -> None:
        super().__init__(2, axes=(1,))

    def forward(self, x: Tensor, pattern: Tensor) -> Tensor:
        y = self.sums(self.first(x).relu(), pattern.mT)
        return self.last(self.second(y).relu().mean((1, 2)))


GRAPHS: dict[str, Example] = {
    "graph_gap": Example(("graph", "pattern"), Pooled),
    "graph_inputs": Example(("graph", "pattern"), FromInputs),
    "graph_flat": Example(("graph", "pattern"), Flat),
    "graph_residual": Example(("graph", "pattern"), ResidualGraph),
    "graph_grid": Example(("tiny", "grid_pattern"), OnGrid),
    "graph_rows": Example(("tiny", "row_pattern"), OnRows),
}
