"""Sums, products and quotients of branches."""

import operator
from numbers import Real
from typing import Any

import torch
from torch import fx

from ntkit.kernels.infinite.front.calls import known, parameters, shapes
from ntkit.kernels.infinite.front.calls.branches import added, multiplied, number, times
from ntkit.kernels.infinite.front.calls.functions import Over
from ntkit.kernels.infinite.front.calls.pointwise import composed, plus
from ntkit.kernels.infinite.front.calls.position_weights import weighted
from ntkit.kernels.infinite.front.reader import Reader, reads
from ntkit.kernels.infinite.front.trace import refuse

__all__ = ["difference", "negative", "product", "quotient", "total"]


@reads(operator.add, operator.iadd, torch.add, "add", "add_")
def total(reader: Reader, node: fx.Node) -> int:
    """A sum of two branches; of a branch and a number, features or a parameter."""
    left, right = _operands(reader, node)
    return _sum(reader, node, left, right, _alpha(reader, node))


@reads(*(operator.sub, operator.isub, torch.sub, torch.subtract, "sub", "sub_"))
def difference(reader: Reader, node: fx.Node) -> int:
    """A sum with the second operand's sign changed."""
    left, right = _operands(reader, node)
    return _sum(reader, node, left, right, -_alpha(reader, node))


@reads(operator.neg, torch.neg, torch.negative, "neg")
def negative(reader: Reader, node: fx.Node) -> int:
    """Times minus one."""
    return times(reader, reader.only_state(node), -1.0)


@reads(*(operator.mul, operator.imul, torch.mul, torch.multiply, "mul", "mul_"))
def product(reader: Reader, node: fx.Node) -> int:
    """By a number, by a parameter, by weights of positions that come with the points, or of branches."""
    left, right = _operands(reader, node)
    a, b = reader.state(left), reader.state(right)
    if a is not None and b is not None:
        a, b = (shapes.for_all(reader, node, operand) for operand in (left, right))
        return multiplied(reader, node, a, b)
    operand, factor = (left, right) if a is not None else (right, left)
    index = shapes.for_all(reader, node, operand)
    if isinstance(factor, Real):
        return times(reader, index, float(factor))
    if factor in reader.parameters:
        return parameters.scale(reader, node, index, factor)
    return weighted(reader, node, index, factor)


@reads(*(operator.truediv, operator.itruediv, torch.div, torch.divide, "div", "div_"))
def quotient(reader: Reader, node: fx.Node) -> int:
    """By a number, by numbers that come with the points, or within one elementwise function."""
    left, right = _operands(reader, node)
    a, b = reader.state(left), reader.state(right)
    if b is not None:
        found = None
        if a is not None:
            found = composed(reader, [a, b], torch.div, node.name)
        elif isinstance(left, Real):
            found = composed(reader, [b], Over(float(left)), node.name)
        if found is None:
            refuse(node, "a quotient by random units has no limit of this kind.")
        return found
    assert a is not None
    if isinstance(right, Real):
        return times(reader, a, 1 / float(right))
    if right in reader.parameters:
        refuse(node, "a division by a parameter has no rule. Multiply by it instead.")
    return weighted(reader, node, a, right, torch.reciprocal)


def _sum(reader: Reader, node: fx.Node, left: Any, right: Any, factor: float) -> int:
    for one, other, of_one, of_other in ((left, right, 1.0, factor), (right, left, factor, 1.0)):
        if reader.state(one) is None:
            continue
        index = shapes.for_all(reader, node, one)
        if isinstance(other, Real):
            return _plus(reader, node, times(reader, index, of_one), float(other) * of_other)
        if other in reader.parameters:
            index = times(reader, index, of_one)
            if parameters.is_known_table(reader, node, index, other):
                table = parameters.known_table(reader, node, index, other)
                index = added(reader, node, index, table, 1.0, of_other)
                trains = reader.parameters[other].requires_grad
                return parameters.trained_table(reader, index, of_other) if trains else index
            return parameters.shift(reader, node, index, other, of_other)
        if reader.state(other) is None:
            axis = reader.units(index).channel_axis
            if reader.units(index).is_flat or not axis:
                refuse(
                    node,
                    "features are added to flattened units, or to one unit without its axis. "
                    "Add them before.",
                )
            entered = reader.entered(other, axis, like=reader.shape(node))
            return added(reader, node, index, entered, of_one, of_other)
    a, b = (shapes.for_all(reader, node, operand) for operand in (left, right))
    return added(reader, node, a, b, 1.0, factor)


def _plus(reader: Reader, node: fx.Node, index: int, constant: float) -> int:
    if constant == 0:
        return index

    def each(part: int) -> int:
        value = reader.units(part)
        found = plus(reader, part, constant, f"plus {constant:g}")
        if found is None and value.channel_axis and not value.is_flat:
            number = known.constant(reader, node, part, constant)
            return added(reader, node, part, number, 1.0, 1.0)
        if found is None:
            refuse(
                node,
                f"adding the constant {constant:g} gives units a mean that cannot be followed here: "
                "positions were flattened into them, or they are one unit. Add it before.",
            )
        return found

    return reader.per_part(index, each)


def _operands(reader: Reader, node: fx.Node) -> tuple[Any, Any]:
    found = [*node.args, *(node.kwargs[n] for n in ("input", "other") if n in node.kwargs)]
    if len(found) != 2:
        refuse(node, f"it takes {len(found)} operands, and two have a rule.")
    left, right = (number(reader, value) for value in found)
    return left, right


def _alpha(reader: Reader, node: fx.Node) -> float:
    alpha = number(reader, node.kwargs.get("alpha", 1))
    if not isinstance(alpha, Real):
        refuse(node, "`alpha` of a sum is no number.")
    return float(alpha)
