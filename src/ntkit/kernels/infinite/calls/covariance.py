"""Outputs whose units have a mean: their covariance, and heads that are no copies of one another."""

from dataclasses import replace

from torch import Tensor

from ntkit.kernels.infinite.branches import weighted_sum
from ntkit.kernels.infinite.calls.pointwise import means_of
from ntkit.kernels.infinite.reader import Reader
from ntkit.kernels.infinite.state import PairState, covariance_only
from ntkit.kernels.infinite.steps import Context, Demand, Side, Step

__all__ = ["covariance"]


def covariance(reader: Reader, index: int) -> int | None:
    """The step whose second moments are the covariances of a step's units.

    None where the mean of the units is not known. A constant and the points' own features have no
    covariance; `Cov(s(u), s(v)) = E[s(u) s(v)] - E[s(u)] E[s(v)]`; linear maps keep it.
    """
    value = reader.value(index)
    if value.is_centred:
        return index
    if not value.sources:
        return reader.apply(
            "known", index, lambda s: s.scaled(0.0), replace(value, is_centred=True)
        )
    if index in reader.shifted:
        return covariance(reader, reader.shifted[index])
    terms = reader.terms.get(index, {})
    if len(terms) > 1:
        found = [covariance(reader, k) for k in terms]
        squares = tuple(c**2 for c in terms.values())
        return _sum(reader, index, found, squares)
    if index in reader.pointwise:
        return _less_the_mean(reader, index)
    step = reader.steps[index]
    if not step.is_linear:
        return None
    return _again(reader, index, [covariance(reader, k) for k in step.inputs])


def _less_the_mean(reader: Reader, index: int) -> int | None:
    means = means_of(reader, [index])
    if means is None:
        return None
    (mean,) = means

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        state, base = states
        assert base.var1 is not None and base.var2 is not None
        first, second = (mean.factor * mean.mean(var) for var in (base.var1, base.var2))
        return replace(covariance_only(state), cov=state.cov - first * second)

    step = reader.steps[index]
    value = replace(step.value, is_centred=True)
    return reader.add(
        Step("less the mean", (index, mean.base), run, value, "variances", step.is_homogeneous)
    )


def _sum(
    reader: Reader, index: int, found: list[int | None], squares: tuple[float, ...]
) -> int | None:
    known = [k for k in found if k is not None]
    if len(known) < len(found):
        return None

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        return weighted_sum([covariance_only(state) for state in states], squares)

    value = replace(reader.value(index), is_centred=True)
    return reader.add(Step("sum", tuple(known), run, value))


def _again(reader: Reader, index: int, found: list[int | None]) -> int | None:
    """The same linear step on other inputs."""
    known = tuple(k for k in found if k is not None)
    if len(known) < len(found):
        return None
    step = reader.steps[index]

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        """Variances are kept by step; those of the step itself are not to be overwritten."""
        sides = [_own(side) for side in (context.first, context.second) if side is not None]
        second = sides[1] if context.second is not None else None
        return step.run(states, replace(context, first=sides[0], second=second), demand)

    return reader.add(
        replace(step, inputs=known, run=run, value=replace(step.value, is_centred=True))
    )


def _own(side: Side) -> Side:
    records: dict[int, Tensor] = dict(side.records)
    return Side(side.features, records)
