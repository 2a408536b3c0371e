"""What a forward of one's own does beside calling layers: sums, gates, concatenations, reshapes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Cat", "Does", "Gate", "Residual", "Scaled", "Table", "Token", "Total", "With"]


class Does(nn.Module):
    """A function without weights, written out in a forward."""

    def __init__(self, function: Callable[..., Any], words: str) -> None:
        super().__init__()
        self.function, self.words = function, words

    def forward(self, *x: Tensor) -> Tensor:
        return self.function(*x)

    def extra_repr(self) -> str:
        return self.words


class With(nn.Module):
    """A function of what comes in and of one buffer."""

    def __init__(self, function: Callable[..., Any], buffer: Tensor, words: str) -> None:
        super().__init__()
        self.function, self.words = function, words
        self.register_buffer("held", buffer)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, self.held)

    def extra_repr(self) -> str:
        return self.words


class Residual(nn.Module):
    """What comes in, or a shortcut of it, beside a body."""

    def __init__(self, *body: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.body, self.shortcut = nn.Sequential(*body), shortcut

    def forward(self, x: Tensor) -> Tensor:
        if self.shortcut is None:
            return x + self.body(x)
        return self.shortcut(x) + self.body(x)


class Scaled(nn.Module):
    """A residual sum with a number before each part."""

    def __init__(self, keep: float, add: float, *body: nn.Module) -> None:
        super().__init__()
        self.keep, self.add, self.body = keep, add, nn.Sequential(*body)

    def forward(self, x: Tensor) -> Tensor:
        return self.keep * x + self.add * self.body(x)


class Total(nn.Module):
    """The sum of branches of one input, or of an input each."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, *x: Tensor) -> Tensor:
        x = x if len(x) > 1 else x * len(self.branches)
        total = self.branches[0](x[0])
        for branch, part in zip(self.branches[1:], x[1:], strict=True):
            total = total + branch(part)
        return total


class Cat(nn.Module):
    """Branches of one input side by side, or of an input each."""

    def __init__(self, axis: int, *branches: nn.Module) -> None:
        super().__init__()
        self.axis, self.branches = axis, nn.ModuleList(branches)

    def forward(self, *x: Tensor) -> Tensor:
        x = x if len(x) > 1 else x * len(self.branches)
        pairs = zip(self.branches, x, strict=True)
        return torch.cat([branch(part) for branch, part in pairs], dim=self.axis)


class Gate(nn.Module):
    """One branch times a function of another."""

    def __init__(self, value: nn.Module, gate: nn.Module, how: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.value, self.gate, self.how = value, gate, how

    def forward(self, x: Tensor) -> Tensor:
        return self.value(x) * self.how(self.gate(x))


class Table(nn.Module):
    """A learned vector at each position, added."""

    def __init__(self, positions: int, channels: int, *, looked_up: bool = False) -> None:
        super().__init__()
        self.looked_up = looked_up
        if looked_up:
            self.places = nn.Embedding(positions, channels)
        else:
            self.places = nn.Parameter(torch.randn(1, positions, channels))
        self.positions = positions

    def forward(self, x: Tensor) -> Tensor:
        if self.looked_up:
            return x + self.places(torch.arange(self.positions))
        return x + self.places


class Token(nn.Module):
    """A learned token before the others."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, channels))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1)
