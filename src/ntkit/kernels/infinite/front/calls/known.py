"""Units as Gaussian ones around known means: constants, tables of positions, the points' own features."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, fx

from ntkit.kernels.infinite.activations import AbstractActivation
from ntkit.kernels.infinite.activations.shifted.choice import shifted
from ntkit.kernels.infinite.front.calls.functions import Chained, Plus
from ntkit.kernels.infinite.front.reader import Reader
from ntkit.kernels.infinite.program.known import (
    AbstractKnown,
    KnownFeatures,
    KnownMapped,
    KnownNumber,
    KnownSum,
    KnownTransposed,
    KnownWeighed,
)
from ntkit.kernels.infinite.program.op import Step
from ntkit.kernels.infinite.program.ops.around import AddKnown, BendAround
from ntkit.kernels.infinite.program.ops.branches import AddBranches, AddWithMeans
from ntkit.kernels.infinite.program.ops.embed import TrainTable
from ntkit.kernels.infinite.program.ops.points import TakePoints
from ntkit.kernels.infinite.program.ops.positions import (
    MapPositions,
    Resize,
    Transpose,
    WeighPositions,
)
from ntkit.kernels.infinite.program.ops.scale import Detach, Times
from ntkit.kernels.infinite.program.units import Units

__all__ = ["Marked", "bent", "constant", "known_mean", "known_part", "varies"]

_SUMS = (AddBranches, AddWithMeans, AddKnown)


def known_mean(reader: Reader, index: int) -> AbstractKnown | None:
    """The means of units that are Gaussian beside them; None where that is not so.

    What is computed from weights alone is centred, what is added to it is known, and linear maps of
    positions act on both. Only reads.
    """
    value, step = reader.units(index), reader.steps[index]
    if value.is_gaussian and value.is_centred:
        return KnownNumber(0.0, len(value.positions))
    if value.gates or value.is_flat:
        return None
    if isinstance(step, TakePoints):
        return KnownFeatures(step.features, _channels(reader, step.features))
    if index in reader.shifted:
        return _plus_number(reader, index)
    if isinstance(step, (*_SUMS, Times)):
        return _sum(reader, reader.terms.get(index, {}))
    if not isinstance(
        step, TrainTable | Detach | MapPositions | Resize | Transpose | WeighPositions
    ):
        return None
    before = known_mean(reader, step.inputs[0])
    return None if before is None else _mapped(step, before, reader.units(step.inputs[0]))


def bent(reader: Reader, index: int, activation: AbstractActivation, name: str) -> int | None:
    """A nonlinearity of Gaussian units around known means; None where it is none, or has no formula."""
    known = known_mean(reader, index)
    if known is None or shifted(activation) is None:
        return None
    base = _gaussian(reader, index)
    value = reader.units(index)
    alike = value.is_alike and known.channels == 1
    units = replace(value, is_gaussian=False, is_centred=False, is_alike=alike)
    return reader.add(BendAround(name, (base,), units, activation, known))


def known_part(reader: Reader, index: int) -> AbstractKnown | None:
    """The known means of units whose rest is centred, whatever law that has; None for other ones."""
    if reader.units(index).is_centred:
        return KnownNumber(0.0, len(reader.units(index).positions))
    if isinstance(reader.steps[index], TakePoints):
        return known_mean(reader, index)
    return None


def varies(reader: Reader, index: int) -> bool:
    """Whether units have means that differ from channel to channel: no product of two such is known."""
    waiting, seen = [index], set()
    while waiting:
        k = waiting.pop()
        if k in seen:
            continue
        seen.add(k)
        step, drawn = reader.steps[k], reader.drawn.get(k)
        if isinstance(step, TakePoints) and _channels(reader, step.features) > 1:
            return True
        if isinstance(step, BendAround):
            if step.known.channels > 1:
                return True
            continue
        if drawn is None or drawn.kind != "layer":
            waiting += step.inputs
    return False


def constant(reader: Reader, node: fx.Node, like: int, number: float) -> int:
    """A number as features that are the same for all points and channels."""
    axis, positions = reader.units(like).channel_axis, reader.units(like).positions
    through = f"{number!r} at {positions}", Filled(number, positions)
    return reader.entered(reader.traced.inputs[0], axis, like=reader.shape(node), through=through)


@dataclass(frozen=True)
class Filled:
    """A number at every position, of one channel.

    Attributes:
        number: It.
        positions: Their sizes.
    """

    number: float
    positions: tuple[int, ...]

    def __call__(self, z: Tensor) -> Tensor:
        """In the dtype of the features."""
        return z.new_full((len(z), *self.positions, 1), self.number)


@dataclass(frozen=True)
class Marked:
    """A number where a mask of one channel says so, and zero elsewhere.

    Attributes:
        number: It.
        positions: Their sizes.
        is_true: Whether it stands where the mask is true.
    """

    number: float
    positions: tuple[int, ...]
    is_true: bool

    def __call__(self, z: Tensor) -> Tensor:
        """At every position."""
        there = (z.bool() if self.is_true else ~z.bool()).double()
        return self.number * there.expand(len(z), *self.positions, 1)


def _channels(reader: Reader, number: int) -> int:
    """Of a tensor that is taken from the points."""
    features = reader.features[number]
    if isinstance(features.transform, Filled | Marked) or features.channel_axis is None:
        return 1
    shape = reader.shape(features.node)
    shape = torch.Size([1] * (features.ndim - len(shape)) + list(shape))
    return shape[features.channel_axis]


def _plus_number(reader: Reader, index: int) -> AbstractKnown | None:
    before = known_mean(reader, reader.shifted[index])
    function = getattr(reader.pointwise[index].dual, "function", None)
    if before is None or not isinstance(function, Chained) or not isinstance(function.outer, Plus):
        return None
    number = KnownNumber(function.outer.number, len(reader.units(index).positions))
    return KnownSum((before, number), (1.0, 1.0))


def _sum(reader: Reader, terms: dict[int, float]) -> AbstractKnown | None:
    found = [known_mean(reader, k) for k in terms]
    known = tuple(k for k in found if k is not None)
    if not known or len(known) < len(found):
        return None
    return KnownSum(known, tuple(terms.values()))


def _mapped(step: Step, before: AbstractKnown, old: Units) -> AbstractKnown | None:
    """The known means after a linear step."""
    count = len(old.positions)
    if isinstance(step, MapPositions):
        if step.mixing.moves_channels:
            return None
        return KnownMapped(before, step.mixing, old.positions)
    if isinstance(step, Resize):
        return KnownTransposed(before, old.positions, tuple(range(count)), step.units.positions)
    if isinstance(step, Transpose):
        return KnownTransposed(before, old.positions, step.order, step.units.positions)
    if isinstance(step, WeighPositions):
        return KnownWeighed(before, step.features, step.channel_axis, count)
    return before


def _gaussian(reader: Reader, index: int) -> int:
    """The step of the Gaussian units beside the means: the same linear steps without what is known."""
    value, step = reader.units(index), reader.steps[index]
    if value.is_gaussian and value.is_centred:
        return index
    units = replace(value, is_gaussian=True, is_centred=True)
    if index in reader.shifted:
        return _gaussian(reader, reader.shifted[index])
    if isinstance(step, (*_SUMS, Times)):
        terms = reader.terms[index]
        random = {_gaussian(reader, k): c for k, c in terms.items() if reader.units(k).sources}
        if list(random.values()) == [1.0]:
            return next(iter(random))
        squares = tuple(c**2 for c in random.values())
        return reader.add(AddBranches("sum", tuple(random), units, squares))
    inputs = (_gaussian(reader, step.inputs[0]),)
    return reader.add(replace(step, inputs=inputs, units=units))
