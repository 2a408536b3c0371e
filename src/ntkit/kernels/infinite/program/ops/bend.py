"""Elementwise nonlinearities of Gaussian units, and the means of what comes out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.base import AbstractActivation
from ntkit.kernels.infinite.activations.pair import Pair
from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.program.op import AbstractOp, At, Back, Context

__all__ = ["AbstractMean", "Bend", "Mean", "MeanOf", "MeanOfTable", "means"]


@dataclass(frozen=True)
class Bend(AbstractOp):
    """A nonlinearity.

    Attributes:
        activation: It.
        adds: Whether all that it does is to add a number.
    """

    activation: AbstractActivation
    adds: bool = False
    back: Back = field(default="variances", kw_only=True)

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """The moments of the units that come out."""
        (state,) = states
        if at.context.watch is not None:
            at.context.watch.see(state)
        return state.activated(self.activation, with_variances=at.demand.variances)


class AbstractMean(ABC):
    """The mean of units, as a function of the variance of the Gaussian ones that they are made of."""

    @abstractmethod
    def both(self, base: PairState, context: Context) -> tuple[Tensor, Tensor]:
        """Of the first and of the second points' units, shaped as the variances are."""


@dataclass(frozen=True)
class MeanOf(AbstractMean):
    """`E[s(u)]`: independent units have its square as covariance.

    Attributes:
        activation: `s`.
    """

    activation: AbstractActivation

    def both(self, base: PairState, context: Context) -> tuple[Tensor, Tensor]:
        """From the variances."""
        assert base.var1 is not None and base.var2 is not None
        return self._at(base.var1), self._at(base.var2)

    def _at(self, var: Tensor) -> Tensor:
        """The root of the covariance of independent units, with the sign of a sum over the line."""
        zero, twice = torch.zeros_like(var), 2 * var
        square = self.activation.dual(Pair(zero, twice, twice, var, var), slope=False).cov
        nodes = torch.linspace(-8, 8, 4001, dtype=torch.float64, device=var.device)
        weights = torch.exp(-(nodes**2) / 2)
        samples = var.detach().double().reshape(-1, 1).sqrt() * nodes
        total = (self.activation.value(samples) * weights).sum(-1)
        sign = torch.sign(total).reshape(var.shape).to(var)
        # Below this share of the mean square a mean is rounding.
        positive = square > 1e-15 * self.activation.variance(var)
        return sign * torch.where(positive, square, 1).sqrt() * positive


@dataclass(frozen=True)
class MeanOfTable(AbstractMean):
    """The mean over channels of numbers that are the same for all points: fixed tables of positions.

    Attributes:
        features: Their number.
    """

    features: int

    def both(self, base: PairState, context: Context) -> tuple[Tensor, Tensor]:
        """Of each position's channels, along the axes of positions that the variances have."""
        assert base.var1 is not None and base.var2 is not None
        table = context.first.features[self.features][0].mean(-1)
        return self._like(table, base.var1), self._like(table, base.var2)

    def _like(self, table: Tensor, var: Tensor) -> Tensor:
        k, tail = table.ndim, var.shape[2:]
        front = len(tail) == 2 * k and tail[k:] == (1,) * k
        return table.to(var).reshape(*table.shape, *((1,) * k if front else ()))


@dataclass(frozen=True)
class Mean:
    """One part of the mean of units.

    Attributes:
        base: The place of the Gaussian units.
        mean: From their variance to the mean.
        factor: Of the part.
    """

    base: int
    mean: AbstractMean
    factor: float

    def both(self, base: PairState, context: Context) -> tuple[Tensor, Tensor]:
        """Of the first and of the second points' units."""
        first, second = self.mean.both(base, context)
        return self.factor * first, self.factor * second


def means(
    parts: Sequence[Mean], bases: Sequence[PairState], context: Context
) -> tuple[Tensor, Tensor]:
    """The mean of units that is made of parts, for the first and for the second points."""
    first = second = torch.zeros(())
    for base, part in zip(bases, parts, strict=True):
        one, other = part.both(base, context)
        first, second = first + one, second + other
    return first, second
