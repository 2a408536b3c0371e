"""Modules whose output of a sample depends on the others, and modules that look like it: what every door meets."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.cases import randn

__all__ = ["COUPLED", "OWN", "Before", "points_of"]


class Before(nn.Module):
    """A layer, a bend and a layer behind a function of the batch.

    Args:
        function: What is done to the points `[n, 4]`.
        width: Units of the hidden layer.
    """

    def __init__(self, function: Callable[[Tensor], Tensor], width: int = 6) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.function = function
        self.a, self.b = nn.Linear(4, width), nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.relu(self.a(self.function(x))))


class Centred(Before):
    """Nothing is left of a sample alone."""

    def __init__(self) -> None:
        super().__init__(lambda x: x)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) - super().forward(x).mean(0)


class _Recurrent(nn.Module):
    """An LSTM along the second axis of sequences, or, without `batch_first`, along the samples."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.r, self.h = nn.LSTM(4, 3, batch_first=batch_first), nn.Linear(3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.h(self.r(x)[0].mean(1))


class _Tokens(nn.Module):
    """A mean over token ids, 0 as padding."""

    def __init__(self, pooled: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.e, self.h, self.pooled = nn.Embedding(7, 3), nn.Linear(3, 1), pooled

    def forward(self, ids: Tensor) -> Tensor:
        return self.h(self.pooled(self.e(ids), ids))


def _quantised(x: Tensor) -> Tensor:
    """To 8 bits of the largest of the batch."""
    step = x.abs().max() / 127
    return (x / step).round() * step


def _attended(x: Tensor) -> Tensor:
    return torch.softmax(x @ x.T, -1) @ x


def _trimmed(e: Tensor, ids: Tensor) -> Tensor:
    """The mean up to the end of the longest of the batch."""
    longest = int((ids != 0).sum(1).max())
    return e[:, :longest].mean(1)


def _masked(e: Tensor, ids: Tensor) -> Tensor:
    own = (ids != 0)[..., None].to(e)
    return (e * own).sum(1) / own.sum(1)


COUPLED: dict[str, Callable[[], nn.Module]] = {
    "divided by the largest": lambda: Before(lambda x: x / x.abs().max()),
    "dynamic quantisation": lambda: Before(_quantised),
    "centred": lambda: Before(lambda x: x - x.mean(0)),
    "standardised": lambda: Before(lambda x: (x - x.mean(0)) / (x.var(0, correction=0) + 1e-3)),
    "normalised over samples": lambda: Before(lambda x: functional.normalize(x, dim=0)),
    "softmax over samples": lambda: Before(lambda x: torch.softmax(x, 0)),
    "sorted": lambda: Before(lambda x: x.sort(0).values),
    "flipped": lambda: Before(lambda x: x.flip(0)),
    "rolled": lambda: Before(lambda x: x.roll(1, 0)),
    "summed up": lambda: Before(lambda x: x.cumsum(0)),
    "differences to the first": lambda: Before(lambda x: x - x[:1]),
    "attention over samples": lambda: Before(_attended),
    "ranked": lambda: Before(lambda x: x.argsort(0).argsort(0).to(x)),
    "centred behind": lambda: Centred(),
    "recurrent along samples": lambda: _Recurrent(batch_first=False),
    "trimmed to the longest": lambda: _Tokens(_trimmed),
}
"""Each is another function of a sample in other company."""

OWN: dict[str, Callable[[], nn.Module]] = {
    "plain": lambda: Before(lambda x: x),
    "of its own largest": lambda: Before(lambda x: x / x.abs().amax(1, keepdim=True)),
    "its own order": lambda: Before(lambda x: x.sort(1).values),
    "its own quantisation": lambda: Before(lambda x: (x * 127).round() / 127),
    "flipped and back": lambda: Before(lambda x: x.flip(0).flip(0)),
    "refuses what is large": lambda: Before(_within),
    "recurrent": lambda: _Recurrent(batch_first=True),
    "masked": lambda: _Tokens(_masked),
}
"""Each is the same function of a sample in any company."""


def _within(x: Tensor) -> Tensor:
    if float(x.abs().max()) > 10:
        raise ValueError("out of range")
    return x


def points_of(module: nn.Module, n: int = 6) -> Tensor:
    """Some points that a module of the tables takes, sorted by nothing."""
    if isinstance(module, _Recurrent):
        return randn(n, 5, 4)
    if isinstance(module, _Tokens):
        ids = torch.arange(1, 6).repeat(n, 1)
        return ids * (torch.arange(5) <= torch.arange(n)[:, None] % 4)
    return randn(n, 4)
