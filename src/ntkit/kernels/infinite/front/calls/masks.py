"""Calls that keep units at some places and not at others: `masked_fill`, `where`."""

from numbers import Real
from typing import Any

from torch import Tensor, fx

from ntkit.kernels.infinite.front.calls import arithmetic
from ntkit.kernels.infinite.front.calls.position_weights import weighted
from ntkit.kernels.infinite.front.reader import Reader
from ntkit.kernels.infinite.front.trace import refuse

__all__ = ["chosen", "filled"]


def filled(reader: Reader, node: fx.Node) -> int:
    """`h.masked_fill(mask, 0)`: units times one where the mask is false."""
    names = ("input", "mask", "value")
    bound: dict[str, Any] = dict(zip(names, node.args, strict=False)) | dict(node.kwargs)
    index, value = reader.state(bound["input"]), arithmetic.number(reader, bound["value"])
    assert index is not None  # layers make no truth values
    _check_zero(node, value)
    return weighted(reader, node, index, bound["mask"], _where_false)


def chosen(reader: Reader, node: fx.Node) -> int:
    """`torch.where(mask, h, g)`: `h` times the mask plus `g` times the rest."""
    given = [arithmetic.number(reader, v) for v in (*node.args, *node.kwargs.values())]
    if len(given) != 3:
        refuse(node, "only `where(condition, one, other)` has a rule.")
    is_method = isinstance(node.target, str)  # h.where(condition, other)
    left, condition, right = given if is_method else (given[1], given[0], given[2])
    found = []
    for branch, weight in ((left, _where_true), (right, _where_false)):
        index = reader.state(branch)
        if index is None:
            _check_zero(node, branch)
        else:
            found.append(weighted(reader, node, index, condition, weight))
    return (
        found[0]
        if len(found) == 1
        else arithmetic.added(reader, node, found[0], found[1], 1.0, 1.0)
    )


def _check_zero(node: fx.Node, value: Any) -> None:
    if not isinstance(value, Real) or value != 0:
        refuse(
            node,
            "units are replaced by something else than zeros, which gives them a mean of their own at "
            "some places. Fill with 0.",
        )


def _where_true(mask: Tensor) -> Tensor:
    return mask.bool().double()


def _where_false(mask: Tensor) -> Tensor:
    return (~mask.bool()).double()
