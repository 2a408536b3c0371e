"""Elementwise functions written out in several calls, taken together as one activation; their means."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations import AbstractActivation
from ntkit.kernels.infinite.activations.base import Dual
from ntkit.kernels.infinite.activations.numerical.quadrature import Quadrature
from ntkit.kernels.infinite.activations.pair import Pair
from ntkit.kernels.infinite.front.calls.functions import Chained, Multiple, Plus, ValueOf, identity
from ntkit.kernels.infinite.front.calls.known import bent, known_mean
from ntkit.kernels.infinite.front.reader import Pointwise, Reader
from ntkit.kernels.infinite.program.ops.around import BendAround, MeanAround, MeanOfKnown
from ntkit.kernels.infinite.program.ops.bend import Bend, Mean, MeanOf, MeanOfTable
from ntkit.kernels.infinite.program.ops.points import TakePoints

__all__ = [
    "Scaled",
    "Stopped",
    "activated",
    "as_function",
    "composed",
    "means_of",
    "plus",
    "raised",
]

_REACH = 64.0
"""Largest input within which kinks of composed functions are looked for."""

_SAMPLES = 2**14
"""Places between which a function is searched for crossings of a level: half on each side of 0, closer near it."""

Function = Callable[[Tensor], Tensor]


class Scaled(AbstractActivation):
    """A number times an activation."""

    def __init__(self, inner: AbstractActivation, factor: float) -> None:
        self._inner, self._factor = inner, factor
        self.is_odd: bool = inner.is_odd
        self.kinks: tuple[float, ...] = inner.kinks

    def variance(self, var: Tensor) -> Tensor:
        """The inner one's times the square."""
        return self._factor**2 * self._inner.variance(var)

    def dual(self, pair: Pair, *, slope: bool = True) -> Dual:
        """Both moments times the square."""
        found, square = self._inner.dual(pair, slope=slope), self._factor**2
        rest = (found.slope, found.apart, found.together)
        return Dual(square * found.cov, *(None if part is None else square * part for part in rest))

    def value(self, x: Tensor) -> Tensor:
        """The function itself."""
        return self._factor * self._inner.value(x)


class Stopped(AbstractActivation):
    """An activation through which no gradient goes: what is computed without, or detached."""

    def __init__(self, inner: AbstractActivation) -> None:
        self._inner = inner
        self.is_odd: bool = inner.is_odd
        self.kinks: tuple[float, ...] = inner.kinks

    def variance(self, var: Tensor) -> Tensor:
        """The inner one's."""
        return self._inner.variance(var)

    def dual(self, pair: Pair, *, slope: bool = True) -> Dual:
        """The inner one's moments, and no slope."""
        found = self._inner.dual(pair, slope=False)
        return replace(found, slope=torch.zeros_like(found.cov) if slope else None)

    def value(self, x: Tensor) -> Tensor:
        """The function itself, a constant to autograd."""
        return self._inner.value(x).detach()


def activated(
    reader: Reader, index: int, dual: AbstractActivation, name: str, *, adds: bool = False
) -> int | None:
    """An activation of Gaussian units, with known means or without; None where it has no formula.

    Args:
        reader: Where the steps are.
        index: The units.
        dual: The activation.
        name: Of the new step.
        adds: Whether all that it does is to add a number.
    """
    value = reader.units(index)
    if value.is_gaussian and value.is_centred:
        units = replace(value, is_gaussian=False, is_centred=dual.is_odd)
        homogeneous = dual.is_homogeneous
        new = reader.add(Bend(name, (index,), units, dual, adds, is_homogeneous=homogeneous))
    else:
        found = bent(reader, index, dual, name)
        if found is None:
            return None
        new = found
    if dual.is_elementwise:
        reader.pointwise[new] = Pointwise(index, dual)
    return new


def as_function(reader: Reader, index: int) -> tuple[int, Function, tuple[float, ...]] | None:
    """A step as an elementwise function of Gaussian units: their step, it, and its kinks."""
    found = reader.pointwise.get(index)
    value = reader.units(index)
    if found is not None:
        base, function, kinks = found.base, ValueOf(found.dual), found.dual.kinks
    elif (value.is_gaussian and value.is_centred) or known_mean(reader, index) is not None:
        base, function, kinks = index, identity, ()
    else:
        return None
    through = reader.pointwise.get(base)
    if through is not None and base != index:  # units that were detached before
        function = Chained(function, (ValueOf(through.dual),))
        base, kinks = through.base, kinks + through.dual.kinks
    terms = reader.terms.get(base, {})
    if len(terms) != 1:
        return base, function, kinks
    ((origin, factor),) = terms.items()  # a multiple of other units
    scaled = Chained(function, (Multiple(factor),))
    return origin, scaled, tuple(t / factor for t in kinks)


def composed(
    reader: Reader,
    indices: Sequence[int],
    function: Callable[..., Tensor],
    name: str,
    kinks: Sequence[float] = (),
    *,
    adds: bool = False,
) -> int | None:
    """`function(s1(u), s2(u), ...)` of steps that are functions of the same units; None if they are not.

    Args:
        reader: Where the steps are.
        indices: The steps.
        function: Elementwise, of as many tensors.
        name: Of the new step.
        kinks: Of the function, if it has one argument.
        adds: Whether all that it does is to add a number.
    """
    parts = [as_function(reader, k) for k in indices]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or len({base for base, _, _ in known}) > 1:
        return None
    inner = [f for _, f, _ in known]
    bends = {t for _, _, own in known for t in own}
    for t in kinks:
        bends |= _crossings(inner[0], t)

    whole = Chained(function, tuple(inner))
    return activated(reader, known[0][0], Quadrature(whole, sorted(bends)), name, adds=adds)


def plus(reader: Reader, index: int, number: float, name: str) -> int | None:
    """A step plus a number; None if it is no elementwise function of Gaussian units."""
    found = composed(reader, [index], Plus(number), name, adds=True)
    if found is not None:
        reader.shifted[found] = index
    return found


def raised(reader: Reader, index: int, mean: float) -> int:
    """Gaussian units plus a known number."""
    found = plus(reader, index, mean, f"plus {mean:.3g}")
    assert found is not None
    return found


def means_of(
    reader: Reader, indices: Sequence[int], terms: dict[int, float] | None = None
) -> list[Mean] | None:
    """What the mean of a sum of steps is made of; None where it is not known."""
    parts = []
    for index in indices:
        own = {index: 1.0} if terms is None else {index: terms[index]}
        if terms is None:
            own = reader.terms.get(index, own)
        for k, factor in own.items():
            if reader.units(k).is_centred:
                continue
            part = _mean_of(reader, k, factor)
            if part is None:
                return None
            parts.append(part)
    return parts


def _mean_of(reader: Reader, k: int, factor: float) -> Mean | None:
    """The mean of a step that is no sum."""
    step, found = reader.steps[k], reader.pointwise.get(k)
    if k in reader.known_means:
        return Mean(k, MeanOfTable(reader.known_means[k]), factor)
    if isinstance(step, BendAround):
        return Mean(step.inputs[0], MeanAround(step.activation, step.known), factor)
    known = known_mean(reader, k) if isinstance(step, TakePoints) else None
    if known is not None:
        return Mean(k, MeanOfKnown(known), factor)
    if found is None or not reader.units(found.base).is_gaussian:
        return None
    return Mean(found.base, MeanOf(found.dual), factor)


def _crossings(function: Function, level: float) -> set[float]:
    """Where the function passes a level, by bisection between samples."""
    half = torch.logspace(-4, 0, _SAMPLES // 2, dtype=torch.float64) * _REACH
    x = torch.cat([-half.flip(0), half])
    above = function(x) > level
    found = set()
    for k in (above[1:] != above[:-1]).nonzero()[:, 0].tolist():
        low, high = x[k], x[k + 1]
        for _ in range(60):
            middle = (low + high) / 2
            same = bool(function(middle[None])[0] > level) == bool(above[k])
            low, high = (middle, high) if same else (low, middle)
        found.add(float(low + high) / 2)
    merged = sorted(found)
    return {a for a, b in pairwise([*merged, torch.inf]) if b - a > 1e-9}
