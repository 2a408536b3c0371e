"""Sums, products, quotients and concatenations of branches."""

from dataclasses import replace
from numbers import Real
from typing import Any

import torch
from torch import fx

from ntkit.kernels.infinite.reader import Reader
from ntkit.kernels.infinite.state import PairState, end_to_end, multiply, weighted_sum
from ntkit.kernels.infinite.steps import Context, Demand, Step, Value
from ntkit.kernels.infinite.trace import attribute, refuse
from ntkit.kernels.infinite.variances import mean_square

__all__ = ["concatenate", "negative", "product", "quotient", "total"]


def total(reader: Reader, node: fx.Node) -> int:
    """A residual sum, or a random positional embedding added to a state."""
    left, right = _operands(reader, node, ("input", "other"))
    scale = node.kwargs.get("alpha", 1)
    if scale != 1:
        refuse(node, "`alpha` of a sum has no rule. Multiply first, then add.")
    for one, other in ((left, right), (right, left)):
        if isinstance(other, Real):
            if other == 0:
                return reader.only_state(node)
            refuse(node, f"adding the constant {other} gives the units a mean. Use a layer's bias.")
        parameter = _parameter(reader, other)
        if parameter is not None:
            return _embedding(reader, node, one, other, parameter)
    indices = []
    for one, other in ((left, right), (right, left)):
        state = reader.state(one)
        if state is None:
            guide = reader.state(other)
            assert guide is not None
            axis = reader.value(guide).channel_axis
            if reader.shape(one) != reader.shape(other):
                refuse(
                    node,
                    f"features of shape {tuple(reader.shape(one))} are added to units of shape "
                    f"{tuple(reader.shape(other))}. Only equal shapes have a rule.",
                )
            state = reader.entered(one, axis)
        indices.append(state)
    _check_independent(reader, node, indices, "added")
    values = [reader.value(k) for k in indices]
    if sum(not v.is_centred for v in values) > 1:
        refuse(
            node,
            "both terms of the sum have a mean (both come out of a nonlinearity or are raw input), "
            "whose product the covariance alone does not hold. Put a layer with weights before one.",
        )
    value = replace(
        values[0],
        is_gaussian=all(v.is_gaussian for v in values),
        is_centred=all(v.is_centred for v in values),
        sources=values[0].sources | values[1].sources,
    )

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        return weighted_sum(states, (1.0, 1.0))

    return reader.add(Step("sum", tuple(indices), run, value))


def product(reader: Reader, node: fx.Node) -> int:
    """By a number, by weights of positions that come with the points, or of two branches."""
    left, right = _operands(reader, node, ("input", "other"))
    a, b = reader.state(left), reader.state(right)
    if a is not None and b is not None:
        _check_independent(reader, node, [a, b], "multiplied")
        values = [reader.value(a), reader.value(b)]
        value = replace(
            values[0],
            is_gaussian=False,
            is_centred=any(v.is_centred for v in values),
            sources=values[0].sources | values[1].sources,
        )

        def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
            return multiply(states[0], states[1])

        return reader.add(Step("product", (a, b), run, value, is_homogeneous=False))
    index, factor = (a, right) if a is not None else (b, left)
    assert index is not None
    return _times(reader, node, index, factor, power=1)


def quotient(reader: Reader, node: fx.Node) -> int:
    """By a number, or by numbers that come with the points."""
    left, right = _operands(reader, node, ("input", "other"))
    index = reader.state(left)
    if index is None or reader.state(right) is not None:
        refuse(node, "a quotient by random units has no limit of this kind.")
    return _times(reader, node, index, right, power=-1)


def negative(reader: Reader, node: fx.Node) -> int:
    """The law of centred Gaussian units is that of their negatives."""
    return _times(reader, node, reader.only_state(node), -1, power=1)


def concatenate(reader: Reader, node: fx.Node) -> int:
    """Of features: weights mix them in proportion to their numbers."""
    parts: Any = node.args[0] if node.args else node.kwargs["tensors"]
    dim: Any = node.kwargs.get(
        "dim", node.kwargs.get("axis", node.args[1] if len(node.args) > 1 else 0)
    )
    known = [reader.value(k) for part in parts if (k := reader.state(part)) is not None]
    axis = known[0].channel_axis
    shape = reader.shape(node)
    if any(v.channel_axis != axis for v in known):
        refuse(node, "the branches have their channels at different axes. Transpose one.")
    if dim % len(shape) != axis:
        return _end_to_end(reader, node, [reader.entered(p, axis) for p in parts], dim % len(shape))
    indices, weights = [], []
    for part in parts:
        index = reader.entered(part, axis)
        share = reader.shape(part)[axis] / shape[axis]
        nested = reader.concats.get(index)
        if nested is None:
            indices.append(index)
            weights.append(share)
        else:
            indices += nested.parts
            weights += [share * w for w in nested.weights]
    values = [reader.value(k) for k in indices]
    value = Value(
        axis,
        values[0].positions,
        values[0].is_flat,
        False,
        all(v.is_centred for v in values),
        frozenset().union(*(v.sources for v in values)),
    )
    return reader.join(tuple(indices), tuple(weights), value)


def _end_to_end(reader: Reader, node: fx.Node, indices: list[int], dim: int) -> int:
    """Of positions: independent branches beside each other, nothing between them."""
    values = [reader.value(k) for k in indices]
    if dim == 0 or any(v.is_flat for v in values):
        refuse(node, f"a concatenation along axis {dim}. Only features and positions have a rule.")
    for k, value in enumerate(values):
        for other in values[:k]:
            if value.sources & other.sources:
                refuse(
                    node,
                    "two branches are concatenated along positions that end in the same weights, so "
                    "they are not independent. Put a layer with weights at the end of one of them.",
                )
    if sum(not v.is_centred for v in values) > 1:
        refuse(
            node,
            "two branches are concatenated along positions that both have a mean (they come out of a "
            "nonlinearity or are raw input). Put a layer with weights before, or the nonlinearity after.",
        )
    place = dim - 1 - (dim > values[0].channel_axis)
    positions = list(values[0].positions)
    positions[place] = sum(v.positions[place] for v in values)
    value = replace(
        values[0],
        positions=tuple(positions),
        is_gaussian=all(v.is_gaussian for v in values),
        is_centred=all(v.is_centred for v in values),
        sources=frozenset().union(*(v.sources for v in values)),
    )

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        return end_to_end(states, place)

    return reader.add(Step("concatenation of positions", tuple(indices), run, value))


def _times(reader: Reader, node: fx.Node, index: int, factor: Any, *, power: int) -> int:
    if isinstance(factor, fx.Node) and isinstance(reader.sample[factor], Real):
        factor = reader.sample[factor]
    if isinstance(factor, Real):
        square = float(factor) ** (2 * power)
        return reader.per_part(
            index,
            lambda part: reader.apply(
                f"times {float(factor) ** power:g}",
                part,
                lambda state: state.scaled(square),
                reader.value(part),
            ),
        )
    if _parameter(reader, factor) is not None:
        refuse(node, "a bare parameter scales the units. Make it a buffer or a number.")
    return _weigh(reader, node, index, factor, power)


def _weigh(reader: Reader, node: fx.Node, index: int, factor: fx.Node, power: int) -> int:
    """Times a tensor of one channel: masks and weights of positions."""
    value = reader.value(index)
    shape, full = list(reader.shape(factor)), reader.shape(node)
    shape = [1] * (len(full) - len(shape)) + shape
    if shape[value.channel_axis] != 1 or value.is_flat:
        refuse(
            node,
            f"units are scaled by a tensor of shape {tuple(shape)}, which differs from channel to "
            "channel. Only weights of positions (one channel) have a rule.",
        )
    place = len(reader.steps)
    reader.features[place] = factor
    reader.channel_axes[place] = None
    axis, positions = value.channel_axis, value.positions

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        left, right = context.both_features(place)
        k, pairs = len(positions), demand.layout == "pairs"

        def shaped(weight: torch.Tensor, *, first: bool) -> torch.Tensor:
            weight = weight.double() ** power
            weight = weight.reshape(*weight.shape[:2], *_without(weight.shape[2:], axis - 1, full))
            if not (pairs and k):
                return weight
            blank = (1,) * k
            lead, tail = weight.shape[:2], weight.shape[2:]
            return (
                weight.reshape(*lead, *tail, *blank)
                if first
                else weight.reshape(*lead, *blank, *tail)
            )

        return states[0].weighted(shaped(left, first=True), shaped(right, first=False))

    return reader.add(Step("weights of positions", (index,), run, value))


def _without(shape: torch.Size, axis: int, full: torch.Size) -> tuple[int, ...]:
    """Sizes `[1.., ...]` completed to the rank of `full` (batch apart), less the channel axis."""
    sizes = [1] * (len(full) - 1 - len(shape)) + list(shape)
    del sizes[axis]
    return tuple(sizes)


def _embedding(
    reader: Reader, node: fx.Node, one: fx.Node, other: fx.Node, parameter: torch.Tensor
) -> int:
    """A random vector of its own for each position, trained along: `cov <- cov + v [p = q]`."""
    index = reader.state(one)
    if index is None:
        refuse(node, "a bare parameter is added to raw input. Embed with a layer first.")
    value, shape = reader.value(index), reader.shape(one)
    sizes = [1] * (len(shape) - parameter.ndim) + list(parameter.shape)
    wanted = [1, *shape[1:]]
    if sizes != wanted:
        refuse(
            node,
            f"a parameter of shape {tuple(parameter.shape)} is added to units of shape "
            f"{tuple(shape)}; an embedding of positions has shape {tuple(wanted)}.",
        )
    variance = mean_square(parameter)

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        state = states[0]
        one = torch.ones((), dtype=state.cov.dtype, device=state.cov.device)
        shared = replace(
            state,
            cov=(one * variance).expand_as(state.cov),
            ntk=None if state.ntk is None else one.expand_as(state.cov),
            var1=None if state.var1 is None else one * variance,
            var2=None if state.var2 is None else one * variance,
            apart=None if state.apart is None else 0 * one,
            together=None if state.apart is None else 4 * variance * one,
        )
        return weighted_sum((state, shared.decorrelated()), (1.0, 1.0))

    own = frozenset({len(reader.steps)})
    new = replace(value, sources=value.sources | own)
    return reader.add(Step(f"embedding of positions ({other.name})", (index,), run, new))


def _operands(reader: Reader, node: fx.Node, names: tuple[str, str]) -> tuple[Any, Any]:
    found = [*node.args, *(node.kwargs[n] for n in names if n in node.kwargs)]
    if len(found) != 2:
        refuse(node, f"it takes {len(found)} operands, and two have a rule.")
    return found[0], found[1]


def _parameter(reader: Reader, argument: Any) -> torch.Tensor | None:
    if isinstance(argument, fx.Node) and argument.op == "get_attr":
        found = attribute(reader.traced.root, str(argument.target))
        return found if isinstance(found, torch.nn.Parameter) else None
    return None


def _check_independent(reader: Reader, node: fx.Node, indices: list[int], verb: str) -> None:
    first, second = (reader.value(k) for k in indices)
    if first.positions != second.positions or first.is_flat != second.is_flat:
        refuse(
            node,
            f"states with positions {first.positions} and {second.positions} are {verb}. "
            "Bring them to the same positions first.",
        )
    shared = first.sources & second.sources
    if shared:
        names = ", ".join(f"`{reader.steps[k].name}`" for k in sorted(shared))
        refuse(
            node,
            f"two branches are {verb} that end in the same weights ({names}), so they are not "
            "independent. Put a layer with weights at the end of one of them.",
        )
