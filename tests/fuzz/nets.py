"""The outermost modules: stem, body, the way to one vector, and the read-out, called `head`."""

import torch
from torch import Tensor, nn

__all__ = ["Graph", "Masked", "Net", "Skipping", "Then", "TwoInputs", "TwoResults"]


class Net(nn.Module):
    """One input, one result."""

    def __init__(self, stem: nn.Module, body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.stem, self.body, self.head = stem, body, head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.stem(x)))


class TwoInputs(Net):
    """The same of two inputs, which the stem joins."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.head(self.body(self.stem(x, y)))


class TwoResults(Net):
    """A second read-out of the same units."""

    def __init__(self, stem: nn.Module, body: nn.Module, head: nn.Module, other: nn.Module) -> None:
        super().__init__(stem, body, head)
        self.other = other

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(self.stem(x))
        return self.head(h), self.other(h)


class Masked(Net):
    """The mean over the tokens that are there."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        h = self.body(self.stem(x)) * mask[..., None]
        return self.head(h.sum(1) / mask.sum(1, keepdim=True))


class Graph(Net):
    """Sums over neighbours between stem and body, and the mean over nodes."""

    def __init__(
        self, stem: nn.Module, neighbours: nn.Module, body: nn.Module, head: nn.Module
    ) -> None:
        super().__init__(stem, body, head)
        self.neighbours = neighbours

    def forward(self, x: Tensor, pattern: Tensor) -> Tensor:
        h = self.neighbours(self.stem(x), pattern)
        return self.head(self.body(h).mean(1))


class Skipping(nn.Module):
    """The inputs a second time, beside the hidden units, as in NeRF."""

    def __init__(
        self, stem: nn.Module, act: nn.Module, join: nn.Module, body: nn.Module, head: nn.Module
    ) -> None:
        super().__init__()
        self.stem, self.act, self.join, self.body, self.head = stem, act, join, body, head

    def forward(self, x: Tensor) -> Tensor:
        h = torch.cat([self.act(self.stem(x)), x], -1)
        return self.head(self.body(self.join(h)))


class Then(nn.Module):
    """A layer after a stem of two inputs."""

    def __init__(self, stem: nn.Module, layer: nn.Module) -> None:
        super().__init__()
        self.stem, self.layer = stem, layer

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.layer(self.stem(x, y))
