"""Outputs whose units have a mean: their covariance, and heads that are no copies of one another."""

from dataclasses import replace

from ntkit.kernels.infinite.front.calls.pointwise import means_of
from ntkit.kernels.infinite.front.reader import Reader
from ntkit.kernels.infinite.program.op import Step
from ntkit.kernels.infinite.program.ops.around import BendAround
from ntkit.kernels.infinite.program.ops.branches import AddCovariances, LessMean
from ntkit.kernels.infinite.program.ops.scale import Times

__all__ = ["covariance"]


def covariance(reader: Reader, index: int) -> int | None:
    """The step whose second moments are the covariances of a step's units.

    None where the mean of the units is not known. A constant and the points' own features have no
    covariance; `Cov(s(u), s(v)) = E[s(u) s(v)] - E[s(u)] E[s(v)]`; linear maps keep it.
    """
    value = reader.units(index)
    if value.is_centred:
        return index
    if not value.sources:
        return reader.add(Times("known", (index,), replace(value, is_centred=True), 0.0))
    if index in reader.shifted:
        return covariance(reader, reader.shifted[index])
    terms = reader.terms.get(index, {})
    if len(terms) > 1:
        found = [covariance(reader, k) for k in terms]
        squares = tuple(c**2 for c in terms.values())
        return _sum(reader, index, found, squares)
    step = reader.steps[index]
    if isinstance(step, BendAround):
        return reader.add(replace(step, units=replace(value, is_centred=True), less_mean=True))
    if index in reader.pointwise and reader.units(reader.pointwise[index].base).is_gaussian:
        return _less_the_mean(reader, index)
    if not step.is_linear:
        return None
    return _again(reader, step, [covariance(reader, k) for k in step.inputs])


def _less_the_mean(reader: Reader, index: int) -> int | None:
    means = means_of(reader, [index])
    if means is None:
        return None
    (mean,) = means
    step = reader.steps[index]
    units, inputs = replace(step.units, is_centred=True), (index, mean.base)
    return reader.add(
        LessMean("less the mean", inputs, units, mean, is_homogeneous=step.is_homogeneous)
    )


def _sum(
    reader: Reader, index: int, found: list[int | None], squares: tuple[float, ...]
) -> int | None:
    known = [k for k in found if k is not None]
    if len(known) < len(found):
        return None

    units = replace(reader.units(index), is_centred=True)
    return reader.add(AddCovariances("sum", tuple(known), units, squares))


def _again(reader: Reader, step: Step, found: list[int | None]) -> int | None:
    """The same linear step on other inputs."""
    known = tuple(k for k in found if k is not None)
    if len(known) < len(found):
        return None
    return reader.add(replace(step, inputs=known, units=replace(step.units, is_centred=True)))
