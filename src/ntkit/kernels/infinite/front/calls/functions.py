"""Elementwise functions as values: what several calls do together, compared and pickled by their parts."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations import AbstractActivation

__all__ = [
    "Chained",
    "Combination",
    "Mixture",
    "Multiple",
    "Over",
    "Plus",
    "ValueOf",
    "identity",
]

Function = Callable[[Tensor], Tensor]


def identity(x: Tensor) -> Tensor:
    """`x`."""
    return x


@dataclass(frozen=True)
class ValueOf:
    """The function that an activation is.

    Attributes:
        activation: It.
    """

    activation: AbstractActivation

    def __call__(self, x: Tensor) -> Tensor:
        """The function itself."""
        return self.activation.value(x)


@dataclass(frozen=True)
class Chained:
    """`outer(inner_1(x), inner_2(x), ...)`.

    Attributes:
        outer: Of as many tensors.
        inner: Each of one.
    """

    outer: Callable[..., Tensor]
    inner: tuple[Function, ...]

    def __call__(self, x: Tensor) -> Tensor:
        """One after the other."""
        return self.outer(*(function(x) for function in self.inner))


@dataclass(frozen=True)
class Combination:
    """`factors[0] x + factors[1] y`, in a row for two."""

    factors: tuple[float, float]

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """The sum."""
        return self.factors[0] * x + self.factors[1] * y


@dataclass(frozen=True)
class Mixture:
    """The sum of several tensors times numbers."""

    factors: tuple[float, ...]

    def __call__(self, *xs: Tensor) -> Tensor:
        """The sum."""
        return torch.stack([c * x for c, x in zip(self.factors, xs, strict=True)]).sum(0)


@dataclass(frozen=True)
class Plus:
    """`x + number`."""

    number: float

    def __call__(self, x: Tensor) -> Tensor:
        """The sum."""
        return x + self.number


@dataclass(frozen=True)
class Multiple:
    """`factor x`."""

    factor: float

    def __call__(self, x: Tensor) -> Tensor:
        """The product."""
        return self.factor * x


@dataclass(frozen=True)
class Over:
    """`number / x`."""

    number: float

    def __call__(self, x: Tensor) -> Tensor:
        """The quotient."""
        return self.number / x
