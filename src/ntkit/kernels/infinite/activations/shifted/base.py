"""Gaussian units around known means, in pairs: what each kind of nonlinearity has formulas for."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.pair import Pair, safe_sqrt

__all__ = ["AbstractShifted", "ShiftedPairs", "met"]

_AT_ONCE = 2**17
"""Entries of all channels that are computed at a time: more leave the caches."""


@dataclass(frozen=True)
class ShiftedPairs:
    """Pairs of Gaussian units, and the known means of the two sides.

    Attributes:
        pair: What is beside the means: tables `[n, m, p]`, or `[n, m, p, p]` of all pairs of positions;
            `[n, 1, ...]` where each point meets itself.
        first: Means `[n, p, c]` of the rows, one for each channel, or one for all.
        second: Of the columns, `[m, p, c]`; None where each point meets itself.
        layout: Which positions are paired.
    """

    pair: Pair
    first: Tensor
    second: Tensor | None
    layout: Literal["each", "pairs"]

    def deviations(self) -> tuple[Tensor, Tensor | None]:
        """Standard deviations `[n, p]` and `[m, p]`."""
        n, p = self.first.shape[:2]
        blank = (1,) if self.layout == "pairs" else ()
        one = safe_sqrt(self.pair.var1).expand(n, 1, p, *blank).reshape(n, p)
        if self.second is None:
            return one, None
        m = len(self.second)
        return one, safe_sqrt(self.pair.var2).expand(1, m, *blank, p).reshape(m, p)

    def channels(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The means of a few channels at a time, `[k, ...]`, each shaped as the variances are."""
        second = self.first if self.second is None else self.second
        step = max(1, _AT_ONCE // self.pair.cov.numel())
        for c in range(0, self.first.shape[-1], step):
            one = self.first[..., c : c + step].movedim(-1, 0)[:, :, None]
            two = second[..., c : c + step].movedim(-1, 0)
            two = two[:, :, None] if self.second is None else two[:, None]
            yield (one[..., None], two[..., None, :]) if self.layout == "pairs" else (one, two)


def met(first: Tensor, second: Tensor | None, layout: Literal["each", "pairs"]) -> Tensor:
    """The mean over channels of products of `[n, p, c]` and `[m, p, c]`: `[n, m, p]` or `[n, m, p, p]`.

    `[n, 1, ...]`, of each point with itself, where `second` is None.
    """
    pairs = layout == "pairs"
    if second is None:
        rule, second = "npc,nqc->npq" if pairs else "npc,npc->np", first
        return torch.einsum(rule, first, second)[:, None] / first.shape[-1]
    rule = "npc,mqc->nmpq" if pairs else "npc,mpc->nmp"
    return torch.einsum(rule, first, second) / first.shape[-1]


class AbstractShifted(ABC):
    """A nonlinearity of units with means."""

    @abstractmethod
    def mean(self, sd: Tensor, means: Tensor) -> Tensor:
        """`E[s(X)]`, at standard deviations `[n, p]` and means `[n, p, c]`."""

    @abstractmethod
    def square(self, sd: Tensor, means: Tensor) -> Tensor:
        """The mean over channels of `E[s(X)^2]`, `[n, p]`."""

    @abstractmethod
    def moments(self, pairs: ShiftedPairs) -> tuple[Tensor, Tensor]:
        """The means over channels of `E[s(X) s(Y)]` and `E[s'(X) s'(Y)]`."""
