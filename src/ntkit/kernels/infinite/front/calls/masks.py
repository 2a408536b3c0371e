"""Calls that keep units at some places and not at others: `masked_fill`, `where`."""

from math import isinf
from numbers import Real
from typing import Any

import torch
from torch import Tensor, fx

from ntkit.kernels.infinite.front.calls import branches, known, shapes
from ntkit.kernels.infinite.front.calls.position_weights import weighted
from ntkit.kernels.infinite.front.reader import Reader, reads
from ntkit.kernels.infinite.front.trace import refuse

__all__ = ["chosen", "filled"]


@reads(torch.masked_fill, "masked_fill", "masked_fill_")
def filled(reader: Reader, node: fx.Node) -> int:
    """`h.masked_fill(mask, number)`: units times one where the mask is false, and the number elsewhere."""
    names = ("input", "mask", "value")
    bound: dict[str, Any] = dict(zip(names, node.args, strict=False)) | dict(node.kwargs)
    index, value = reader.state(bound["input"]), branches.number(reader, bound["value"])
    assert index is not None  # layers make no truth values
    number = _number(node, value)
    kept = weighted(reader, node, index, bound["mask"], _where_false)
    return _with_number(reader, node, kept, bound["mask"], number, is_true=True)


@reads(torch.where, "where")
def chosen(reader: Reader, node: fx.Node) -> int:
    """`torch.where(mask, h, g)`: `h` times the mask plus `g` times the rest."""
    given = [branches.number(reader, v) for v in (*node.args, *node.kwargs.values())]
    if len(given) != 3:
        refuse(node, "only `where(condition, one, other)` has a rule.")
    is_method = isinstance(node.target, str)  # h.where(condition, other)
    left, condition, right = given if is_method else (given[1], given[0], given[2])
    one, other = reader.state(left), reader.state(right)
    if one is not None and other is not None:
        one, other = (shapes.for_all(reader, node, operand) for operand in (left, right))
        first = weighted(reader, node, one, condition, _where_true)
        second = weighted(reader, node, other, condition, _where_false)
        return branches.added(reader, node, first, second, 1.0, 1.0)
    is_left = one is not None
    number = _number(node, right if is_left else left)
    index = one if one is not None else other
    assert index is not None
    kept = weighted(reader, node, index, condition, _where_true if is_left else _where_false)
    return _with_number(reader, node, kept, condition, number, is_true=not is_left)


def _number(node: fx.Node, value: Any) -> float:
    if not isinstance(value, Real):
        refuse(node, "units are replaced by something else than a number. Fill with a number.")
    if isinf(value):
        refuse(node, "units are replaced by infinity. Fill with a finite number.")
    return float(value)


def _with_number(
    reader: Reader, node: fx.Node, kept: int, mask: fx.Node, number: float, *, is_true: bool
) -> int:
    """Units that were kept at some places, and a number, which is their mean, at the others."""
    if number == 0:
        return kept
    value = reader.units(kept)
    if value.channel_axis == 0:
        refuse(node, "one unit without its axis is filled with a number. Fill it before.")
    there = known.Marked(number, value.positions, is_true)
    name = f"{number!r} where {is_true}"
    entered = reader.entered(
        mask, value.channel_axis, like=reader.shape(node), through=(name, there)
    )
    return branches.added(reader, node, kept, entered, 1.0, 1.0)


def _where_true(mask: Tensor) -> Tensor:
    return mask.bool().double()


def _where_false(mask: Tensor) -> Tensor:
    return (~mask.bool()).double()
