"""What the limit needs of an activation: its dual functions."""

from abc import ABC, abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.pair import Pair

__all__ = ["AbstractActivation", "Dual", "pair_in_double", "rounded"]


@dataclass(frozen=True)
class Dual:
    """What an activation `s` makes of a pair of jointly Gaussian units.

    Attributes:
        cov: `E[s(u) s(v)]`.
        slope: `E[s'(u) s'(v)]`; None where it was not asked for.
        apart: `2 (sqrt(E[s(u)^2] E[s(v)^2]) - cov)` where it is known without cancellation. None
            has it taken from the difference, which resolves angles down to 1e-8.
        together: The same with a plus.
    """

    cov: Tensor
    slope: Tensor | None
    apart: Tensor | None = None
    together: Tensor | None = None


_KNOWN = ("is_", "keeps_", "kinks")
"""How names of attributes begin that follow from the others."""


class AbstractActivation(ABC):
    """An elementwise function `s` as the infinite-width limit sees it.

    Attributes:
        is_odd: `s(-x) = -s(x)`: the outputs have mean zero.
        is_homogeneous: `s(a x) = a s(x)` for `a > 0`.
        is_elementwise: Whether `s(x)` depends on `x` alone, and not on its variance.
        kinks: Where it or its derivative is not smooth.
    """

    is_odd: bool = False
    is_homogeneous: bool = False
    is_elementwise: bool = True
    kinks: tuple[float, ...] = ()

    @property
    def identity(self) -> Hashable:
        """What two activations of one class that are the same have in common: their numbers.

        One that holds anything else is the same as itself alone, unless it says otherwise.
        """
        held = tuple(sorted(vars(self).items()))
        return held if all(_is_plain(value) for _, value in held) else id(self)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.identity == other.identity  # type: ignore[union-attr]

    def __hash__(self) -> int:
        return hash((type(self), self.identity))

    def __repr__(self) -> str:
        held = [f"{k}={v}" for k, v in vars(self).items() if not k.startswith(("_", *_KNOWN))]
        return f"{type(self).__name__}({', '.join(held)})"

    @abstractmethod
    def variance(self, var: Tensor) -> Tensor:
        """`E[s(u)^2]` at `E[u^2] = var`."""

    @abstractmethod
    def dual(self, pair: Pair, *, slope: bool = True) -> Dual:
        """`E[s(u) s(v)]`, and where `slope` is set `E[s'(u) s'(v)]`."""

    def quick(
        self, cov: Tensor, var1: Tensor, var2: Tensor, ntk: Tensor | None
    ) -> tuple[Tensor, Tensor | None] | None:
        """`E[s(u) s(v)]` and `ntk E[s'(u) s'(v)]` from covariances alone; None without a short cut.

        For tables so large that every pass over them counts; angles below 1e-8 count as zero.
        """
        return None

    @abstractmethod
    def value(self, x: Tensor) -> Tensor:
        """The function itself, `s(x)`: what the tests integrate, and finite networks apply."""


def _is_plain(value: object) -> bool:
    """Whether a value is a number, a text, another activation, or a tuple of such."""
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return isinstance(value, int | float | str | AbstractActivation | None)


def pair_in_double(pair: Pair) -> Pair:
    """The same pair in float64: squares of large lengths overflow in float32."""
    if pair.cov.dtype == torch.float64:
        return pair
    return Pair(*(getattr(pair, field.name).double() for field in fields(Pair)))


def rounded(dual: Dual, dtype: torch.dtype) -> Dual:
    """The moments in the caller's dtype."""
    if dual.cov.dtype == dtype:
        return dual

    def to(table: Tensor | None) -> Tensor | None:
        return None if table is None else table.to(dtype)

    return Dual(dual.cov.to(dtype), to(dual.slope), to(dual.apart), to(dual.together))
