"""Branches that join: sums and products of what was read already."""

from collections.abc import Hashable
from dataclasses import replace
from numbers import Real
from typing import Any

import torch
from torch import fx

from ntkit.kernels.infinite.front.calls import known, shapes
from ntkit.kernels.infinite.front.calls.functions import Combination, Mixture
from ntkit.kernels.infinite.front.calls.pointwise import Scaled, composed, means_of
from ntkit.kernels.infinite.front.reader import Pointwise, Reader
from ntkit.kernels.infinite.front.trace import refuse
from ntkit.kernels.infinite.program.known import AbstractKnown, KnownSum
from ntkit.kernels.infinite.program.ops.around import AddKnown
from ntkit.kernels.infinite.program.ops.branches import AddBranches, AddWithMeans, MultiplyBranches
from ntkit.kernels.infinite.program.ops.scale import Times
from ntkit.kernels.infinite.program.units import Units, common

__all__ = ["added", "multiplied", "number", "times"]

_FILLED: dict[Hashable, float] = {torch.zeros_like: 0.0, torch.ones_like: 1.0}
"""Tensors that are a number, of whatever shape."""


def multiplied(reader: Reader, node: fx.Node, a: int, b: int) -> int:
    """The product of two branches."""
    a, b = shapes.broadcast(reader, node, a, b)
    found = composed(reader, [a, b], torch.mul, node.name)
    if found is not None:
        return found
    one, other = reader.concats.get(a), reader.concats.get(b)
    if one is not None and other is not None and one.weights == other.weights:
        pairs = zip(one.parts, other.parts, strict=True)
        return reader.join(tuple(multiplied(reader, node, *pair) for pair in pairs), one.weights)
    _check_independent(reader, node, [a, b], "multiplied")
    values = [reader.units(a), reader.units(b)]
    if not (values[0].is_alike or values[1].is_alike):
        refuse(
            node,
            "two tensors whose channels differ (concatenations, or what was made of them) are "
            "multiplied: the product of their means is not the mean of their products. Multiply the "
            "parts before they are concatenated.",
        )
    if known.varies(reader, a) and known.varies(reader, b):
        refuse(
            node,
            "two tensors are multiplied whose means differ from channel to channel (tables, the points' "
            "own features): the mean of their products is not the product of their means. Put a layer "
            "with weights before one of them.",
        )
    units = replace(
        values[0],
        is_gaussian=False,
        is_centred=any(v.is_centred for v in values),
        sources=values[0].sources | values[1].sources,
        is_alike=all(v.is_alike for v in values),
    )

    new = reader.add(MultiplyBranches("product", (a, b), units))
    reader.factors[new] = _factors(reader, a) + _factors(reader, b)
    return new


def times(reader: Reader, index: int, factor: float) -> int:
    """Each unit times a number."""
    if factor == 1:
        return index

    def each(part: int) -> int:
        new = reader.add(Times(f"times {factor:g}", (part,), reader.units(part), factor**2))
        reader.terms[new] = {k: factor * c for k, c in _terms(reader, part).items()}
        found = reader.pointwise.get(part)
        if found is not None:
            inner = found.dual
            reader.pointwise[new] = Pointwise(found.base, Scaled(inner, factor))
        return new

    return reader.per_part(index, each)


def added(reader: Reader, node: fx.Node, a: int, b: int, of_a: float, of_b: float) -> int:
    """The sum of two branches, each times a number."""
    a, b = shapes.broadcast(reader, node, a, b)
    terms = {k: of_a * c for k, c in _terms(reader, a).items()}
    for k, c in _terms(reader, b).items():
        terms[k] = terms.get(k, 0.0) + of_b * c
    terms = {k: c for k, c in terms.items() if c}
    if not terms:
        refuse(node, "the sum is zero.")
    if len(terms) == 1:
        ((only, factor),) = terms.items()
        return times(reader, only, factor)
    if _dependent(reader, list(terms)):
        found = composed(reader, [a, b], Combination((of_a, of_b)), node.name)
        if found is None:
            found = _gathered(reader, node, terms)
        if found is not None:
            return found
    indices = list(terms)
    _check_independent(reader, node, indices, "added", sums=True)
    values = [reader.units(k) for k in indices]
    uncentred = [k for k, v in zip(indices, values, strict=True) if not v.is_centred]
    units = replace(
        values[0],
        is_gaussian=all(v.is_gaussian for v in values),
        is_centred=not uncentred,
        sources=frozenset().union(*(v.sources for v in values)),
        is_alike=all(v.is_alike for v in values),
    )
    squares = tuple(c**2 for c in terms.values())
    if len(uncentred) > 1:
        new = _with_means(reader, node, indices, terms, units)
    else:
        new = reader.add(AddBranches("sum", tuple(indices), units, squares))
    reader.terms[new] = terms
    return new


def _gathered(reader: Reader, node: fx.Node, terms: dict[int, float]) -> int | None:
    """The sum with all functions of the same units taken together; None if that leaves it as it was."""
    groups: dict[int, list[int]] = {}
    for k in terms:
        found = reader.pointwise.get(k)
        groups.setdefault(k if found is None else found.base, []).append(k)
    if len(groups) in {1, len(terms)}:
        return None
    total_ = None
    for members in groups.values():
        factors = [terms[k] for k in members]
        if len(members) == 1:
            part = times(reader, members[0], factors[0])
        else:
            part = composed(reader, members, Mixture(tuple(factors)), node.name)
            if part is None:
                return None
        total_ = part if total_ is None else added(reader, node, total_, part, 1.0, 1.0)
    return total_


def _with_means(
    reader: Reader,
    node: fx.Node,
    indices: list[int],
    terms: dict[int, float],
    units: Units,
) -> int:
    """A sum of several branches that have means: `E[a b'] = E[a] E[b']` for independent ones."""
    known_parts = [known.known_part(reader, k) for k in indices]
    if all(part is not None for part in known_parts):
        return _around(reader, indices, terms, units, known_parts)
    parts = means_of(reader, indices, terms)
    if parts is not None and sum(known.varies(reader, k) for k in indices) > 1:
        refuse(
            node,
            "several terms of the sum have means that differ from channel to channel (tables, the points' "
            "own features), so that the mean of their products is not known here. Put a layer with "
            "weights before one of them.",
        )
    if parts is None:
        refuse(
            node,
            "both terms of the sum have a mean, and one is no elementwise function of a layer's "
            "output whose mean is known (raw input, pooled units). Put a layer with weights before.",
        )
    squares = tuple(c**2 for c in terms.values())
    inputs = (*indices, *(part.base for part in parts))
    return reader.add(AddWithMeans("sum", inputs, units, squares, tuple(parts)))


def _around(
    reader: Reader,
    indices: list[int],
    terms: dict[int, float],
    units: Units,
    parts: list[AbstractKnown | None],
) -> int:
    """Centred units and several known means, which have a second moment together."""
    centred = {k: c for k, c in terms.items() if reader.units(k).is_centred}
    squares = tuple(c**2 for c in centred.values())
    base = reader.add(AddBranches("sum", tuple(centred), replace(units, is_centred=True), squares))
    pairs = zip(indices, parts, strict=True)
    means = {k: part for k, part in pairs if part is not None and k not in centred}
    whole = KnownSum(tuple(means.values()), tuple(terms[k] for k in means))
    return reader.add(AddKnown("known means", (base,), units, whole))


def _terms(reader: Reader, index: int) -> dict[int, float]:
    return reader.terms.get(index, {index: 1.0})


def number(reader: Reader, value: Any) -> Any:
    """A number in place of the node that computes it, or of a frozen parameter that is one."""
    if not isinstance(value, fx.Node):
        return value
    parameter = reader.parameters.get(value)
    if parameter is not None and parameter.numel() == 1 and not parameter.requires_grad:
        return float(parameter)
    found = reader.sample[value]
    if isinstance(found, Real):
        return found
    return _FILLED.get(value.target, value)


def _dependent(reader: Reader, indices: list[int]) -> bool:
    values = [reader.units(k) for k in indices]
    return any(v.shared(w) for i, v in enumerate(values) for w in values[:i])


def _factors(reader: Reader, index: int) -> tuple[int, ...]:
    return reader.factors.get(index, (index,))


def _uncorrelated(reader: Reader, a: int, b: int) -> bool:
    """Whether two steps that depend on the same weights have no covariance, nor a tangent kernel in common.

    One of them has a factor of mean zero, whatever the other one and the gates are: the factor stands
    in every product of both, and of their derivatives by the weights that both depend on.
    """
    for one, other in ((a, b), (b, a)):
        rest = reader.units(other).chance
        for k in _factors(reader, one):
            factor = reader.units(k)
            if factor.is_centred and not common(factor.sources, rest | factor.gates):
                return True
    return False


def _check_independent(
    reader: Reader, node: fx.Node, indices: list[int], verb: str, *, sums: bool = False
) -> None:
    """Refuse branches at other places, and those that depend on one another.

    Args:
        reader: Where the steps are.
        node: The call.
        indices: The steps.
        verb: What is done to them.
        sums: Whether it is enough that they have no covariance.
    """
    values = [reader.units(k) for k in indices]
    first = values[0]
    for other in values[1:]:
        if first.channel_axis != other.channel_axis:
            refuse(node, f"states are {verb} whose channels are at different axes.")
        if first.positions != other.positions or first.is_flat != other.is_flat:
            refuse(
                node,
                f"states with positions {first.positions} and {other.positions} are {verb}. "
                "Bring them to the same positions first.",
            )
    shared = {
        k
        for i, a in enumerate(indices)
        for b in indices[:i]
        if not (sums and _uncorrelated(reader, a, b))
        for k in reader.units(a).shared(reader.units(b))
    }
    if shared:
        names = ", ".join(f"`{reader.steps[k].name}`" for k in sorted(shared))
        refuse(
            node,
            f"two branches are {verb} that end in the same weights ({names}), so they are not "
            "independent. Put a layer with weights at the end of one of them.",
        )
