"""Units with known means beside their chance: what nonlinearities and sums make of them."""

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import ClassVar

from torch import Tensor

from ntkit.kernels.infinite.activations.base import AbstractActivation
from ntkit.kernels.infinite.activations.pair import Pair
from ntkit.kernels.infinite.activations.shifted.base import AbstractShifted, ShiftedPairs, met
from ntkit.kernels.infinite.activations.shifted.choice import shifted
from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.program.known import AbstractKnown
from ntkit.kernels.infinite.program.op import AbstractOp, At, Back, Context
from ntkit.kernels.infinite.program.ops.bend import AbstractMean

__all__ = ["AddKnown", "BendAround", "MeanAround", "MeanOfKnown"]


@dataclass(frozen=True)
class BendAround(AbstractOp):
    """A nonlinearity of Gaussian units around known means: `s(g + m)`.

    What weights see is the mean over channels of `E[s(g + m_c) s(g' + m'_c)]`; the tangent kernel of the
    Gaussian units is multiplied by that of `E[s'(g + m_c) s'(g' + m'_c)]`. The means are no function of
    weights (what is trained of them has its part in the Gaussian units' tangent kernel).

    Attributes:
        activation: The function.
        known: The means.
        less_mean: Whether the covariances are wanted, not the second moments.
    """

    activation: AbstractActivation
    known: AbstractKnown
    less_mean: bool = False
    back: Back = field(default="variances", kw_only=True)
    is_homogeneous: bool = field(default=False, kw_only=True)

    of_products: ClassVar[bool] = False

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """The moments of the units that come out."""
        (state,) = states
        if state.has_scales:  # a trained scale before: its part is taken with the rest
            state = state.factorised()
        if at.context.watch is not None:
            at.context.watch.see(state)
        pairs = _pairs(state, self.known, at.context)
        how = _how(self.activation)
        cov, slope = (_unflat(table, state) for table in how.moments(pairs))
        if not (at.demand.variances or self.less_mean):
            return _after(state, cov, slope)
        (sd1, sd2), second = pairs.deviations(), pairs.second
        one = how.mean(sd1, pairs.first)
        two = None if sd2 is None or second is None else how.mean(sd2, second)
        if self.less_mean:
            cov = cov - _unflat(met(one, two, state.layout), state)
        found = _after(state, cov, slope)
        if not at.demand.variances:
            return found
        square1 = how.square(sd1, pairs.first)
        square2 = square1 if sd2 is None or second is None else how.square(sd2, second)
        if self.less_mean:
            square1 = square1 - (one**2).mean(-1)
            square2 = square2 - ((one if two is None else two) ** 2).mean(-1)
        var1, var2 = _placed(square1, square2 if second is not None else None, state)
        return replace(found, var1=var1, var2=var2)


@dataclass(frozen=True)
class AddKnown(AbstractOp):
    """Centred units around several known means: `E[(u + m)(u' + m')] = E[u u'] + m m'`.

    Attributes:
        known: The means.
    """

    known: AbstractKnown
    is_homogeneous: bool = field(default=False, kw_only=True)

    keeps_means: ClassVar[bool] = True
    of_products: ClassVar[bool] = False

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """The mean over channels of the products of means is added."""
        (state,) = states
        first, second = self.known.both(at.context, state.positions)
        own = met(first, second, state.layout)
        found = replace(state, cov=state.cov + _unflat(own, state), apart=None, together=None)
        if state.var1 is None or state.var2 is None:
            return replace(found, var1=None, var2=None)
        squares = (first**2).mean(-1), None if second is None else (second**2).mean(-1)
        var1, var2 = _placed(*squares, state)
        return replace(found, var1=state.var1 + var1, var2=state.var2 + var2)


@dataclass(frozen=True)
class MeanAround(AbstractMean):
    """`E[s(g + m_c)]`, its mean over channels.

    Attributes:
        activation: `s`.
        known: The means `m`.
    """

    activation: AbstractActivation
    known: AbstractKnown

    def both(self, base: PairState, context: Context) -> tuple[Tensor, Tensor]:
        """From the variances of the Gaussian units."""
        pairs, how = _pairs(base, self.known, context), _how(self.activation)
        sd1, sd2 = pairs.deviations()
        one = how.mean(sd1, pairs.first).mean(-1)
        if sd2 is None or pairs.second is None:
            return _placed(one, None, base)
        return _placed(one, how.mean(sd2, pairs.second).mean(-1), base)


@dataclass(frozen=True)
class MeanOfKnown(AbstractMean):
    """The mean over channels of known means themselves.

    Attributes:
        known: The means.
    """

    known: AbstractKnown

    def both(self, base: PairState, context: Context) -> tuple[Tensor, Tensor]:
        """Shaped as the variances of `base` are."""
        first, second = self.known.both(context, base.positions)
        return _placed(first.mean(-1), None if second is None else second.mean(-1), base)


@lru_cache(256)
def _how(activation: AbstractActivation) -> AbstractShifted:
    """The formulas of a nonlinearity; the front end has seen that there are any."""
    found = shifted(activation)
    assert found is not None
    return found


def _pairs(state: PairState, known: AbstractKnown, context: Context) -> ShiftedPairs:
    """A state's pairs, with one axis of positions, and the means on both sides."""
    first, second = known.both(context, state.positions)
    pair, k = state.pair, len(state.positions)
    n, m, p = len(first), 1 if second is None else len(second), first.shape[1]
    both = state.layout == "pairs"

    def whole(table: Tensor) -> Tensor:
        return table.expand(n, m, *state.positions * (1 + both)).reshape(n, m, *(p,) * (1 + both))

    def alone(table: Tensor, *, is_first: bool) -> Tensor:
        lead = (n if is_first or second is None else 1, 1 if is_first or second is None else m)
        if not both:
            return table.expand(*lead, *state.positions).reshape(*lead, p)
        ones = (1,) * k
        tail = (*state.positions, *ones) if is_first else (*ones, *state.positions)
        return table.expand(*lead, *tail).reshape(*lead, *((p, 1) if is_first else (1, p)))

    flat = Pair(
        whole(pair.cov),
        whole(pair.apart),
        whole(pair.together),
        alone(pair.var1, is_first=True),
        alone(pair.var2, is_first=False),
    )
    return ShiftedPairs(flat, first, second, state.layout)


def _unflat(table: Tensor, state: PairState) -> Tensor:
    """A table `[n, m, p]` or `[n, m, p, p]` with the axes of positions again."""
    return table.reshape(*table.shape[:2], *state.positions * (table.ndim - 2))


def _placed(first: Tensor, second: Tensor | None, state: PairState) -> tuple[Tensor, Tensor]:
    """Numbers `[n, p]` and `[m, p]` of the two sides, shaped as variances are."""
    ones = (1,) * len(state.positions) if state.layout == "pairs" else ()
    one = first.reshape(len(first), 1, *state.positions, *ones)
    if second is None:
        return one, first.reshape(len(first), 1, *ones, *state.positions)
    return one, second.reshape(1, len(second), *ones, *state.positions)


def _after(state: PairState, cov: Tensor, slope: Tensor) -> PairState:
    ntk = None if state.ntk is None else state.ntk * slope
    return PairState(cov, ntk, positions=state.positions, layout=state.layout)
